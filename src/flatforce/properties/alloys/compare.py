"""The comparison: every model on the same splits of the same table, with intervals, paired tests and costs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import FlatforceError
from flatforce.core.progress import Progress, silent
from flatforce.core.statistics import bootstrap_interval, paired_permutation_test
from flatforce.properties.alloys.scores import mean_scores, scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.predictors import Predictor
    from flatforce.properties.alloys.splits import Split
    from flatforce.properties.alloys.table import AlloyTable

REFERENCE = "cluster expansion"
"""The model that the others are tested against."""


@dataclass(frozen=True)
class Contestant:
    """A model and where it takes part."""

    predictor: Predictor
    costly: bool = False
    """Whether it is trained for minutes: then it takes part in one repeat of the folds, and in no learning curve."""
    extra_labels: str = ""
    """What it has learnt from beside the training rows, for the table."""


@dataclass(frozen=True)
class Judged:
    """One model on all splits."""

    name: str
    sees: str
    scores: dict[str, dict[str, float]]
    """Kind of split → mean of the scores over its splits."""
    interval: tuple[float, float]
    """meV/site, 95 % of the mean absolute error in the folds, over independent structures; NaN of fewer than two."""
    p_value: float
    """Of the paired test against the cluster expansion; NaN for itself, or of fewer than two independent structures."""
    curve: dict[int, list[float]]
    """Training orderings → mean absolute error of each draw, meV/site."""
    errors: FloatArray
    """(n,) meV per site, mean absolute error of each row over the repeats; NaN where it was never tested."""
    once: FloatArray
    """(n,) meV per site, absolute error of each row in the first repeat: where costly models take part."""
    predictions: FloatArray
    """(n,) meV per site, mean over the repeats."""
    seconds: float
    """CPU time of learning and predicting, energies of force fields not counted."""
    labels: float
    """DFT labels that it learns from, mean over the folds."""
    labels_an_answer: float
    """DFT labels that each of its answers needs, mean over the folds."""
    failures: list[str] = field(default_factory=list)


def compare_models(
    table: AlloyTable,
    contestants: Sequence[Contestant],
    splits: Sequence[Split],
    *,
    groups: Sequence[int] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Judged]:
    """Judge models on shared splits.

    Parameters
    ----------
    table
        The truth.
    contestants
        Models.
    splits
        Of `make_splits`.
    groups
        (n,) of each row: those of a group are not independent; each its own if not given.
    seed
        Of bootstrap and permutation.
    progress
        Told after each model.

    Returns
    -------
    One for each model, in the order given. A model that cannot learn from a split says so and has no number there.
    """
    found: list[Judged] = []
    of_row = np.arange(len(table.rows)) if groups is None else np.array(groups)
    for number, one in enumerate(contestants):
        found.append(_judge(table, one, splits, of_row, seed=seed))
        progress(number + 1, len(contestants), one.predictor.name)
    reference = next((one for one in found if one.name == REFERENCE), None)
    return [
        _tested(one, reference, of_row, seed, once=contestant.costly)
        for one, contestant in zip(found, contestants, strict=True)
    ]


def _judge(
    table: AlloyTable, one: Contestant, splits: Sequence[Split], groups: IntArray, *, seed: int
) -> Judged:
    truth = table.formation
    each: dict[str, list[dict[str, float]]] = {}
    rows: dict[str, list[int]] = {}
    curve: dict[int, list[float]] = {}
    tested: list[list[float]] = [[] for _ in table.rows]
    failures: list[str] = []
    seconds = 0.0
    for split in splits:
        if one.costly and not _for_costly(split):
            continue
        start = time.process_time()
        try:
            predicted = one.predictor.predict(split.train, truth[split.train], split.test)
        except FlatforceError as error:
            failures.append(f"{split.kind} {split.label}: {error.what}")
            continue
        finally:
            seconds += time.process_time() - start
        finite = np.isfinite(predicted)
        if not finite.all():
            failures.append(f"{split.kind} {split.label}: no number for {int((~finite).sum())} orderings")
        if not finite.any():
            continue
        places, predicted = split.test[finite], predicted[finite]
        if split.kind == "curve":
            size = int(split.label.partition(".")[0])
            curve.setdefault(size, []).append(float(np.abs(predicted - truth[places]).mean()))
            continue
        each.setdefault(split.kind, []).append(scores(table, places, predicted))
        rows.setdefault(split.kind, []).append(len(places))
        if split.kind == "folds":
            for place, value in zip(places, predicted, strict=True):
                tested[int(place)].append(float(value))
    errors = np.array([np.abs(np.array(v) - truth[k]).mean() if v else np.nan for k, v in enumerate(tested)])
    predictions = np.array([np.mean(v) if v else np.nan for v in tested])
    known = np.isfinite(errors)
    several = len(np.unique(groups[known])) > 1
    return Judged(
        one.predictor.name,
        one.predictor.sees,
        {kind: mean_scores(some, rows[kind]) for kind, some in each.items()},
        bootstrap_interval(errors[known], groups=groups[known], seed=seed) if several else (np.nan, np.nan),
        float("nan"),
        curve,
        errors,
        np.array([abs(v[0] - truth[k]) if v else np.nan for k, v in enumerate(tested)]),
        predictions,
        seconds,
        *_cost(table, one.predictor, splits),
        failures,
    )


def _cost(table: AlloyTable, predictor: Predictor, splits: Sequence[Split]) -> tuple[float, float]:
    """Count the DFT labels behind a model, and behind each answer."""
    each = np.array([row.labels for row in table.rows], dtype=float)
    folds = [one for one in splits if one.kind == "folds"]
    learnt = float(np.mean([each[one.train].sum() for one in folds])) if predictor.learns else 0.0
    asked = float(np.mean([each[one.test].mean() for one in folds])) if predictor.asks_dft else 0.0
    return learnt, asked


def _for_costly(split: Split) -> bool:
    return split.kind in {"size", "window"} or (split.kind == "folds" and split.label.startswith("0."))


def _tested(one: Judged, reference: Judged | None, groups: IntArray, seed: int, *, once: bool) -> Judged:
    if reference is None or reference is one:
        return one
    mine, theirs = (one.once, reference.once) if once else (one.errors, reference.errors)
    both = np.isfinite(mine) & np.isfinite(theirs)
    if len(np.unique(groups[both])) < 2:
        return one
    return replace(one, p_value=paired_permutation_test(mine[both], theirs[both], groups=groups[both], seed=seed))


def _number(value: float) -> float | None:
    """Write what is not finite as null: JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def plain(judged: Judged) -> dict[str, Any]:
    """Write a judgement as plain values.

    Parameters
    ----------
    judged
        Of one model.

    Returns
    -------
    What JSON holds.
    """
    return {
        "sees": judged.sees,
        "scores": {
            kind: {name: _number(value) for name, value in found.items()}
            for kind, found in judged.scores.items()
        },
        "interval": [_number(end) for end in judged.interval],
        "p_value": _number(judged.p_value),
        "curve": {str(size): values for size, values in judged.curve.items()},
        "seconds": judged.seconds,
        "labels": judged.labels,
        "labels_an_answer": judged.labels_an_answer,
        "failures": judged.failures,
    }
