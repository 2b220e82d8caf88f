"""How far the forces of a committee may be off: spread of the members, calibrated on errors that were seen.

The spread of a few models trained on the same frames ranks errors well and sizes them badly. Quantiles of
|error| / spread on held-out atoms turn it into intervals that hold at their level whatever the shape of the errors
(split conformal prediction: Papadopoulos et al. 2002; for force fields: Hu et al., Mach. Learn. Sci. Technol. 3, 045028, 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import DataError, ModelError
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Prediction

LEVELS: Final = (0.5, 0.68, 0.8, 0.9, 0.95)
"""Coverage at which intervals are calibrated."""

LEAST_SPREAD: Final = 1e-4
"""eV/Å. Spread below which members agree by symmetry or by chance, and a ratio says nothing."""

FEWEST: Final = 40
"""Atoms below which a 95 % quantile is no more than its largest two."""


@dataclass(frozen=True)
class Calibration:
    """Factors between the spread of a committee and the error of its mean."""

    levels: FloatArray
    """(L,) coverage."""
    factors: FloatArray
    """(L,) at each level the error stays below factor × spread."""
    n_atoms: int
    """That it rests on."""

    def interval(self, spread: FloatArray, level: float) -> FloatArray:
        """Return what the error stays below.

        Parameters
        ----------
        spread
            (N,) eV/Å, of `atom_spread`.
        level
            Coverage, between the first and the last level.

        Returns
        -------
        (N,) eV/Å.
        """
        return np.asarray(np.interp(level, self.levels, self.factors) * np.maximum(spread, LEAST_SPREAD))


def atom_spread(prediction: Prediction) -> FloatArray:
    """Return the spread of a committee's forces, atom by atom.

    Parameters
    ----------
    prediction
        Of a committee.

    Returns
    -------
    (N,) eV/Å, root of the summed variances of the components.

    Raises
    ------
    ModelError
        If a single model made it.
    """
    if prediction.forces_std is None:
        raise ModelError(
            "A single model has no spread.", fix="give a committee: committee:a.model,b.model, or n_models: 4"
        )
    return np.asarray(np.linalg.norm(prediction.forces_std, axis=1))


def atom_errors(frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> FloatArray:
    """Return the error of each atom's force.

    Parameters
    ----------
    frames
        Labelled.
    predictions
        One a frame.

    Returns
    -------
    (N,) eV/Å, norm of the difference, all frames one after another.
    """
    return np.concatenate(
        [
            np.linalg.norm(one.forces - get_labels(frame).forces, axis=1)
            for frame, one in zip(frames, predictions, strict=True)
        ]
    )


def calibrate(errors: FloatArray, spread: FloatArray) -> Calibration:
    """Find the factors on held-out atoms.

    Parameters
    ----------
    errors
        (N,) eV/Å, of frames that no member has learnt.
    spread
        (N,) eV/Å.

    Returns
    -------
    The calibration, with the finite-sample correction of conformal prediction.

    Raises
    ------
    DataError
        If there are too few atoms.
    """
    if len(errors) < FEWEST:
        raise DataError(
            f"{len(errors)} atoms are too few to calibrate an uncertainty.",
            why=f"at least {FEWEST} held-out atoms are needed",
            fix="hold more frames out",
        )
    ratios = np.sort(errors / np.maximum(spread, LEAST_SPREAD))
    ranks = np.minimum(np.ceil(np.array(LEVELS) * (len(ratios) + 1)).astype(int), len(ratios)) - 1
    return Calibration(np.array(LEVELS), ratios[ranks], len(ratios))


def coverage(calibration: Calibration, errors: FloatArray, spread: FloatArray) -> FloatArray:
    """Count how often errors stay within their intervals.

    Parameters
    ----------
    calibration
        Found on other atoms.
    errors
        (N,) eV/Å.
    spread
        (N,) eV/Å.

    Returns
    -------
    (L,) share at each level of the calibration: the reliability curve.
    """
    bounds = calibration.factors[:, None] * np.maximum(spread, LEAST_SPREAD)[None, :]
    return np.asarray((errors[None, :] <= bounds).mean(axis=1))
