"""Errors of a committee on labelled frames, with the coverage of its calibrated uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.active.assess import warn_small_calibration_set
from flatforce.active.calibration import MIN_UNCERTAINTY, atom_errors
from flatforce.active.coverage import CalibratedUncertainty, Coverage, measure_coverage
from flatforce.active.cross_conformal import Fold, calibrate_folds
from flatforce.active.labelled_atoms import LabelledAtoms
from flatforce.active.uncertainty import committee_uncertainty
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.properties.evaluate import Evaluation, evaluate_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import BoolArray
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction


@dataclass(frozen=True, repr=False)
class CalibratedEvaluation(Evaluation):
    """Errors of a committee, and the coverage of its intervals, of the frames that neither trained nor calibrated it."""

    uncertainty: CalibratedUncertainty
    """Calibration on other frames."""
    coverage: Coverage
    """Coverage of all atoms with an interval, by config type and by element."""
    atoms: LabelledAtoms
    """Errors and uncertainties of the atoms."""
    n_calibration: int
    """Number of frames in the calibration set."""

    @property
    def metrics(self) -> dict[str, float]:
        """Errors, coverage at 68 and 95 %, and the fraction of atoms without an interval."""
        return super().metrics | self.coverage.metrics

    @property
    def notes(self) -> list[str]:
        """Frames of the training set, energies from other references, and config types for which the intervals do not hold."""
        small = warn_small_calibration_set(self.uncertainty, n_frames=self.n_calibration)
        return [*super().notes, *small, *self.coverage.warnings]

    @property
    def details(self) -> dict[str, Any]:
        """Model, number of frames, errors and coverage by config type and by element."""
        coverage = self.coverage.details_with(self.uncertainty)
        return super().details | coverage | {"n_calibration": self.n_calibration}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the labels and predictions of the parity plots, and the intervals.

        Returns
        -------
        Those of `Evaluation.arrays` and of `LabelledAtoms.arrays`; the latter are of the frames that calibrate nothing.
        """
        return super().arrays() | self.atoms.arrays(self.uncertainty.calibration)


def evaluate_calibrated(
    potential: Potential,
    frames: Sequence[Atoms],
    predictions: Sequence[Prediction],
    calibration_set: Sequence[Atoms],
    *,
    is_training: BoolArray,
    n_isolated: int = 0,
) -> CalibratedEvaluation:
    """Compare the predictions of a committee with labels, and its errors with its calibrated uncertainty.

    Parameters
    ----------
    potential
        A committee.
    frames
        Labelled frames.
    predictions
        Prediction of the committee for each frame.
    calibration_set
        Labelled frames that no member was trained on, by which the uncertainty is calibrated. The coverage is measured on the others.
    is_training
        (F,) whether a member was trained on, or validated with, the frame.
    n_isolated
        Number of isolated atoms that were left out, for the note about them.

    Returns
    -------
    Errors of energies, forces and stresses, and the coverage of the calibrated intervals by config type and element.

    Raises
    ------
    DataError
        If every frame is in the training or in the calibration set.
    """
    calibration_hashes = {hash_structure(frame) for frame in calibration_set}
    is_test = [
        not is_trained_on and hash_structure(frame) not in calibration_hashes
        for frame, is_trained_on in zip(frames, is_training, strict=True)
    ]
    if not any(is_test):
        raise DataError(
            "No frame is left to test the intervals on.",
            why="every frame is in the training or in the calibration set of the committee",
            fix="evaluate other frames, or leave out --calibrate",
        )
    evaluation = evaluate_predictions(
        potential.spec, frames, predictions, is_training=is_training, n_isolated=n_isolated
    )
    test = [frame for frame, selected in zip(frames, is_test, strict=True) if selected]
    test_predictions = [one for one, selected in zip(predictions, is_test, strict=True) if selected]
    training = [frame for frame, selected in zip(frames, is_training, strict=True) if selected]
    fold = Fold(potential, committee_uncertainty, calibration_set, [*training, *test])
    uncertainties = [
        np.maximum(one, MIN_UNCERTAINTY) for one in committee_uncertainty(test, test_predictions)
    ]
    uncertainty = calibrate_folds([fold], test, uncertainties)
    atoms = LabelledAtoms.collect(
        test,
        atom_errors(test, test_predictions),
        np.concatenate(uncertainties),
        environments=uncertainty.environments,
        training_set=[*training, *calibration_set],
    )
    return CalibratedEvaluation(
        **{field.name: getattr(evaluation, field.name) for field in fields(evaluation)},
        uncertainty=uncertainty,
        coverage=measure_coverage(atoms, uncertainty),
        atoms=atoms,
        n_calibration=len(calibration_set),
    )
