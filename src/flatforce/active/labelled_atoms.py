"""Atoms of labelled frames on which calibrated intervals are tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.active.calibration import REPORTED_LEVELS, Calibration
from flatforce.data.frames import config_type
from flatforce.data.splits import group_correlated_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.active.environments import CalibratedEnvironments
    from flatforce.core.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class LabelledAtoms:
    """Atoms of labelled frames that no member was trained on: errors, uncertainties, and who has an interval."""

    error: FloatArray
    """(N,) eV/Å, norm of the error of the force on each atom."""
    uncertainty: FloatArray
    """(N,) uncalibrated estimate."""
    outside: BoolArray
    """(N,) whether the environment is unlike any in the calibration set: no interval."""
    config_type: NDArray[Any]
    """(N,) config type of the frame."""
    symbol: NDArray[Any]
    """(N,) chemical symbol."""
    group: NDArray[Any]
    """(N,) number of the independent frame or trajectory."""

    @classmethod
    def collect(
        cls,
        frames: Sequence[Atoms],
        errors: FloatArray,
        uncertainties: FloatArray,
        *,
        environments: CalibratedEnvironments,
        training_set: Sequence[Atoms] = (),
    ) -> LabelledAtoms:
        """Collect the atoms of frames.

        Parameters
        ----------
        frames
            Labelled frames.
        errors
            (N,) eV/Å, of the atoms of all frames.
        uncertainties
            (N,) uncalibrated, of the same atoms.
        environments
            Environments of the calibration set.
        training_set
            Frames of the training set, or of other subsets: a trajectory with frames there was split, and counts frame by frame.

        Returns
        -------
        The atoms of all frames, in their order.
        """
        groups = group_correlated_frames(frames, other_subset=training_set)
        group_of = {index: number for number, group in enumerate(groups) for index in group}
        sizes = [len(frame) for frame in frames]
        return cls(
            error=errors,
            uncertainty=uncertainties,
            outside=np.concatenate(environments.is_outside(frames)),
            config_type=np.repeat([config_type(frame) for frame in frames], sizes),
            symbol=np.concatenate([frame.get_chemical_symbols() for frame in frames]),
            group=np.repeat([group_of[index] for index in range(len(frames))], sizes),
        )

    def arrays(self, calibration: Calibration) -> dict[str, NDArray[Any]]:
        """Return errors and intervals for `arrays.npz`.

        Parameters
        ----------
        calibration
            Conformal scale factors.

        Returns
        -------
        `force_error` (N,) eV/Å, norm of the error of each atom; `force_interval_68` and `force_interval_95` (N,) eV/Å, half widths,
        NaN for atoms outside the calibration set; `outside` (N,) bool; `interval_group` and `interval_symbol` (N,), config type and
        element of each atom.
        """
        intervals = {
            f"force_interval_{100 * level:.0f}": np.where(
                self.outside, np.nan, calibration.interval(self.uncertainty, level)
            )
            for level in REPORTED_LEVELS
        }
        return {
            "force_error": self.error,
            **intervals,
            "outside": self.outside,
            "interval_group": self.config_type,
            "interval_symbol": self.symbol,
        }
