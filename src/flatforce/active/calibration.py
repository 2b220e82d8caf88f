"""Calibration of force uncertainties: factors that turn an estimate into intervals of known coverage.

The factors are quantiles of |error| / uncertainty on atoms of the calibration set. The intervals cover at their level
whatever the distribution of the errors (split conformal prediction: Papadopoulos et al. 2002; for force fields: Hu et al., Mach.
Learn. Sci. Technol. 3, 045028, 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import stdtrit

from flatforce.core.errors import DataError
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction

LEVELS: Final = (0.5, 0.68, 0.8, 0.9, 0.95)
"""Nominal coverage of the intervals that are calibrated."""

REPORTED_LEVELS: Final = (0.68, 0.95)
"""Levels whose intervals and coverage are reported by config type and element."""

MIN_UNCERTAINTY: Final = 1e-4
"""eV/Å, or a descriptor distance. A smaller value means that members agree by symmetry or by chance, and the ratio of an error
to it carries no information."""

MIN_ATOMS: Final = 40
"""Atoms below which a 95 % quantile rests on the two largest ratios only."""


@dataclass(frozen=True)
class Calibration:
    """Conformal scale factors between uncertainties and errors of forces."""

    levels: FloatArray
    """(L,) nominal coverage."""
    factors: FloatArray
    """(L,) conformal scale factors: at each level the error is below factor × uncertainty."""
    n_atoms: int
    """Number of atoms in the calibration set."""

    def interval(self, uncertainty: FloatArray, level: float) -> FloatArray:
        """Return the half width of the interval of each force at a level.

        Parameters
        ----------
        uncertainty
            (N,) estimates of a `ForceUncertainty`.
        level
            Nominal coverage, between the first and the last of `levels`.

        Returns
        -------
        (N,) eV/Å; the norm of the force error is below it with probability `level`.
        """
        factor = np.interp(level, self.levels, self.factors)
        return np.asarray(factor * np.maximum(uncertainty, MIN_UNCERTAINTY))


def atom_errors(frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> FloatArray:
    """Compute the error of the force on each atom.

    Parameters
    ----------
    frames
        Labelled frames.
    predictions
        One for each frame.

    Returns
    -------
    (N,) eV/Å, norm of the difference between predicted and labelled force, atoms of all frames concatenated.
    """
    return np.concatenate(
        [
            np.linalg.norm(prediction.forces - get_labels(frame).forces, axis=1)
            for frame, prediction in zip(frames, predictions, strict=True)
        ]
    )


def calibrate(errors: FloatArray, uncertainty: FloatArray) -> Calibration:
    """Compute the conformal scale factors on a calibration set.

    Parameters
    ----------
    errors
        (N,) eV/Å, errors on frames that no member was trained on.
    uncertainty
        (N,) estimates of a `ForceUncertainty` on the same atoms.

    Returns
    -------
    The factors, with the finite-sample correction of conformal prediction.

    Raises
    ------
    DataError
        If there are too few atoms.
    """
    check_atom_count(len(errors))
    ratios = np.sort(errors / np.maximum(uncertainty, MIN_UNCERTAINTY))
    ranks = np.minimum(np.ceil(np.array(LEVELS) * (len(ratios) + 1)).astype(int), len(ratios)) - 1
    return Calibration(np.array(LEVELS), ratios[ranks], len(ratios))


def check_atom_count(n_atoms: int) -> None:
    """Refuse to calibrate on too few atoms.

    Parameters
    ----------
    n_atoms
        Number of atoms in the calibration set.

    Raises
    ------
    DataError
        If they are too few.
    """
    if n_atoms < MIN_ATOMS:
        raise DataError(
            f"The calibration set has {n_atoms} atoms, which are too few to calibrate an uncertainty.",
            why=f"at least {MIN_ATOMS} atoms are needed",
            fix="add frames to `initial`, or hold more of them out: a larger `calibration_fraction`, or `calibration_folds: 4`",
        )


def empirical_coverage(calibration: Calibration, errors: FloatArray, uncertainty: FloatArray) -> FloatArray:
    """Compute the fraction of errors that lie within their calibrated intervals.

    Parameters
    ----------
    calibration
        Calibration on other atoms.
    errors
        (N,) eV/Å.
    uncertainty
        (N,) estimates of a `ForceUncertainty` on the same atoms.

    Returns
    -------
    (L,) fraction of the N atoms at each level of the calibration: the reliability diagram.
    """
    bounds = calibration.factors[:, None] * np.maximum(uncertainty, MIN_UNCERTAINTY)[None, :]
    return np.asarray((errors[None, :] <= bounds).mean(axis=1))


def coverage_tolerance(
    calibration: Calibration, errors: Sequence[FloatArray], uncertainty: Sequence[FloatArray]
) -> FloatArray:
    """Estimate how far the coverage may be from its nominal level because the calibration set is small.

    Errors of atoms in one frame, or in one trajectory, are correlated. The number of frames or trajectories counts, not the
    number of atoms.

    Parameters
    ----------
    calibration
        Calibration on these frames.
    errors
        (N,) eV/Å, for each frame or trajectory.
    uncertainty
        (N,) estimates of a `ForceUncertainty`, for each frame or trajectory.

    Returns
    -------
    (L,) half width of the 95 % confidence interval of the coverage at each level, by its scatter over frames (Liang and Zeger,
    Biometrika 73, 13, 1986) and Student's t; NaN for a single frame or trajectory. The scatter counts as at least that of
    independent atoms, since two frames may agree by chance.
    """
    n = len(errors)
    if n < 2:
        return np.full(len(calibration.levels), np.nan)
    coverages = np.array(
        [empirical_coverage(calibration, e, u) for e, u in zip(errors, uncertainty, strict=True)]
    )
    weights = np.array([len(atoms) for atoms in errors], dtype=float)[:, None]
    deviations = weights * (coverages - (weights * coverages).sum(axis=0) / weights.sum()) / weights.sum()
    scatter = n / (n - 1) * (deviations**2).sum(axis=0)
    levels = np.asarray(calibration.levels)
    independent = levels * (1 - levels) / weights.sum()
    return np.asarray(stdtrit(n - 1, 0.975) * np.sqrt(np.maximum(scatter, independent)))
