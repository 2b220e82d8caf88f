"""Errors of a force field against DFT labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.outcome import Outcome
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


@dataclass(frozen=True, repr=False)
class Evaluation(Outcome):
    """Errors over all frames, by config type and by element."""

    kind: ClassVar[str] = "evaluate"

    model: str
    """Spec of the force field."""
    comparison: Comparison
    """Labels and predictions of all frames."""
    errors: dict[str, float]
    """Metric → error over all frames, with the names and units of `ERROR_UNITS`."""
    config_type_errors: dict[str, dict[str, float]]
    """Config type → metric → error, with the names and units of `ERROR_UNITS`."""
    element_force_mae: dict[str, float]
    """Element → mean absolute error of the force components on its atoms, meV/Å."""

    units = ERROR_UNITS

    @property
    def metrics(self) -> dict[str, float]:
        """Errors over all frames."""
        return self.errors

    @property
    def details(self) -> dict[str, Any]:
        """Model, number of frames, and the errors by config type and by element."""
        return {
            "model": self.model,
            "config_type": self.config_type_errors,
            "element_force_mae": self.element_force_mae,
            "n_frames": self.comparison.energy.shape[1],
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the labels and predictions of the parity plots.

        Returns
        -------
        `energy` (2, F) eV/atom, `forces` (2, A, 3) eV/Å, `stress` (2, S, 3) N/m, labels first; the config type of each
        (`frame_group`, `atom_group`, `stress_group`) and the element of each atom (`atom_symbol`).
        """
        comparison = self.comparison
        return {
            "energy": comparison.energy,
            "forces": comparison.forces,
            "stress": comparison.stress,
            "frame_group": np.array(comparison.frame_group),
            "atom_group": np.array(comparison.atom_group),
            "atom_symbol": np.array(comparison.atom_symbol),
            "stress_group": np.array(comparison.stress_group),
        }


def evaluate(potential: Potential, frames: Sequence[Atoms], *, progress: Progress = silent) -> Evaluation:
    """Compare the predictions of a force field with labels.

    Parameters
    ----------
    potential
        The force field.
    frames
        Labelled frames.
    progress
        Called after each batch.

    Returns
    -------
    Errors over all frames, by config type and by element.
    """
    comparison = compare(frames, potential.evaluate(frames, progress=progress))
    config_types = sorted(set(comparison.frame_group))
    return Evaluation(
        model=potential.spec,
        comparison=comparison,
        errors=error_metrics(comparison),
        config_type_errors={name: error_metrics(comparison, group=name) for name in config_types},
        element_force_mae=element_force_errors(comparison),
    )
