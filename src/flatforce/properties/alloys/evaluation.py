"""Evaluation of one model on all splits of a table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import FlatforceError
from flatforce.core.statistics import bootstrap_interval
from flatforce.properties.alloys.scores import mean_scores, score_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.predictors import ComparedModel, Predictor
    from flatforce.properties.alloys.splits import Split
    from flatforce.properties.alloys.table import AlloyTable


@dataclass(frozen=True)
class ModelEvaluation:
    """Errors and costs of one model."""

    name: str
    """Name of the model."""
    model_input: str
    """What the model is given."""
    scores: dict[str, dict[str, float]]
    """Kind of split → mean of each score over its splits; learning curves are in `learning_curve`."""
    mae_interval: tuple[float, float]
    """95 % interval of the mean absolute error in the folds over independent orderings, in meV per site; NaN of fewer
    than two."""
    p_value: float
    """p value of the paired test against the cluster expansion; NaN for itself, or of fewer than two independent
    orderings."""
    learning_curve: dict[int, list[float]]
    """Number of training orderings → mean absolute error of each random training set, in meV per site."""
    errors: FloatArray
    """(n,) mean absolute error of each row over the repeats, in meV per site; NaN where it was never tested."""
    first_errors: FloatArray
    """(n,) absolute error of each row in the first repeat, where expensive models take part, in meV per site."""
    predictions: FloatArray
    """(n,) mean prediction of each row over the repeats, in meV per site; NaN where it was never tested."""
    cpu_seconds: float
    """CPU time of training and prediction in s, without the energies of force fields."""
    training_labels: float
    """Number of DFT labels that it is trained on, mean over the folds."""
    labels_per_prediction: float
    """Number of DFT labels that each prediction needs, mean over the folds."""
    failures: list[str]
    """Splits on which it failed, with the reason."""

    def to_plain(self) -> dict[str, Any]:
        """Describe the evaluation by plain values.

        Returns
        -------
        What JSON holds; numbers that are not finite are None.
        """
        return {
            "model_input": self.model_input,
            "scores": {
                kind: {name: finite_or_none(value) for name, value in scores.items()}
                for kind, scores in self.scores.items()
            },
            "mae_interval": [finite_or_none(bound) for bound in self.mae_interval],
            "p_value": finite_or_none(self.p_value),
            "learning_curve": {str(size): errors for size, errors in self.learning_curve.items()},
            "cpu_seconds": self.cpu_seconds,
            "training_labels": self.training_labels,
            "labels_per_prediction": self.labels_per_prediction,
            "failures": self.failures,
        }


@dataclass(frozen=True)
class _SplitPredictions:
    """Finite predictions of one model on the test rows of one split."""

    split: Split
    rows: IntArray
    predictions: FloatArray
    cpu_seconds: float
    failure: str = ""


def evaluate_model(
    table: AlloyTable, model: ComparedModel, splits: Sequence[Split], *, groups: IntArray, seed: int
) -> ModelEvaluation:
    """Train and test a model on every split that it takes part in.

    Parameters
    ----------
    table
        The table with the true formation energies.
    model
        The model.
    splits
        Splits of the table.
    groups
        (n,) group of each row; rows of a group are not independent.
    seed
        Seed of the bootstrap samples.

    Returns
    -------
    Its errors and costs, without a paired test.
    """
    runs = [_predict_split(table, model.predictor, split) for split in splits if model.takes_part(split)]
    tested = [run for run in runs if len(run.rows)]
    by_row = _predictions_by_row(table, tested)
    errors = _mean_errors(table, by_row)
    training_labels, labels_per_prediction = _count_labels(table, model.predictor, splits)
    return ModelEvaluation(
        name=model.predictor.name,
        model_input=model.predictor.model_input,
        scores=_scores_by_kind(table, tested),
        mae_interval=_confidence_interval(errors, groups, seed=seed),
        p_value=float("nan"),
        learning_curve=_learning_curve(table, tested),
        errors=errors,
        first_errors=_first_errors(table, by_row),
        predictions=np.array([np.mean(values) if values else np.nan for values in by_row]),
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        training_labels=training_labels,
        labels_per_prediction=labels_per_prediction,
        failures=[f"{run.split.kind} {run.split.label}: {run.failure}" for run in runs if run.failure],
    )


def _predict_split(table: AlloyTable, predictor: Predictor, split: Split) -> _SplitPredictions:
    """Train on one split and predict its test rows; a failure leaves no or fewer rows."""
    start = time.process_time()
    try:
        predictions = predictor.predict(split.train, table.formation_energies[split.train], split.test)
        failure = ""
    except FlatforceError as error:
        predictions = np.full(len(split.test), np.nan)
        failure = error.what
    seconds = time.process_time() - start
    finite = np.isfinite(predictions)
    if not failure and not finite.all():
        failure = f"no prediction for {int((~finite).sum())} orderings"
    return _SplitPredictions(split, split.test[finite], predictions[finite], seconds, failure)


def _scores_by_kind(table: AlloyTable, runs: Sequence[_SplitPredictions]) -> dict[str, dict[str, float]]:
    """Average the scores over the splits of each kind but learning curves, weighted by their test rows."""
    by_kind: dict[str, list[_SplitPredictions]] = {}
    for run in runs:
        if run.split.kind != "learning_curve":
            by_kind.setdefault(run.split.kind, []).append(run)
    return {
        kind: mean_scores(
            [score_predictions(table, run.rows, run.predictions) for run in group],
            [len(run.rows) for run in group],
        )
        for kind, group in by_kind.items()
    }


def _learning_curve(table: AlloyTable, runs: Sequence[_SplitPredictions]) -> dict[int, list[float]]:
    """Return number of training orderings → mean absolute error of each random training set, meV per site."""
    curve: dict[int, list[float]] = {}
    for run in runs:
        if run.split.kind == "learning_curve":
            error = float(np.abs(run.predictions - table.formation_energies[run.rows]).mean())
            curve.setdefault(run.split.train_size, []).append(error)
    return curve


def _predictions_by_row(table: AlloyTable, runs: Sequence[_SplitPredictions]) -> list[list[float]]:
    """Collect the predictions of each row over the repeats of the folds, in order."""
    by_row: list[list[float]] = [[] for _ in table.rows]
    for run in runs:
        if run.split.kind == "folds":
            for row, prediction in zip(run.rows, run.predictions, strict=True):
                by_row[int(row)].append(float(prediction))
    return by_row


def _mean_errors(table: AlloyTable, by_row: Sequence[Sequence[float]]) -> FloatArray:
    truth = table.formation_energies
    return np.array(
        [
            np.abs(np.array(values) - truth[row]).mean() if values else np.nan
            for row, values in enumerate(by_row)
        ]
    )


def _first_errors(table: AlloyTable, by_row: Sequence[Sequence[float]]) -> FloatArray:
    truth = table.formation_energies
    return np.array([abs(values[0] - truth[row]) if values else np.nan for row, values in enumerate(by_row)])


def _confidence_interval(errors: FloatArray, groups: IntArray, *, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean absolute error; NaN if fewer than two groups were tested."""
    tested = np.isfinite(errors)
    if len(np.unique(groups[tested])) < 2:
        return (np.nan, np.nan)
    return bootstrap_interval(errors[tested], groups=groups[tested], seed=seed)


def _count_labels(table: AlloyTable, predictor: Predictor, splits: Sequence[Split]) -> tuple[float, float]:
    """Count the DFT labels that a model is trained on, and those that each prediction needs; means over the folds."""
    labels = np.array([row.n_labels for row in table.rows], dtype=float)
    folds = [split for split in splits if split.kind == "folds"]
    training = float(np.mean([labels[split.train].sum() for split in folds]))
    prediction = float(np.mean([labels[split.test].mean() for split in folds]))
    return training if predictor.needs_training else 0.0, prediction if predictor.needs_dft else 0.0


def finite_or_none(value: float) -> float | None:
    """Replace what is not finite by None: JSON has no NaN.

    Parameters
    ----------
    value
        A number.

    Returns
    -------
    The number itself, or None for NaN and infinities.
    """
    return float(value) if np.isfinite(value) else None
