"""Result of a relaxation benchmark: energies and areas of relaxed materials against those of DFT."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

UNITS: Final = {
    "energy_mae": "meV/atom",
    "energy_median_ae": "meV/atom",
    "energy_r2": "",
    "area_mae": "Å²/atom",
    "area_median_ae": "Å²/atom",
    "area_r2": "",
    "converged_fraction": "",
    "failed_fraction": "",
    "n_materials": "",
    "mean_steps": "",
}

MAX_NAMES: Final = 5
"""Largest number of materials that a warning names."""

COLUMNS: Final = (
    "material",
    "space_group",
    "dft_energy",
    "energy",
    "dft_area",
    "area",
    "converged",
    "n_steps",
    "reason",
)
"""Columns of `materials.csv`; energies in eV/atom, areas in Å²/atom."""


@dataclass(frozen=True)
class MaterialResult:
    """Energy and area of one material, relaxed by DFT and by the force field."""

    material: str
    """Name of the material."""
    elements: list[str]
    """Species of the material."""
    space_group: str
    """International symbol of the space group of the sheet that DFT relaxed."""
    dft: tuple[float, float]
    """Energy (eV/atom) and area (Å²/atom) of the sheet that DFT relaxed."""
    predicted: tuple[float, float] | None
    """Energy and area of the sheet that the force field relaxed; None if the relaxation failed."""
    converged: bool
    """Whether the relaxation by the force field converged."""
    n_steps: int
    """Number of steps of that relaxation."""
    reason: str = ""
    """Reason of the failure."""


@dataclass(frozen=True, repr=False)
class RelaxationScore(Outcome):
    """Errors of relaxed energies and areas over a set of materials."""

    kind: ClassVar[str] = "relaxation benchmark"

    model: str
    """Spec of the force field."""
    rows: list[MaterialResult]
    """Result of each material."""
    reference_energies: dict[str, float]
    """Element → energy in eV per atom that was added to the energies of the force field."""
    reference_notes: list[str] = field(default_factory=list)
    """Warnings from the fit of the reference energies, and about materials that are no sheets."""

    units = UNITS

    @property
    def metrics(self) -> dict[str, float]:
        """Errors of energy and area, fractions of converged and failed relaxations, mean number of steps.

        Means are over the relaxations that did not fail; medians count a failure as an infinite error. A material without
        reference energies contributes to the errors of the area only.
        """
        pairs = np.array([(row.dft, row.predicted) for row in self.rows if row.predicted is not None])
        pairs = pairs.reshape(-1, 2, 2)
        n_failed = len(self.rows) - len(pairs)
        steps = [row.n_steps for row in self.rows if row.predicted is not None]
        metrics: dict[str, float] = {}
        for k, (name, scale) in enumerate((("energy", 1e3), ("area", 1.0))):
            dft, predicted = pairs[np.isfinite(pairs[:, 1, k])][:, :, k].T
            error = scale * np.abs(predicted - dft)
            with_failures = np.concatenate([error, np.full(n_failed, np.inf)])
            median = np.median(with_failures) if len(with_failures) else np.nan
            metrics[f"{name}_mae"] = float(error.mean()) if len(error) else float("nan")
            metrics[f"{name}_median_ae"] = float(median)
            total_squares = float(((dft - dft.mean()) ** 2).sum()) if len(dft) else 0.0
            if total_squares > 0:
                metrics[f"{name}_r2"] = float(1 - ((predicted - dft) ** 2).sum() / total_squares)
        return metrics | {
            "converged_fraction": float(np.mean([row.converged for row in self.rows])),
            "failed_fraction": n_failed / len(self.rows),
            "n_materials": float(len(self.rows)),
            "mean_steps": float(np.mean(steps)) if steps else float("nan"),
        }

    @property
    def problems(self) -> list[str]:
        """A warning where no relaxation succeeded."""
        if any(row.predicted is not None for row in self.rows):
            return []
        return ["The force field failed on every material."]

    @property
    def notes(self) -> list[str]:
        """Warnings from the fit of reference energies; materials that failed, did not converge, or did not move."""
        failed = [f"{row.material} ({row.reason})" for row in self.rows if row.predicted is None]
        unconverged = [row.material for row in self.rows if row.predicted and not row.converged]
        unmoved = [row.material for row in self.rows if row.predicted and row.n_steps == 0]
        warnings = list(self.reference_notes)
        for text, names in (
            ("failed", failed),
            ("did not converge", unconverged),
            ("took no step, since the start meets the convergence criteria", unmoved),
        ):
            if names:
                more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
                warnings.append(f"{len(names)} relaxations {text}: {', '.join(names[:MAX_NAMES])}{more}")
        return warnings

    @property
    def details(self) -> dict[str, Any]:
        """Model, errors by element and by space group, reference energies."""
        return {
            "model": self.model,
            "element": self.by("element"),
            "space_group": self.by("space_group"),
            "reference_energies": self.reference_energies,
        }

    def by(self, key: Literal["element", "space_group"]) -> dict[str, dict[str, float]]:
        """Average the errors over the materials of each element or space group.

        Parameters
        ----------
        key
            Property by which the materials are grouped.

        Returns
        -------
        Element or space group → `energy_mae` (meV/atom), `area_mae` (Å²/atom), `n` and `n_failed`.
        """
        groups: dict[str, list[MaterialResult]] = {}
        for row in self.rows:
            for name in row.elements if key == "element" else [row.space_group]:
                groups.setdefault(name, []).append(row)
        table = {}
        for name, rows in sorted(groups.items()):
            errors = np.array(
                [np.abs(np.subtract(row.predicted, row.dft)) for row in rows if row.predicted is not None]
            )
            table[name] = {"n": float(len(rows)), "n_failed": float(len(rows) - len(errors))}
            if len(errors):
                energy_errors = errors[np.isfinite(errors[:, 0]), 0]
                table[name]["area_mae"] = float(errors[:, 1].mean())
                if len(energy_errors):
                    table[name]["energy_mae"] = 1e3 * float(energy_errors.mean())
        return table

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return energies and areas of all materials.

        Returns
        -------
        `material` (M) names; `dft` and `predicted` (M, 2) energy in eV/atom and area in Å²/atom, NaN where the relaxation failed.
        """
        missing = (np.nan, np.nan)
        return {
            "material": np.array([row.material for row in self.rows]),
            "dft": np.array([row.dft for row in self.rows]),
            "predicted": np.array([row.predicted or missing for row in self.rows]),
        }

    def files(self, folder: Path) -> None:
        """Write `materials.csv`, one line for each material.

        Parameters
        ----------
        folder
            Result folder.
        """
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in self.rows:
            energy, area = row.predicted or ("", "")
            columns = {"dft_energy": row.dft[0], "dft_area": row.dft[1], "energy": energy, "area": area}
            writer.writerow(asdict(row) | columns)
        write_text(folder / "materials.csv", buffer.getvalue())
