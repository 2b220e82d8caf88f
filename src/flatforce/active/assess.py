"""Errors of a round's force field on the test set, the coverage of its uncertainty, and the criteria that end a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.calibration import LEVELS, atom_errors
from flatforce.active.coverage import measure_coverage
from flatforce.active.cross_conformal import calibrate_folds
from flatforce.active.labelled_atoms import LabelledAtoms
from flatforce.core.statistics import bootstrap_interval
from flatforce.data.frames import config_type, get_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from flatforce.active.config import StoppingConfig
    from flatforce.active.coverage import CalibratedUncertainty, Coverage
    from flatforce.active.cross_conformal import Fold, UncertainModel
    from flatforce.models.prediction import Prediction

MIN_TEST_FRAMES: Final = 10
"""Test frames below which a bootstrap interval is too narrow to end a run by it."""

MAX_TOLERANCE: Final = 0.05
"""Coverage tolerance at 68 % above which a round warns that its calibration set is small."""

MORE_FRAMES: Final = "add labelled frames"
"""How to calibrate better."""

MORE_FOLDS: Final = "set `calibration_folds: 4`, which calibrates on nearly all labelled frames"
"""How to calibrate better without further labels."""


@dataclass(frozen=True)
class Assessment:
    """Errors and coverage of a force field on the test set."""

    force_mae: float
    """meV/Å, mean absolute error of all force components."""
    force_mae_interval: tuple[float, float]
    """meV/Å, 95 % confidence interval of `force_mae` by bootstrap over frames."""
    energy_mae: float
    """meV/atom, mean absolute error of the energies."""
    n_test: int
    """Number of frames in the test set."""
    uncertainty: CalibratedUncertainty
    """Conformal scale factors of the force uncertainty, their tolerance, and the environments for which they hold."""
    coverage: Coverage
    """Empirical coverage on the test set: of all atoms with an interval, by config type and by element."""
    atoms: LabelledAtoms
    """Errors and uncertainties of the atoms of the test set."""
    n_calibration: int
    """Number of frames in the calibration set, those of all folds together."""
    force_mae_by_config_type: dict[str, float]
    """meV/Å, mean absolute error of the force components for the test frames of each config type."""

    @property
    def metrics(self) -> dict[str, float]:
        """Errors and coverage as flat numbers."""
        low, high = self.force_mae_interval
        return {
            "force_mae": self.force_mae,
            "force_mae_low": low,
            "force_mae_high": high,
            "energy_mae": self.energy_mae,
            "n_test": float(self.n_test),
            **self.coverage.metrics,
        }


def assess(model: UncertainModel, folds: Sequence[Fold], test: Sequence[Atoms], *, seed: int) -> Assessment:
    """Evaluate a force field and its uncertainty on the test set.

    Parameters
    ----------
    model
        The force field.
    folds
        Its folds, each with the calibration set that it was not trained on; a single one is the whole force field.
    test
        Labelled frames that no force field of the run is trained on.
    seed
        Seed of the bootstrap.

    Returns
    -------
    Errors of energy in meV/atom and of forces in meV/Å on the test set, the calibration of the uncertainty, and its
    empirical coverage on the test set.
    """
    predictions, uncertainties = model.evaluate(test)
    component_errors = [
        1e3 * np.abs(prediction.forces - get_labels(frame).forces).ravel()
        for frame, prediction in zip(test, predictions, strict=True)
    ]
    frame_of_component = np.repeat(np.arange(len(test)), [len(errors) for errors in component_errors])
    components = np.concatenate(component_errors)
    uncertainty = calibrate_folds(folds, test, uncertainties)
    atoms = LabelledAtoms.collect(
        test,
        atom_errors(test, predictions),
        np.concatenate(uncertainties),
        environments=uncertainty.environments,
        training_set=[frame for fold in folds for frame in fold.training_set],
    )
    low, high = bootstrap_interval(components, groups=frame_of_component, seed=seed)
    config_types = np.array([config_type(frame) for frame in test])[frame_of_component]
    return Assessment(
        force_mae=float(components.mean()),
        force_mae_interval=(low, high),
        energy_mae=_energy_mae(test, predictions),
        n_test=len(test),
        uncertainty=uncertainty,
        coverage=measure_coverage(atoms, uncertainty),
        atoms=atoms,
        n_calibration=sum(len(fold.calibration_set) for fold in folds),
        force_mae_by_config_type={
            str(name): float(components[config_types == name].mean()) for name in np.unique(config_types)
        },
    )


def _energy_mae(test: Sequence[Atoms], predictions: Sequence[Prediction]) -> float:
    """Return the mean absolute error of the energies, meV/atom."""
    errors = [
        1e3 * abs(prediction.energy - get_labels(frame).energy) / len(frame)
        for frame, prediction in zip(test, predictions, strict=True)
    ]
    return float(np.mean(errors))


def reason_to_stop(metrics: Sequence[Mapping[str, float]], stop: StoppingConfig, *, n_labels: int) -> str:
    """Check whether a run meets a criterion that ends it.

    Parameters
    ----------
    metrics
        Metrics of all rounds so far, the current one last.
    stop
        The criteria.
    n_labels
        Number of labels that were requested so far.

    Returns
    -------
    The reason; empty if the run continues.
    """
    current = metrics[-1]
    enough_test_frames = current["n_test"] >= MIN_TEST_FRAMES
    if stop.force_mae is not None and enough_test_frames and current["force_mae_high"] < stop.force_mae:
        return f"the 95 % confidence interval of the force error is below {stop.force_mae:g} meV/Å"
    if stop.label_budget is not None and n_labels >= stop.label_budget:
        return f"the label budget of {stop.label_budget} is used up"
    if len(metrics) > stop.rounds:
        return f"{stop.rounds} rounds are done"
    if stop.min_improvement > 0 and len(metrics) > stop.patience:
        reference = metrics[-1 - stop.patience]["force_mae"]
        if reference - current["force_mae"] < stop.min_improvement * reference:
            return (
                f"the force error decreased by less than {100 * stop.min_improvement:g} % "
                f"in the last {stop.patience} rounds"
            )
    return ""


def warn_small_test_set(n_test: int, stop: StoppingConfig) -> list[str]:
    """Warn if the test set is too small to end a run by its error.

    Parameters
    ----------
    n_test
        Number of frames in the test set.
    stop
        Criteria that end the run.

    Returns
    -------
    The warning as the only item of a list; an empty list if the test set is large enough.
    """
    if stop.force_mae is None or n_test >= MIN_TEST_FRAMES:
        return []
    warning = (
        f"The test set has {n_test} frames, too few to end the run by its force error: "
        f"give {MIN_TEST_FRAMES} or more frames under `test`."
    )
    return [warning]


def warn_small_calibration_set(
    uncertainty: CalibratedUncertainty, *, n_frames: int, fix: str = MORE_FRAMES
) -> list[str]:
    """Warn if the calibration set is so small that the coverage is only roughly known.

    Parameters
    ----------
    uncertainty
        The calibration.
    n_frames
        Number of frames in the calibration set.
    fix
        How to calibrate on more of them.

    Returns
    -------
    The warning as the only item of a list; an empty list if the calibration set is large enough.
    """
    tolerance = uncertainty.tolerance[LEVELS.index(0.68)]
    if tolerance <= MAX_TOLERANCE:
        return []
    points = "an unknown number of" if np.isnan(tolerance) else f"± {100 * tolerance:.0f}"
    count = f"{n_frames} frame{'' if n_frames == 1 else 's'}"
    return [
        f"The uncertainty is calibrated on {count}: its coverage at 68 % is known to {points} percentage points only; {fix}."
    ]
