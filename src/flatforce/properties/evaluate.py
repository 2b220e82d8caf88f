"""Errors of a force field against DFT labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.models.errors import (
    ERROR_UNITS,
    Comparison,
    compare,
    element_force_errors,
    error_metrics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.models.potential import Potential


@dataclass(frozen=True)
class Evaluation:
    """Errors in all, per config type and per species."""

    comparison: Comparison
    metrics: dict[str, float]
    """Names and units as in `ERROR_UNITS`."""
    config_types: dict[str, dict[str, float]]
    force_mae_of: dict[str, float]
    """Species → meV/Å."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Labels and predictions, flat, with the group of each.
        """
        found = self.comparison
        return {
            "energy": found.energy,
            "forces": found.forces,
            "stress": found.stress,
            "frame_group": np.array(found.frame_group),
            "atom_group": np.array(found.atom_group),
            "atom_symbol": np.array(found.atom_symbol),
            "stress_group": np.array(found.stress_group),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return {name: ERROR_UNITS[name] for name in self.metrics}


def evaluate(potential: Potential, frames: Sequence[Atoms], *, progress: Progress = silent) -> Evaluation:
    """Compare a force field with labels.

    Parameters
    ----------
    potential
        The force field.
    frames
        Labelled frames.
    progress
        Told after each batch.

    Returns
    -------
    The errors.
    """
    found = compare(frames, potential.evaluate(frames, progress=progress))
    groups = {name: error_metrics(found, group=name) for name in sorted(set(found.frame_group))}
    return Evaluation(found, error_metrics(found), groups, element_force_errors(found))
