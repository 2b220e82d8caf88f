"""Rows of the tables that both the page and the command line show; nothing heavy is imported here."""

from __future__ import annotations

from typing import Any, Final

BENCHMARK_COLUMNS: Final = {
    "energy_mae": "energy MAE (meV/atom)",
    "energy_median_ae": "energy median AE",
    "area_mae": "area MAE (Å²/atom)",
    "area_median_ae": "area median AE",
    "converged_fraction": "converged",
    "failed_fraction": "failed",
    "mean_steps": "steps",
}
"""Metric of a relaxation benchmark → heading of its column."""

SCORES: Final = {
    "mae": "MAE",
    "rmse": "RMSE",
    "max": "largest",
    "mae_atom": "MAE (meV/atom)",
    "spearman": "Spearman",
    "hull_mae": "hull MAE",
    "ground_state_recall": "ground states found",
    "ground_state_precision": "of those named",
    "regret": "regret",
}
"""Score → heading of its column; in meV/site where the heading names no unit."""

KINDS: Final = {"folds": "", "size": "larger cells", "window": "window of x"}
"""Kind of split → heading of the column of its mean absolute error."""


def comparison_rows(result: dict[str, Any]) -> list[list[str]]:
    """List models and their scores.

    Parameters
    ----------
    result
        `result.json` of an alloy comparison.

    Returns
    -------
    Rows of texts, the header first; the in-sample cluster expansion is last, marked as not comparable.
    """
    header = [
        "model",
        "sees",
        *SCORES.values(),
        "95 %",
        "p",
        *list(KINDS.values())[1:],
        "CPU s",
        "DFT labels",
        "an answer",
    ]
    rows = [header]
    for name, model in result["details"]["models"].items():
        folds = model["scores"].get("folds", {})
        low, high = model["interval"]
        rows.append(
            [
                name,
                model["sees"],
                *(_text(folds.get(key)) for key in SCORES),
                f"{_text(low)} – {_text(high)}",
                _text(model["p_value"]),
                *(_text(model["scores"].get(kind, {}).get("mae")) for kind in list(KINDS)[1:]),
                f"{model['seconds']:.1f}",
                f"{model['labels']:.0f}",
                f"{model['labels_an_answer']:.1f}",
            ]
        )
    inside = result["details"]["in_sample"]
    empty = [""] * (len(header) - 4)
    rows.append(
        [
            "cluster expansion, in-sample (not comparable)",
            "the answers",
            _text(inside["mae"]),
            _text(inside["rmse"]),
            *empty,
        ]
    )
    return rows


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def benchmark_rows(result: dict[str, Any]) -> list[list[str]]:
    """List force fields and their benchmark metrics.

    Parameters
    ----------
    result
        `result.json` of a comparison of relaxation benchmarks.

    Returns
    -------
    Rows of texts, the header first.
    """
    rows = [
        [model, *("–" if metrics.get(key) is None else f"{metrics[key]:.4g}" for key in BENCHMARK_COLUMNS)]
        for model, metrics in result["details"]["models"].items()
    ]
    return [["model", *BENCHMARK_COLUMNS.values()], *rows]


def describe_mode(mode: dict[str, Any]) -> str:
    """Classify a mode.

    Parameters
    ----------
    mode
        As `result.json` holds it.

    Returns
    -------
    `gap mode`, `localised`, or an empty text for an extended mode.
    """
    if mode["gap_mode"]:
        return "gap mode"
    return "localised" if mode["localised"] else ""
