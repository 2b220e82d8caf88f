"""Relaxation of many materials by a force field, against where DFT relaxed them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from flatforce.core.errors import DataError, GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.data.frames import get_labels, material_of
from flatforce.properties.benchmark.reference_energies import energy_shifts_from_other_materials
from flatforce.properties.relax import relax_many
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.sheet import area
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

UNITS: Final = {
    "energy_mae": "meV/atom",
    "energy_median_ae": "meV/atom",
    "energy_r2": "1",
    "area_mae": "Å²/atom",
    "area_median_ae": "Å²/atom",
    "area_r2": "1",
    "converged_fraction": "1",
    "failed_fraction": "1",
    "n_materials": "1",
    "mean_steps": "1",
}


@dataclass(frozen=True)
class Material:
    """Where DFT began and ended."""

    name: str
    start: Atoms
    relaxed: Atoms
    """Labelled."""


@dataclass(frozen=True)
class Row:
    """One material."""

    material: str
    elements: list[str]
    space_group: str
    """Of the sheet that DFT relaxed, international symbol."""
    dft: tuple[float, float]
    """Energy (eV/atom) and area (Å²/atom) by DFT."""
    found: tuple[float, float] | None
    """The same by the force field; None if it failed."""
    converged: bool
    n_steps: int
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class RelaxationScore:
    """The materials and what is to be said of them."""

    rows: list[Row]
    references: dict[str, float]
    """Species → eV that was added to the force field's energies."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know of the references."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers.

        Means are over those that did not fail, medians count a failure as an infinite error; a material whose energy has
        no reference counts for its area alone.
        """
        both = np.array([(row.dft, row.found) for row in self.rows if row.found is not None]).reshape(
            -1, 2, 2
        )
        failed = len(self.rows) - len(both)
        steps = [row.n_steps for row in self.rows if row.found is not None]
        metrics: dict[str, float] = {}
        for k, (name, scale) in enumerate((("energy", 1e3), ("area", 1.0))):
            dft, found = both[np.isfinite(both[:, 1, k])][:, :, k].T
            error = scale * np.abs(found - dft)
            every = np.concatenate([error, np.full(failed, np.inf)])
            median = np.median(every) if len(every) else np.nan
            metrics[f"{name}_mae"] = float(error.mean()) if len(error) else float("nan")
            metrics[f"{name}_median_ae"] = float(median)
            spread = float(((dft - dft.mean()) ** 2).sum()) if len(dft) else 0.0
            if spread > 0:
                metrics[f"{name}_r2"] = float(1 - ((found - dft) ** 2).sum() / spread)
        return metrics | {
            "converged_fraction": float(np.mean([row.converged for row in self.rows])),
            "failed_fraction": failed / len(self.rows),
            "n_materials": float(len(self.rows)),
            "mean_steps": float(np.mean(steps)) if steps else float("nan"),
        }

    def by(self, key: Literal["element", "space_group"]) -> dict[str, dict[str, float]]:
        """Average errors over the materials that share something.

        Parameters
        ----------
        key
            What they share.

        Returns
        -------
        Element or space group → `energy_mae` (meV/atom), `area_mae` (Å²/atom), `n` and `n_failed`.
        """
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            for name in row.elements if key == "element" else [row.space_group]:
                groups.setdefault(name, []).append(row)
        table = {}
        for name, rows in sorted(groups.items()):
            errors = np.array(
                [np.abs(np.subtract(row.found, row.dft)) for row in rows if row.found is not None]
            )
            table[name] = {"n": float(len(rows)), "n_failed": float(len(rows) - len(errors))}
            if len(errors):
                energies = errors[np.isfinite(errors[:, 0]), 0]
                table[name]["area_mae"] = float(errors[:, 1].mean())
                if len(energies):
                    table[name]["energy_mae"] = 1e3 * float(energies.mean())
        return table

    def arrays(self) -> dict[str, FloatArray | Any]:
        """Numbers of every material.

        Returns
        -------
        `material` (M), `dft` and `found` (M, 2): eV/atom and Å²/atom, NaN where it failed.
        """
        nothing = (np.nan, np.nan)
        return {
            "material": np.array([row.material for row in self.rows]),
            "dft": np.array([row.dft for row in self.rows]),
            "found": np.array([row.found or nothing for row in self.rows]),
        }


def score_relaxations(
    potential: Potential,
    materials: Sequence[Material],
    config: RelaxationBenchmarkConfig,
    *,
    align: Sequence[Atoms] = (),
    progress: Progress = silent,
) -> RelaxationScore:
    """Relax every material and compare with DFT.

    Parameters
    ----------
    potential
        The force field.
    materials
        What to relax.
    config
        Settings.
    align
        Labelled frames by which reference energies are fitted; none for no such fit.
    progress
        Told after each material.

    Returns
    -------
    The score, materials in their order.
    """
    references, notes = energy_shifts_from_other_materials(potential, [one.relaxed for one in materials], align)
    starts = [one.relaxed if config.start == "relaxed" else one.start for one in materials]
    found = relax_many(potential, starts, config.relax, progress=progress)
    rows = []
    for one, end in zip(materials, found, strict=True):
        size = len(one.relaxed)
        symbols = one.relaxed.get_chemical_symbols()
        row = partial(
            Row,
            material=one.name,
            elements=sorted(set(symbols)),
            space_group=_space_group(one.relaxed),
            dft=(get_labels(one.relaxed, need_forces=False).energy / size, area(one.relaxed) / size),
        )
        if isinstance(end, FailedRelaxation):
            rows.append(row(found=None, converged=False, n_steps=0, reason=end.error.what))
            continue
        without = np.nan if references else 0.0
        energy = end.energy + sum(references.get(symbol, without) for symbol in symbols)
        pair = (energy / size, area(end.atoms) / size)
        rows.append(row(found=pair, converged=end.converged, n_steps=end.n_steps))
    return RelaxationScore(rows, references, notes)


def _space_group(sheet: Atoms) -> str:
    try:
        return find_symmetry(sheet, symprec=RELAXED_SYMPREC).international
    except GeometryError:
        return "unknown"


def collect_materials(frames: Sequence[Atoms]) -> list[Material]:
    """Find where DFT began and ended with each material.

    Parameters
    ----------
    frames
        Labelled frames with `material` in their info, and `step` in those of a relaxation.

    Returns
    -------
    By material and source. The end is the frame that says `relaxed`; a path without is left out, unless no path has
    one: then it is the last step.

    Raises
    ------
    DataError
        If no frame belongs to a relaxation.
    """
    paths: dict[tuple[str, str], list[Atoms]] = {}
    for frame in frames:
        if frame.info.get("step") is not None or frame.info.get("relaxed"):
            paths.setdefault((str(frame.info.get("source", "")), material_of(frame)), []).append(frame)
    if not paths:
        raise DataError(
            "None of the frames belongs to a relaxation.",
            why="a relaxation is told by `step`, or by `relaxed`, in the info of its frames",
            fix="import the relaxations with `flatforce data import`, which writes `step`",
        )
    said = any(frame.info.get("relaxed") for path in paths.values() for frame in path)
    found = []
    for (_, name), path in paths.items():
        path.sort(key=lambda frame: int(frame.info.get("step", 0)))
        ends = [frame for frame in path if frame.info.get("relaxed")] if said else path
        if ends:
            found.append(Material(name, path[0], ends[-1]))
    return found
