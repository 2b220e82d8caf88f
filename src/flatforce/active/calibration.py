"""How far forces may be off: a spread that ranks errors, calibrated on errors that were seen.

Quantiles of |error| / spread on held-out atoms turn a spread into intervals that hold at their level whatever the shape of the errors
(split conformal prediction: Papadopoulos et al. 2002; for force fields: Hu et al., Mach. Learn. Sci. Technol. 3, 045028, 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import t as student

from flatforce.core.errors import DataError
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Prediction

LEVELS: Final = (0.5, 0.68, 0.8, 0.9, 0.95)
"""Coverage at which intervals are calibrated."""

LEAST_SPREAD: Final = 1e-4
"""eV/Å, or a distance. Spread below which members agree by symmetry or by chance, and a ratio says nothing."""

FEWEST: Final = 40
"""Atoms below which a 95 % quantile is no more than its largest two."""


@dataclass(frozen=True)
class Calibration:
    """Factors between a spread and the error of the forces."""

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
            (N,) of a `Spread`.
        level
            Coverage, between the first and the last level.

        Returns
        -------
        (N,) eV/Å.
        """
        return np.asarray(np.interp(level, self.levels, self.factors) * np.maximum(spread, LEAST_SPREAD))


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
        (N,) of a `Spread`.

    Returns
    -------
    The calibration, with the finite-sample correction of conformal prediction.

    Raises
    ------
    DataError
        If there are too few atoms.
    """
    check_enough(len(errors))
    ratios = np.sort(errors / np.maximum(spread, LEAST_SPREAD))
    ranks = np.minimum(np.ceil(np.array(LEVELS) * (len(ratios) + 1)).astype(int), len(ratios)) - 1
    return Calibration(np.array(LEVELS), ratios[ranks], len(ratios))


def check_enough(n_atoms: int) -> None:
    """Refuse to calibrate on a handful of atoms.

    Parameters
    ----------
    n_atoms
        Held out.

    Raises
    ------
    DataError
        If they are too few.
    """
    if n_atoms < FEWEST:
        raise DataError(
            f"{n_atoms} atoms are too few to calibrate an uncertainty.",
            why=f"at least {FEWEST} held-out atoms are needed",
            fix="begin with more frames, or hold more of them out: a larger `calibration_fraction`, or `calibration_folds`",
        )


def coverage(calibration: Calibration, errors: FloatArray, spread: FloatArray) -> FloatArray:
    """Count how often errors stay within their intervals.

    Parameters
    ----------
    calibration
        Found on other atoms.
    errors
        (N,) eV/Å.
    spread
        (N,) of a `Spread`.

    Returns
    -------
    (L,) share at each level of the calibration: the reliability curve.
    """
    bounds = calibration.factors[:, None] * np.maximum(spread, LEAST_SPREAD)[None, :]
    return np.asarray((errors[None, :] <= bounds).mean(axis=1))


def level_margins(
    calibration: Calibration, errors: Sequence[FloatArray], spread: Sequence[FloatArray]
) -> FloatArray:
    """Tell how sharply the levels are fixed: atoms of one frame, or trajectory, err together, so those count and not atoms.

    Parameters
    ----------
    calibration
        Found on these frames.
    errors
        (N,) eV/Å of each frame, or trajectory.
    spread
        (N,) of each.

    Returns
    -------
    (L,) half width of the 95 % interval of the share of forces that is held, by its scatter over frames (Liang and Zeger,
    Biometrika 73, 13, 1986) and Student's t; NaN for one.
    """
    n = len(errors)
    if n < 2:
        return np.full(len(calibration.levels), np.nan)
    held = np.array([coverage(calibration, e, s) for e, s in zip(errors, spread, strict=True)])
    weights = np.array([len(one) for one in errors], dtype=float)[:, None]
    off = weights * (held - (weights * held).sum(axis=0) / weights.sum()) / weights.sum()
    return np.asarray(student.ppf(0.975, n - 1) * np.sqrt(n / (n - 1) * (off**2).sum(axis=0)))
