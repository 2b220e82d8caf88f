"""How good a round's committee is on frames it never saw, how honest its doubt, and whether it is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.calibration import LEVELS, Calibration, atom_errors, coverage
from flatforce.active.cross_conformal import calibrate_folds
from flatforce.core.statistics import bootstrap_interval
from flatforce.data.frames import config_type, get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import Stopping
    from flatforce.active.cross_conformal import Fold, Model
    from flatforce.core.arrays import FloatArray

UNITS = {
    "n_learnt": "1",
    "n_labels": "1",
    "force_mae": "meV/Å",
    "force_mae_low": "meV/Å",
    "force_mae_high": "meV/Å",
    "energy_mae": "meV/atom",
    "n_test": "1",
    "covered_68": "1",
    "covered_95": "1",
    "largest_doubt": "eV/Å",
    "n_candidates": "1",
    "n_chosen": "1",
    "n_failed": "1",
    "training_time": "s",
    "label_time": "s",
}
"""Of a round."""

FEWEST_TO_END: Final = 10
"""Test frames below which an interval from resampling them is too narrow to end a run by."""

MARGIN: Final = 0.05
"""Of a level, above which a round says that few frames fix it."""


@dataclass(frozen=True)
class Assessment:
    """A force field on the test frames."""

    metrics: dict[str, float]
    calibration: Calibration
    covered: FloatArray
    """(L,) on the test frames, at the levels of the calibration."""
    margins: FloatArray
    """(L,) half width of the 95 % interval of each level, for the number of frames, or trajectories, that calibrate."""
    n_calibrating: int
    """Those frames."""
    by_kind: dict[str, float]
    """Force MAE (meV/Å) of the test frames of each config type."""


def assess(model: Model, folds: Sequence[Fold], test: Sequence[Atoms], *, seed: int) -> Assessment:
    """Judge a force field and its doubt.

    Parameters
    ----------
    model
        The force field.
    folds
        Its parts, each with frames that it has not fitted; one alone is the whole.
    test
        Labelled frames that the run never learns from.
    seed
        Of the bootstrap.

    Returns
    -------
    Errors over all force components with their interval over frames, and how often the calibrated intervals hold on the test frames.
    """
    said, doubted = model.evaluate(test)
    off = [1e3 * np.abs(one.forces - get_labels(f).forces).ravel() for f, one in zip(test, said, strict=True)]
    frame_of = np.repeat(np.arange(len(test)), [len(one) for one in off])
    components = np.concatenate(off)
    energy = [
        1e3 * abs(one.energy - get_labels(frame).energy) / len(frame)
        for frame, one in zip(test, said, strict=True)
    ]
    found, margins = calibrate_folds(folds, test, doubted)
    covered = coverage(found, atom_errors(test, said), np.concatenate(doubted))
    low, high = bootstrap_interval(components, groups=frame_of, seed=seed)
    metrics = {
        "force_mae": float(components.mean()),
        "force_mae_low": low,
        "force_mae_high": high,
        "energy_mae": float(np.mean(energy)),
        "n_test": float(len(test)),
        "covered_68": float(covered[LEVELS.index(0.68)]),
        "covered_95": float(covered[LEVELS.index(0.95)]),
    }
    kinds = np.array([config_type(frame) for frame in test])[frame_of]
    by_kind = {str(kind): float(components[kinds == kind].mean()) for kind in np.unique(kinds)}
    n_calibrating = sum(len(fold.held_out) for fold in folds)
    return Assessment(metrics, found, covered, margins, n_calibrating, by_kind)


def reason_to_stop(errors: Sequence[dict[str, float]], stop: Stopping, *, labels: int) -> str:
    """Tell whether a run has reached its end.

    Parameters
    ----------
    errors
        Metrics of the rounds so far.
    stop
        When enough is known.
    labels
        Labels asked for so far.

    Returns
    -------
    The reason; empty to go on.
    """
    last = errors[-1]
    judged = last["n_test"] >= FEWEST_TO_END
    if stop.force_mae is not None and judged and last["force_mae_high"] < stop.force_mae:
        return f"the 95 % interval of the force error is below {stop.force_mae:g} meV/Å"
    if stop.budget is not None and labels >= stop.budget:
        return f"the budget of {stop.budget} labels is spent"
    if len(errors) > stop.rounds:
        return f"{stop.rounds} rounds are done"
    if stop.gain > 0 and len(errors) > stop.patience:
        before = errors[-1 - stop.patience]["force_mae"]
        if before - last["force_mae"] < stop.gain * before:
            return f"the last {stop.patience} rounds gained less than {100 * stop.gain:g} %"
    return ""


def few_to_judge(metrics: dict[str, float], stop: Stopping) -> list[str]:
    """Warn where a run cannot end by its error.

    Parameters
    ----------
    metrics
        Of a round.
    stop
        When enough is known.

    Returns
    -------
    The warning, or nothing.
    """
    if stop.force_mae is None or metrics["n_test"] >= FEWEST_TO_END:
        return []
    return [
        f"{metrics['n_test']:.0f} test frames are too few to end by an error: give {FEWEST_TO_END} or more under `test`"
    ]


def few_to_calibrate(judged: Assessment, *, folds: int) -> list[str]:
    """Warn where few frames fix the levels of the doubt.

    Parameters
    ----------
    judged
        Of a round.
    folds
        Committees that calibrate.

    Returns
    -------
    The warning, or nothing.
    """
    margin = judged.margins[LEVELS.index(0.68)]
    if margin <= MARGIN:
        return []
    known = "an unknown number of" if np.isnan(margin) else f"± {100 * margin:.0f}"
    n = judged.n_calibrating
    words = "1 frame calibrates" if n == 1 else f"{n} frames calibrate"
    mend = (
        "calibration_folds make all known frames do so"
        if folds == 1
        else "more labelled frames fix it better"
    )
    return [f"{words} the doubt, which fixes its level of 68 % to {known} points: {mend}"]
