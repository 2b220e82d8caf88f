"""Convergence test of DFT settings: cutoff, k grid and vacuum, one after the other, on one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.errors import ConfigError
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.reference.keys import label_key
from flatforce.reference.label import label
from flatforce.reference.tasks import read_task_result
from flatforce.structures.sheet import as_slab, cell_height, check_sheet, thickness

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.reference.config import ConvergeConfig, LabelConfig, Settings

SCANNED = ("cutoff", "k_length", "vacuum")
"""Names of the scans; the vacuum is a property of the frame, the others are keys of the settings."""

SCAN_ARRAYS = ("values", "force_errors", "energy_errors", "wall_times")
"""Arrays of a scan that are stored."""

VACUUM_FACTORS = (0.7, 0.85, 1.0, 1.3, 1.7)
CUTOFF_FACTORS = (0.75, 0.875, 1.0, 1.25, 1.5)
K_LENGTH_FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Values tried by default, relative to those of the frame and the settings."""


@dataclass(frozen=True)
class Scan:
    """One setting varied while the others are fixed."""

    name: str
    """`cutoff`, `k_length` or `vacuum`."""
    values: FloatArray
    """(V,) values of the setting, increasing; the last is the reference."""
    force_errors: FloatArray
    """(V,) meV/Å, largest difference of a force component from the reference; NaN where the calculation failed."""
    energy_errors: FloatArray
    """(V,) meV/atom, difference of the energy from the reference."""
    wall_times: FloatArray
    """(V,) s, wall time of each calculation."""
    recommended: float | None
    """Smallest value from which on all force errors are within the tolerance; None if only that of the reference is, which
    proves nothing."""


@dataclass(frozen=True, repr=False)
class Convergence(Outcome):
    """Result of a convergence test."""

    kind: ClassVar[str] = "convergence"

    scans: list[Scan]
    """Scans of cutoff, k grid and vacuum."""
    tolerance: float
    """meV/Å, largest force error accepted."""
    cutoff_unit: str
    """Unit of the cutoff: eV or Ry."""

    @property
    def metrics(self) -> dict[str, float]:
        """Recommended value of each setting that is converged."""
        return {scan.name: scan.recommended for scan in self.scans if scan.recommended is not None}

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # depends on the engine
        """Unit of each setting."""
        return {"cutoff": self.cutoff_unit, "k_length": "Å", "vacuum": "Å"}

    @property
    def problems(self) -> list[str]:
        """Settings that are not converged."""
        return [
            f"{scan.name} is not converged to {self.tolerance:g} meV/Å below {scan.values[-1]:g} {self.units[scan.name]}"
            for scan in self.scans
            if scan.recommended is None
        ]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return values, errors and wall times of each scan.

        Returns
        -------
        Name → array, such as `cutoff_force_errors`.
        """
        return {f"{scan.name}_{name}": getattr(scan, name) for scan in self.scans for name in SCAN_ARRAYS}


def converge(
    frame: Atoms,
    config: LabelConfig,
    *,
    cache: Path,
    progress: Progress = silent,
) -> Convergence:
    """Vary cutoff, k grid and vacuum of one frame.

    Parameters
    ----------
    frame
        A sheet with forces, such as a rattled one or the relevant defect.
    config
        Settings from which the scans start, the values to try, and how the machine is used.
    cache
        Folder of labels; a second run computes nothing.
    progress
        Called after each calculation.

    Returns
    -------
    The three scans and the recommended values.

    Raises
    ------
    ConfigError
        If the engine has no cutoff.
    """
    check_sheet(frame)
    base, scans = config.settings, config.converge
    if not hasattr(base, "cutoff"):
        raise ConfigError(
            f"The engine {base.engine} has no cutoff and k grid.",
            fix="set settings: {engine: gpaw}, vasp or espresso",
        )
    values = {name: _scan_values(frame, base, scans, name) for name in SCANNED}
    jobs = [_vary(frame, base, name, value) for name in SCANNED for value in values[name]]
    structures, settings = [job[0] for job in jobs], [job[1] for job in jobs]
    label(structures, config, cache=cache, settings=settings, progress=progress)
    keys = iter([label_key(*job) for job in jobs])
    results = {
        name: [read_task_result(cache / f"{next(keys)}.json") for _ in values[name]] for name in SCANNED
    }
    return Convergence(
        [_evaluate_scan(name, values[name], results[name], scans.tolerance) for name in SCANNED],
        tolerance=scans.tolerance,
        cutoff_unit="Ry" if base.engine == "espresso" else "eV",
    )


def _evaluate_scan(
    name: str, values: list[float], results: list[dict[str, Any] | None], tolerance: float
) -> Scan:
    labels = [result if result is not None and result["status"] == "done" else None for result in results]
    finest = labels[-1]
    force_errors, energy_errors, wall_times = np.full((3, len(values)), np.nan)
    for i, result in enumerate(labels):
        if result is None or finest is None:
            continue
        difference = np.array(result["forces"]) - np.array(finest["forces"])
        force_errors[i] = 1e3 * np.abs(difference).max()
        energy_errors[i] = 1e3 * (result["energy"] - finest["energy"]) / len(difference)
        wall_times[i] = result["wall_time"]
    is_within = force_errors <= tolerance  # False for NaN
    first = len(values) - int(np.argmin(np.append(is_within[::-1], False)))
    recommended = values[first] if first < len(values) - 1 else None
    return Scan(name, np.array(values), force_errors, energy_errors, wall_times, recommended)


def _scan_values(frame: Atoms, base: Any, scans: ConvergeConfig, name: str) -> list[float]:
    configured: list[float] = sorted(getattr(scans, name))
    if configured:
        return configured
    if name == "vacuum":
        gap = cell_height(frame) - thickness(frame)
        return [round(factor * gap, 2) for factor in VACUUM_FACTORS]
    factors = CUTOFF_FACTORS if name == "cutoff" else K_LENGTH_FACTORS
    return [round(factor * getattr(base, name), 2) for factor in factors]


def _vary(frame: Atoms, base: Settings, name: str, value: float) -> tuple[Atoms, Settings]:
    if name == "vacuum":
        return as_slab(frame, gap=value), base
    return frame, base.model_copy(update={name: value})
