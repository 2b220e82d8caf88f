"""Figures of a comparison of models of formation energies: errors, held-out predictions, learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.alloy import ENERGY_LABEL
from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series, parity_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray

N_PARITY_MODELS: Final = 3
"""Number of models whose held-out predictions are drawn: those with the smallest errors."""


def model_comparison(arrays: dict[str, FloatArray], models: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Draw the errors of several models on the same held-out orderings.

    Parameters
    ----------
    arrays
        Arrays of an `alloy comparison` folder.
    models
        Name of each model → its scores, confidence interval and learning curve.

    Returns
    -------
    Errors with confidence intervals; parity plot and learning curves of the best models.
    """
    names = [name for name in models if models[name]["scores"].get("folds")]
    errors = np.array([models[name]["scores"]["folds"]["mae"] for name in names], dtype=float)
    best = [names[k] for k in np.argsort(errors)[:N_PARITY_MODELS]]
    return [_error_figure(models, names, errors), _held_out_figure(arrays, models, best)]


def _error_figure(
    models: Mapping[str, Mapping[str, Any]], names: Sequence[str], errors: FloatArray
) -> Figure:
    rows = np.arange(len(names), dtype=float)[::-1]
    bars = []
    for row, name in zip(rows, names, strict=True):
        low, high = models[name]["mae_interval"]
        if low is not None:
            bars.append(
                Series(np.array([low, high]), np.array([row, row]), name="95 % interval", colour=GREY)
            )
    bars.append(Series(errors, rows, name="MAE", style="points", width=5))
    panel = Panel(
        tuple(bars),
        "MAE (meV/site)",
        y_ticks=tuple((float(row), name) for row, name in zip(rows, names, strict=True)),
        y_range=(-0.6, len(names) - 0.4),
        log_x=bool((errors > 0).all()),
    )
    return Figure(
        "model-comparison",
        "Mean absolute error on held-out orderings; bars are 95 % confidence intervals over the orderings.",
        (panel,),
        height=1.2 + 0.24 * len(names),
    )


def _held_out_figure(
    arrays: dict[str, FloatArray], models: Mapping[str, Mapping[str, Any]], best: Sequence[str]
) -> Figure:
    order = list(models)
    labels = arrays["formation_energies"]
    predictions = [arrays["predictions"][order.index(name)] for name in best]
    parity = [
        Series(
            labels,
            arrays["predictions"][order.index(name)],
            name=name,
            style="points",
            width=4,
            colour=colour,
        )
        for name, colour in zip(best, COLOURS, strict=False)
    ]
    curves = [
        Series(
            np.array([float(size) for size in models[name]["learning_curve"]]),
            np.array([np.mean(values) for values in models[name]["learning_curve"].values()]),
            name=name,
            colour=colour,
        )
        for name, colour in zip(best, COLOURS, strict=False)
        if models[name]["learning_curve"]
    ]
    panels = [
        parity_panel(
            np.concatenate([labels, *predictions]),
            parity,
            x_label=ENERGY_LABEL,
            y_label="held-out prediction (meV/site)",
        )
    ]
    caption = "Held-out predictions of the models with the smallest errors."
    if curves:
        panels.append(Panel(tuple(curves), "training orderings", "MAE (meV/site)", log_y=True))
        caption = "Models with the smallest errors. (a) Held-out predictions. (b) Learning curves."
    return Figure("held-out", caption, tuple(panels))
