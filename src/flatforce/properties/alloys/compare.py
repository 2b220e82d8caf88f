"""Model comparison: every model on the same splits of the same table, with intervals, paired tests and costs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.core.statistics import paired_permutation_test
from flatforce.properties.alloys.csv_files import write_csv
from flatforce.properties.alloys.evaluation import evaluate_model, finite_or_none
from flatforce.properties.alloys.scores import SCORE_UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.evaluation import ModelEvaluation
    from flatforce.properties.alloys.expansion_predictors import InSampleFit
    from flatforce.properties.alloys.predictors import ComparedModel
    from flatforce.properties.alloys.splits import Split
    from flatforce.properties.alloys.table import AlloyTable

BASELINE = "cluster expansion"
"""Name of the model that the others are tested against."""


def compare_models(
    table: AlloyTable,
    models: Sequence[ComparedModel],
    splits: Sequence[Split],
    *,
    groups: Sequence[int] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> list[ModelEvaluation]:
    """Evaluate models on shared splits.

    Parameters
    ----------
    table
        The table with the true formation energies.
    models
        Models.
    splits
        Splits of `make_splits`.
    groups
        (n,) group of each row: rows of a group are not independent; each row is its own group if not given.
    seed
        Seed of the bootstrap samples and of the permutation test.
    progress
        Called after each model.

    Returns
    -------
    The evaluation of each model, in the given order. A model that fails on a split lists it in `failures` and has no
    score there.
    """
    evaluations: list[ModelEvaluation] = []
    group_of_row = np.arange(len(table.rows)) if groups is None else np.array(groups)
    for model in models:
        evaluations.append(evaluate_model(table, model, splits, groups=group_of_row, seed=seed))
        progress(len(evaluations), len(models), model.predictor.name)
    baseline = next((evaluation for evaluation in evaluations if evaluation.name == BASELINE), None)
    if baseline is None:
        return evaluations
    return [
        _test_against(baseline, evaluation, group_of_row, seed=seed, first_repeat_only=model.expensive)
        for evaluation, model in zip(evaluations, models, strict=True)
    ]


def _test_against(
    baseline: ModelEvaluation,
    evaluation: ModelEvaluation,
    groups: IntArray,
    *,
    seed: int,
    first_repeat_only: bool,
) -> ModelEvaluation:
    """Add the p value of the paired test on the rows that both models were tested on."""
    if evaluation is baseline:
        return evaluation
    errors, baseline_errors = evaluation.errors, baseline.errors
    if first_repeat_only:
        errors, baseline_errors = evaluation.first_errors, baseline.first_errors
    shared = np.isfinite(errors) & np.isfinite(baseline_errors)
    if len(np.unique(groups[shared])) < 2:
        return evaluation
    p_value = paired_permutation_test(
        errors[shared], baseline_errors[shared], groups=groups[shared], seed=seed
    )
    return replace(evaluation, p_value=p_value)


@dataclass(frozen=True, repr=False)
class ModelComparison(Outcome):
    """Models of formation energies compared on the same splits of one table."""

    kind: ClassVar[str] = "alloy comparison"

    table: AlloyTable
    """The table with the true formation energies."""
    splits: list[Split]
    """Splits that the models share."""
    evaluations: list[ModelEvaluation]
    """Errors and costs of each model."""
    selections: Mapping[str, Sequence[str]]
    """Name of each model → what it selected in each of its trainings, such as cutoffs or epochs."""
    pretrained: Mapping[str, str]
    """Name of each model → force field that its training starts from; empty for none."""
    in_sample: InSampleFit
    """Errors of a cluster expansion on its own training rows; they are not comparable."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # models decide the names
        """Unit of each metric."""
        return dict.fromkeys(self.metrics, "meV/site")

    @property
    @override
    def metrics(self) -> dict[str, float]:
        return {
            f"{evaluation.name}: mae": evaluation.scores.get("folds", {}).get("mae", np.nan)
            for evaluation in self.evaluations
        }

    @property
    @override
    def notes(self) -> list[str]:
        return [
            f"{evaluation.name}: {failure}"
            for evaluation in self.evaluations
            for failure in evaluation.failures[:1]
        ]

    @property
    @override
    def details(self) -> dict[str, Any]:
        return {
            "system": self.table.system,
            "species": list(self.table.species),
            "n_orderings": len(self.table.mixed_rows),
            "models": {
                evaluation.name: evaluation.to_plain()
                | {
                    "selections": _count(self.selections[evaluation.name]),
                    "pretrained": self.pretrained[evaluation.name],
                }
                for evaluation in self.evaluations
            },
            "in_sample": {
                "mae": finite_or_none(self.in_sample.mae),
                "rmse": finite_or_none(self.in_sample.rmse),
                "method": self.in_sample.method,
            },
        }

    @override
    def arrays(self) -> dict[str, FloatArray]:
        return {
            "concentrations": self.table.concentrations,
            "formation_energies": self.table.formation_energies,
            "predictions": np.array([evaluation.predictions for evaluation in self.evaluations]),
            "errors": np.array([evaluation.errors for evaluation in self.evaluations]),
        }

    @override
    def files(self, folder: Path) -> None:
        names = [row.name for row in self.table.rows]
        splits = [split.to_names(names) for split in self.splits]
        write_text(folder / "splits.json", json.dumps(splits, indent=1))
        columns = ["model", "model_input", "split", *SCORE_UNITS, "mae_low", "mae_high", "p_value"]
        columns += ["cpu_seconds", "training_labels", "labels_per_prediction"]
        rows = [row for evaluation in self.evaluations for row in _score_rows(evaluation)]
        write_csv(folder / "scores.csv", columns, rows)
        models = [evaluation.name for evaluation in self.evaluations]
        columns = ["name", "x", "formation_energy", *models]
        write_csv(folder / "predictions.csv", columns, self._prediction_rows())

    def _prediction_rows(self) -> list[dict[str, Any]]:
        return [
            {"name": row.name, "x": row.x, "formation_energy": row.formation_energy}
            | {evaluation.name: evaluation.predictions[index] for evaluation in self.evaluations}
            for index, row in enumerate(self.table.rows)
            if not row.end_member
        ]


def _score_rows(evaluation: ModelEvaluation) -> list[dict[str, Any]]:
    """List the scores of a model, one row for each kind of split."""
    rows = []
    for kind, scores in evaluation.scores.items():
        low, high = evaluation.mae_interval if kind == "folds" else (np.nan, np.nan)
        rows.append(
            {
                "model": evaluation.name,
                "model_input": evaluation.model_input,
                "split": kind,
                **scores,
                "mae_low": low,
                "mae_high": high,
                "p_value": evaluation.p_value,
                "cpu_seconds": evaluation.cpu_seconds,
                "training_labels": evaluation.training_labels,
                "labels_per_prediction": evaluation.labels_per_prediction,
            }
        )
    return rows


def _count(selections: Sequence[str]) -> dict[str, int]:
    return {text: selections.count(text) for text in dict.fromkeys(selections)}
