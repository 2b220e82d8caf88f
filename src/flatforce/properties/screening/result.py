"""Result of a screening: the verdict of each sheet, energies above the hull, ranks."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from ase.io import write

from flatforce.core.errors import shorten_list
from flatforce.core.files import write_atomically, write_text
from flatforce.core.outcome import Outcome
from flatforce.properties.screening.hull import compositions_of, energies_from_ends, line_coordinates
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.properties.screening.references import References
    from flatforce.properties.screening.tasks import Status

COLUMNS: Final = {
    "rank": int,
    "name": str,
    "formula": str,
    "status": str,
    "energy_above_hull": float,
    "formation_energy": float,
    "energy": float,
    "area": float,
    "area_change": float,
    "duplicate_of": str,
    "bonds": str,
    "reason": str,
    "n_steps": int,
    "max_force": float,
    "source": str,
}
"""Columns of `ranking.csv` → type. Energies in eV/atom, area in Å²/atom, its change in %, forces in eV/Å."""


@dataclass(frozen=True)
class ScreenedSheet:
    """One sheet of a screening."""

    name: str
    """Name, different for all sheets."""
    source: str
    """File, or the prototype."""
    status: Status
    """Whether its relaxation converged."""
    reason: str = ""
    """Why it did not; empty if it did."""
    formula: str = ""
    """Chemical formula of the cell; empty for a file that cannot be read."""
    relaxed: Atoms | None = None
    """The sheet at the end; None if the relaxation failed."""
    energy: float = float("nan")
    """eV/atom."""
    initial_area: float = float("nan")
    """Å²/atom."""
    max_force: float = float("nan")
    """eV/Å, largest force left."""
    n_steps: int = 0
    """Number of optimiser steps."""
    bonds: str = ""
    """Bonds that the relaxation broke or formed; empty if it kept all."""
    duplicate_of: str = ""
    """Name of the sheet with lower energy that relaxed to the same structure; empty if there is none."""
    formation_energy: float = float("nan")
    """eV/atom, relative to the elements among the references; NaN where one is missing."""
    energy_above_hull: float = float("nan")
    """eV/atom; NaN where nothing else has the composition."""

    @property
    def area(self) -> float:
        """Å²/atom of the relaxed sheet."""
        return float("nan") if self.relaxed is None else area(self.relaxed) / len(self.relaxed)

    @property
    def area_change(self) -> float:
        """Relative change of the area by the relaxation, in %."""
        return 100 * (self.area / self.initial_area - 1)


@dataclass(frozen=True, repr=False)
class Screening(Outcome):
    """Sheets in the order of their ranks: converged ones by energy above hull, then those that did not converge or failed."""

    kind: ClassVar[str] = "screening"
    units = {
        "n_sheets": "",
        "n_relaxed": "",
        "n_not_converged": "",
        "n_failed": "",
        "n_distinct": "",
        "n_below": "",
        "n_bonds_changed": "",
        "mean_steps": "",
    }

    model: str
    """Spec of the force field."""
    sheets: Sequence[ScreenedSheet]
    """All sheets, the best first."""
    references: References
    """Competing phases that were given."""
    max_energy_above_hull: float
    """eV/atom, below which a sheet is counted."""
    candidates: Sequence[Atoms] = field(default=())
    """Sheets that were generated, before their relaxation."""

    @property
    def relaxed(self) -> list[ScreenedSheet]:
        """Sheets whose relaxation converged."""
        return [sheet for sheet in self.sheets if sheet.status == "converged"]

    @property
    def elements(self) -> list[str]:
        """Chemical symbols in the sheets that were relaxed."""
        return sorted({symbol for sheet in self.relaxed if sheet.relaxed for symbol in sheet.relaxed.symbols})

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of sheets, those below the limit of the energy above the hull without duplicates, and the mean number of steps."""
        relaxed = self.relaxed
        distinct = [sheet for sheet in relaxed if not sheet.duplicate_of]
        below = [sheet for sheet in distinct if sheet.energy_above_hull < self.max_energy_above_hull]
        counts = {
            "n_sheets": len(self.sheets),
            "n_relaxed": len(relaxed),
            "n_not_converged": sum(sheet.status == "not converged" for sheet in self.sheets),
            "n_failed": sum(sheet.status == "failed" for sheet in self.sheets),
            "n_distinct": len(distinct),
            "n_below": len(below),
            "n_bonds_changed": sum(bool(sheet.bonds) for sheet in relaxed),
        }
        steps = float(np.mean([sheet.n_steps for sheet in relaxed])) if relaxed else float("nan")
        return {name: float(count) for name, count in counts.items()} | {"mean_steps": steps}

    @property
    def problems(self) -> list[str]:
        """A warning where no sheet was relaxed."""
        return [] if self.relaxed else ["No sheet was relaxed; ranking.csv holds the reason for each."]

    @property
    def notes(self) -> list[str]:
        """What the hull is made of; sheets that failed, did not converge, or changed their bonds."""
        notes = [self.hull] if self.relaxed else []
        if 0 < self.references.n_relaxed < len(self.references.structures):
            notes.append(
                f"{self.references.n_relaxed} references have the energies of the force field, the others those of their labels: both must "
                "be of the same DFT settings"
            )
        groups = (
            ("failed", [sheet for sheet in self.sheets if sheet.status == "failed"]),
            ("did not converge", [sheet for sheet in self.sheets if sheet.status == "not converged"]),
            ("changed their bonds", [sheet for sheet in self.relaxed if sheet.bonds]),
        )
        for text, group in groups:
            names = [f"{sheet.name} ({sheet.reason or sheet.bonds})" for sheet in group]
            if names:
                notes.append(f"{len(names)} of {len(self.sheets)} sheets {text}: {shorten_list(names, '; ')}")
        return notes

    @property
    def hull(self) -> str:
        """What the convex hull is made of, as a sentence."""
        missing = [
            symbol
            for symbol, energy in zip(self.elements, self.references.elemental(self.elements), strict=True)
            if not np.isfinite(energy)
        ]
        if not missing:
            return f"the convex hull is that of {len(self.references.structures)} references and the screened sheets"
        given = f"{len(self.references.structures)} references and " if self.references.structures else ""
        return (
            f"no references of the elements {', '.join(missing)} are given: the convex hull is that of {given}the screened sheets "
            "themselves, so that only sheets compete that mix to the same composition"
        )

    @property
    def details(self) -> dict[str, Any]:
        """Force field, what the hull is made of, elements, end members of a set on one line of compositions."""
        return {
            "model": self.model,
            "hull": self.hull if self.relaxed else "",
            "elements": self.elements,
            "end_members": self._line()[1],
            "max_energy_above_hull": self.max_energy_above_hull,
            "best": [_row(rank, sheet) for rank, sheet in enumerate(self.sheets[:10], start=1)],
        }

    def _line(self) -> tuple[dict[str, NDArray[Any]], list[str]]:
        """Energies of formation from the end members, for compositions on one line; nothing for other sets."""
        distinct = [sheet for sheet in self.relaxed if not sheet.duplicate_of and sheet.relaxed is not None]
        structures = [sheet.relaxed for sheet in distinct if sheet.relaxed is not None]
        phases = [*structures, *self.references.structures]
        elements = sorted({symbol for atoms in phases for symbol in atoms.symbols})
        coordinates = line_coordinates(compositions_of(phases, elements))
        if coordinates is None:
            return {}, []
        energies = np.array([*(sheet.energy for sheet in distinct), *self.references.energies])
        ends = [phases[k].symbols.formula.reduce()[0] for k in (coordinates.argmin(), coordinates.argmax())]
        return {
            "line_coordinate": coordinates,
            "line_energy": energies_from_ends(coordinates, energies),
            "line_is_reference": np.arange(len(phases)) >= len(structures),
        }, [f"{formula:metal}" for formula in ends]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the numbers of the figures.

        Returns
        -------
        `energy_above_hull`, `formation_energy`, `energy` (eV/atom) and `area_change` (%) of the converged sheets, in the order of their
        ranks, and `distinct`, whether each is no duplicate; for compositions on one line also `line_coordinate` from 0 to 1,
        `line_energy` (eV/atom) relative to the end members, and `line_is_reference`, of the distinct sheets and the references.
        """
        relaxed = self.relaxed
        arrays: dict[str, NDArray[Any]] = {
            name: np.array([getattr(sheet, name) for sheet in relaxed], dtype=float)
            for name in ("energy_above_hull", "formation_energy", "energy", "area_change")
        }
        return (
            arrays | {"distinct": np.array([not sheet.duplicate_of for sheet in relaxed])} | self._line()[0]
        )

    def files(self, folder: Path) -> None:
        """Write `ranking.csv`, `relaxed.extxyz` and, where sheets were generated, `candidates.extxyz`.

        Parameters
        ----------
        folder
            Result folder.
        """
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(rank, sheet) for rank, sheet in enumerate(self.sheets, start=1))
        write_text(folder / "ranking.csv", buffer.getvalue())
        images = {"relaxed": [_frame(rank, sheet) for rank, sheet in enumerate(self.relaxed, start=1)]}
        images |= {"candidates": list(self.candidates)} if self.candidates else {}
        for name, frames in images.items():
            if frames:
                write_atomically(folder / f"{name}.extxyz", partial(write, images=frames, format="extxyz"))


def _row(rank: int, sheet: ScreenedSheet) -> dict[str, Any]:
    """Return a row of the table; numbers that are not known are empty."""
    values = {name: rank if name == "rank" else getattr(sheet, name) for name in COLUMNS}
    return {name: "" if value != value else value for name, value in values.items()}  # noqa: PLR0124  # NaN


def _frame(rank: int, sheet: ScreenedSheet) -> Atoms:
    """Return the relaxed sheet with its numbers; energies of the force field are no labels."""
    assert sheet.relaxed is not None  # noqa: S101  # it converged
    frame = sheet.relaxed.copy()
    frame.info = {"name": sheet.name, "rank": rank, "energy_per_atom": sheet.energy}
    for name in ("formation_energy", "energy_above_hull"):
        if np.isfinite(getattr(sheet, name)):
            frame.info[name] = getattr(sheet, name)
    return frame
