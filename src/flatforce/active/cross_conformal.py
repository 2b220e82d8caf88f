"""Calibration by cross-validation folds: nearly every labelled frame calibrates the uncertainty.

Each fold is a committee that was trained without some of the labelled frames; all folds together are the force field (cross-conformal
prediction: Vovk, Ann. Math. Artif. Intell. 74, 9, 2015). The score of a frame is |error| / uncertainty of the committee that
was not trained on it. Fewer members estimate a noisier standard deviation, so that the scores of a fold are too widely
distributed for the whole force field: log(|error| / uncertainty of the fold) = log(|error| / uncertainty of the whole) −
log(uncertainty of the fold / uncertainty of the whole). The last term is known on any frame, labelled or not. It is taken as
independent of the rest, and its mean and variance are subtracted from those of the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.active.calibration import MIN_UNCERTAINTY, atom_errors, calibrate, coverage_tolerance
from flatforce.active.coverage import CalibratedUncertainty
from flatforce.active.environments import calibrated_environments
from flatforce.data.splits import group_correlated_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.uncertainty import ForceUncertainty
    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction


@dataclass(frozen=True)
class UncertainModel:
    """A force field with an estimate of the uncertainty of its forces."""

    potential: Potential
    """A committee, or a single model."""
    uncertainty: ForceUncertainty
    """Estimates the uncertainty of its forces, up to a factor."""

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[list[Prediction], list[FloatArray]]:
        """Predict forces and their uncertainty.

        Parameters
        ----------
        frames
            Structures.

        Returns
        -------
        The predictions, and (N,) uncalibrated uncertainties, one array for each frame.
        """
        predictions = self.potential.evaluate(list(frames), stress=False)
        uncertainties = self.uncertainty(frames, predictions)
        return predictions, [np.maximum(values, MIN_UNCERTAINTY) for values in uncertainties]


@dataclass(frozen=True)
class Fold(UncertainModel):
    """A committee with its calibration set and its training set."""

    calibration_set: Sequence[Atoms] = ()
    """Labelled frames that no member of it was trained on."""
    training_set: Sequence[Atoms] = ()
    """Frames that its members were trained on."""


def calibrate_folds(
    folds: Sequence[Fold], frames: Sequence[Atoms], uncertainty: Sequence[FloatArray]
) -> CalibratedUncertainty:
    """Calibrate the uncertainty of a force field on the calibration sets of its folds.

    The errors of the whole force field are taken as those of its folds, which are slightly larger.

    Parameters
    ----------
    folds
        The folds; a single one is the whole force field.
    frames
        Frames that no fold was trained on; their labels are not read.
    uncertainty
        (N,) uncalibrated uncertainties of the whole force field, one array for each of `frames`.

    Returns
    -------
    The calibration, the tolerance of its coverage (see `coverage_tolerance`), and the environments of the calibration sets.
    """
    errors: list[FloatArray] = []
    uncertainties: list[FloatArray] = []
    groups: list[list[Atoms]] = []
    for fold in folds:
        predictions, estimates = fold.evaluate(fold.calibration_set)
        for group in group_correlated_frames(fold.calibration_set, other_subset=fold.training_set):
            groups.append([fold.calibration_set[k] for k in group])
            errors.append(atom_errors(groups[-1], [predictions[k] for k in group]))
            uncertainties.append(np.concatenate([estimates[k] for k in group]))
    if len(folds) > 1:
        scores = [
            np.maximum(error, MIN_UNCERTAINTY) / estimate
            for error, estimate in zip(errors, uncertainties, strict=True)
        ]
        errors = transfer_scores(scores, _log_ratios(folds, frames, np.concatenate(uncertainty)))
        uncertainties = [np.ones(len(error)) for error in errors]
    calibration = calibrate(np.concatenate(errors), np.concatenate(uncertainties))
    tolerance = coverage_tolerance(calibration, errors, uncertainties)
    return CalibratedUncertainty(calibration, tolerance, len(groups), calibrated_environments(groups))


def _log_ratios(folds: Sequence[Fold], frames: Sequence[Atoms], uncertainty: FloatArray) -> FloatArray:
    """Compare the uncertainties of each fold with those of the whole force field, (N,) on the same frames: (M,) logarithms."""
    ratios = []
    for estimates in [np.concatenate(fold.evaluate(frames)[1]) for fold in folds]:
        nonzero = (uncertainty > MIN_UNCERTAINTY) & (estimates > MIN_UNCERTAINTY)
        ratios.append(np.log(estimates[nonzero] / uncertainty[nonzero]))
    return np.concatenate(ratios)


def transfer_scores(scores: Sequence[FloatArray], log_ratios: FloatArray) -> list[FloatArray]:
    """Turn the scores of folds into scores of the whole force field.

    Parameters
    ----------
    scores
        (N,) |error| / uncertainty of the fold that was not trained on the frame, one array for each frame or trajectory.
    log_ratios
        (M,) logarithms of uncertainty of a fold / uncertainty of the whole force field, on any atoms.

    Returns
    -------
    (N,) |error| / uncertainty of the whole force field, one array for each frame or trajectory.
    """
    logs = np.log(np.concatenate(scores))
    if not len(log_ratios) or logs.var() <= 0:
        return list(scores)
    narrowing = np.sqrt(max(1 - log_ratios.var() / logs.var(), 0.0))
    return [
        np.exp(logs.mean() + log_ratios.mean() + narrowing * (np.log(values) - logs.mean()))
        for values in scores
    ]
