"""Result of the phonons of a pristine sheet, and the files that phonopy's own command line reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from flatforce.core.files import write_atomically
from flatforce.core.outcome import Outcome
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.properties.phonons.phonopy_files import write_phonopy
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.force_constants.engines import EngineReport
    from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals

STRESS_TOLERANCE: Final = 0.02
"""N/m. A smaller membrane stress counts as zero: twice what a relaxation leaves by default."""

MAX_RESIDUAL_FORCE: Final = 0.01
"""eV/Å. A larger residual force means that the sheet was not relaxed."""

MAX_LISTED_MODES: Final = 36
"""Largest number of modes at Γ that become metrics."""

RESIDUAL_UNITS: Final = {"translation": "eV/Å²", "permutation": "eV/Å²", "rotation": "eV/Å", "huang": "eV"}
"""Unit of the residual of each sum rule."""

ENFORCED_RULES: Final = ("translation", "rotation")
"""Sum rules that are enforced on cells with a defect, whose residuals are their metrics."""


@dataclass(frozen=True, repr=False)
class PristinePhonons(Outcome):
    """Phonons of a pristine sheet."""

    kind: ClassVar[str] = "phonons"

    phonon: Phonopy
    """The phonopy object, with its force constants."""
    labels: list[str]
    """(P) names of the special points of the band path."""
    ticks: FloatArray
    """(P) 1/Å, positions of the special points along the path."""
    distance: FloatArray
    """(Q) 1/Å, position of each q point along the path."""
    bands: FloatArray
    """(Q, 3n) THz, frequencies; imaginary ones as negative numbers."""
    frequency: FloatArray
    """(G) THz, grid of the densities of states."""
    dos: FloatArray
    """(G) states/THz per primitive cell, density of states."""
    pdos: FloatArray
    """(n, 3, G) states/THz, density of states projected onto each atom and Cartesian axis."""
    symbols: list[str]
    """(n) species of the primitive cell."""
    gamma: FloatArray
    """(3n) THz, frequencies at Γ."""
    za_exponent: float
    """Exponent of the dispersion of the flexural branch near Γ; NaN where that branch is imaginary."""
    min_frequency: float
    """THz, lowest frequency on the path and the mesh; imaginary as a negative number."""
    thermal: FloatArray
    """(T, 4) temperature in K, free energy in kJ/mol, entropy and heat capacity in J/K/mol, per primitive cell."""
    residuals_before: SumRuleResiduals
    """Residuals of the sum rules before they were enforced."""
    residuals_after: SumRuleResiduals
    """Residuals of the sum rules after they were enforced."""
    engine_report: EngineReport
    """How the force constants were computed."""
    membrane_stress: float
    """N/m, largest component; the flexural branch of a stretched sheet is linear."""

    @property
    def metrics(self) -> dict[str, float]:
        """Extreme frequencies, flexural exponent, residual force and stress, modes at Γ, residuals of the sum rules."""
        gamma = self.gamma if len(self.gamma) <= MAX_LISTED_MODES else self.gamma[:0]
        gamma_modes = {f"gamma_{i + 1}": float(f * THZ_IN_INVERSE_CM) for i, f in enumerate(gamma)}
        return {
            "min_frequency": self.min_frequency,
            "max_frequency": float(self.bands.max()),
            "za_exponent": self.za_exponent,
            "residual_force": self.engine_report.residual_force,
            "membrane_stress": self.membrane_stress,
            **gamma_modes,
            **residual_metrics(self.residuals_before, "before", tuple(RESIDUAL_UNITS)),
            **residual_metrics(self.residuals_after, "after", tuple(RESIDUAL_UNITS)),
        }

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # read only
        """Unit of each metric."""
        fixed = {
            "min_frequency": "THz",
            "max_frequency": "THz",
            "za_exponent": "",
            "residual_force": "eV/Å",
            "membrane_stress": "N/m",
            **residual_units(tuple(RESIDUAL_UNITS)),
        }
        return {name: fixed.get(name, "cm⁻¹") for name in self.metrics}

    @property
    def problems(self) -> list[str]:
        """An instability, or a sheet that was not relaxed."""
        problems = []
        if self.min_frequency < IMAGINARY:
            problems.append(f"imaginary modes down to {self.min_frequency:.3f} THz")
        force = self.engine_report.residual_force
        if force > MAX_RESIDUAL_FORCE:
            problems.append(f"the sheet was not relaxed: the residual force is {force:.3f} eV/Å")
        return problems

    @property
    def notes(self) -> list[str]:
        """A membrane stress, for which the Huang conditions do not hold."""
        if self.membrane_stress < STRESS_TOLERANCE:
            return []
        stress = f"the membrane stress of the sheet is {self.membrane_stress:.2f} N/m"
        return [f"{stress}: the Huang conditions do not hold and were not enforced"]

    @property
    def details(self) -> dict[str, Any]:
        """How the force constants were computed, and the largest difference of the row that was checked."""
        return {
            "engine": self.engine_report.engine,
            "row_check_difference": self.engine_report.row_check_difference,
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that the figures need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {
            "ticks": self.ticks,
            "labels": np.array(self.labels),
            "distance": self.distance,
            "bands": self.bands,
            "frequency": self.frequency,
            "dos": self.dos,
            "pdos": self.pdos,
            "symbols": np.array(self.symbols),
            "thermal": self.thermal,
        }

    def files(self, folder: Path) -> None:
        """Write the files that phonopy's own command line reads.

        Parameters
        ----------
        folder
            Result folder.
        """
        write_phonopy_files(self, folder)


def residual_metrics(residuals: SumRuleResiduals, stage: str, rules: tuple[str, ...]) -> dict[str, float]:
    """Name the residuals of some sum rules as metrics.

    Parameters
    ----------
    residuals
        Residuals of the sum rules.
    stage
        `before` or `after` the rules were enforced.
    rules
        Names of the rules.

    Returns
    -------
    Name of the metric, such as `translation_residual_before` → residual.
    """
    return {f"{rule}_residual_{stage}": float(getattr(residuals, rule)) for rule in rules}


def residual_units(rules: tuple[str, ...]) -> dict[str, str]:
    """Give the units of the metrics that `residual_metrics` returns.

    Parameters
    ----------
    rules
        Names of the rules.

    Returns
    -------
    Name of each metric of the residuals → its unit, such as eV/Å².
    """
    return {
        f"{rule}_residual_{stage}": RESIDUAL_UNITS[rule] for rule in rules for stage in ("before", "after")
    }


def write_phonopy_files(phonons: PristinePhonons, folder: Path) -> None:
    """Write the files that phonopy's own command line reads.

    Parameters
    ----------
    phonons
        Phonons of a pristine sheet.
    folder
        Folder of `phonopy.yaml`, `force_constants.hdf5`, `band.yaml` and the DOS files.
    """
    phonon = phonons.phonon
    folder.mkdir(parents=True, exist_ok=True)
    write_phonopy(phonon, folder, with_constants=True)
    writers: dict[str, Callable[..., None]] = {
        "band.yaml": phonon.write_yaml_band_structure,
        "total_dos.dat": phonon.write_total_dos,
        "projected_dos.dat": phonon.write_projected_dos,
        "thermal_properties.yaml": phonon.write_yaml_thermal_properties,
    }
    for name, write in writers.items():
        write_atomically(folder / name, partial(_write, write))


def _write(write: Callable[..., None], path: Path) -> None:
    write(filename=path)
