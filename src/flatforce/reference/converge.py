"""How fine DFT has to be: cutoff, k grid and vacuum, one after the other, on one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError
from flatforce.core.progress import Progress, silent
from flatforce.reference.config import label_key
from flatforce.reference.label import label
from flatforce.reference.tasks import read_outcome
from flatforce.structures.sheet import as_slab, check_sheet, thickness

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.reference.config import ConvergeConfig, LabelConfig, Settings

SCANNED = ("cutoff", "k_length", "vacuum")
"""Names of the scans; the vacuum is between nuclei, the others are keys of the settings."""


@dataclass(frozen=True)
class Scan:
    """One setting changed, the others as given."""

    name: str
    """`cutoff`, `k_length` or `vacuum`."""
    values: FloatArray
    """(V,) rising; the last is the reference."""
    force_errors: FloatArray
    """(V,) meV/Å, largest change of a force component; NaN where the calculation failed."""
    energy_errors: FloatArray
    """(V,) meV/atom; of a cutoff and a k grid, for total energies."""
    seconds: FloatArray
    """(V,) wall time."""
    chosen: float | None
    """The least value from which on all errors are within the tolerance; None if only the last is, which proves
    nothing."""


def converge(
    frame: Atoms,
    config: LabelConfig,
    *,
    cache: Path,
    progress: Progress = silent,
) -> list[Scan]:
    """Scan cutoff, k grid and vacuum on one frame.

    Parameters
    ----------
    frame
        A sheet with forces that matter: rattled, or with the defect in question.
    config
        Settings that a scan starts from, what is tried, and how the machine is used.
    cache
        Folder of labels; a second run does no work.
    progress
        Told after each calculation.

    Returns
    -------
    The three scans.

    Raises
    ------
    ConfigError
        If the engine has no cutoff.
    """
    check_sheet(frame)
    base, scans = config.settings, config.converge
    if not hasattr(base, "cutoff"):
        raise ConfigError(
            f"The engine {base.engine} has no cutoff and k grid.", fix="use gpaw, vasp or espresso"
        )
    values = {name: _values(frame, base, scans, name) for name in SCANNED}
    jobs = [_changed(frame, base, name, value) for name in SCANNED for value in values[name]]
    structures, settings = [job[0] for job in jobs], [job[1] for job in jobs]
    label(structures, config, cache=cache, settings=settings, progress=progress)
    keys = iter([label_key(*job) for job in jobs])
    return [
        _scan(name, values[name], [read_outcome(cache / f"{next(keys)}.json") for _ in values[name]], scans)
        for name in SCANNED
    ]


def _scan(
    name: str, values: list[float], outcomes: list[dict[str, Any] | None], scans: ConvergeConfig
) -> Scan:
    done = [o if o is not None and o["status"] == "done" else None for o in outcomes]
    finest = done[-1]
    forces, energies, times = np.full((3, len(values)), np.nan)
    for i, outcome in enumerate(done):
        if outcome is None or finest is None:
            continue
        change = np.array(outcome["forces"]) - np.array(finest["forces"])
        forces[i] = 1e3 * np.abs(change).max()
        energies[i] = 1e3 * (outcome["energy"] - finest["energy"]) / len(change)
        times[i] = outcome["wall_time"]
    good = forces <= scans.tolerance  # NaN is not
    first = len(values) - int(np.argmin(np.append(good[::-1], False)))
    chosen = values[first] if first < len(values) - 1 else None
    return Scan(name, np.array(values), forces, energies, times, chosen)


def _values(frame: Atoms, base: Any, scans: ConvergeConfig, name: str) -> list[float]:
    given: list[float] = sorted(getattr(scans, name))
    if given:
        return given
    if name == "vacuum":
        gap = float(frame.cell[2, 2]) - thickness(frame)
        return [round(f * gap, 2) for f in (0.7, 0.85, 1.0, 1.3, 1.7)]
    factors = (0.75, 0.875, 1.0, 1.25, 1.5) if name == "cutoff" else (0.5, 0.75, 1.0, 1.5, 2.0)
    return [round(f * getattr(base, name), 2) for f in factors]


def _changed(frame: Atoms, base: Settings, name: str, value: float) -> tuple[Atoms, Settings]:
    if name == "vacuum":
        return as_slab(frame, gap=value), base
    return frame, base.model_copy(update={name: value})
