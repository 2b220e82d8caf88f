"""Result folders of alloys as sections of a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import alloy as alloy_figures
from flatforce.report.sections.section import Section, Table, make_section, metrics_table

CONTEST: Final = {
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
"""Scores and how a table calls them; meV/site where no unit stands."""

KINDS: Final = {"folds": "", "size": "larger cells", "window": "window of x"}
"""Kinds of split; the mean absolute error of the last two stands at the end of a row."""


def contest_rows(result: dict[str, Any]) -> list[list[str]]:
    """List models and their scores.

    Parameters
    ----------
    result
        `result.json` of an alloy comparison.

    Returns
    -------
    Rows of texts, the header first; the in-sample expansion stands last, marked as not comparable.
    """
    header = [
        "model",
        "sees",
        *CONTEST.values(),
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
                *(_text(folds.get(key)) for key in CONTEST),
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


def _energies(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = alloy_figures.formation(read_arrays(folder), result["details"]["species"])
    tables = [metrics_table(result)]
    if dropped := result["details"]["dropped"]:
        tables.append(Table(["ordering", "left out because it"], [list(map(str, one)) for one in dropped]))
    title = f"Formation energies of {result['details']['system']}"
    return make_section(title, result, name, tables=tables, figures=figures)


def _expansion(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = alloy_figures.expansion(read_arrays(folder), result["metrics"])
    title = f"Cluster expansion of {result['details']['system']}"
    cutoffs = ", ".join(f"{one:.2f}" for one in result["details"]["cutoffs"])
    more = Table(["", ""], [["cutoffs (Å)", cutoffs], ["regulariser", result["details"]["method"]]])
    return make_section(title, result, name, tables=[metrics_table(result), more], figures=figures)


def _contest(folder: Path, result: dict[str, Any], name: str) -> Section:
    header, *rows = contest_rows(result)
    title = f"Models of {result['details']['system']} on the same splits"
    figures = alloy_figures.contest(read_arrays(folder), result["details"]["models"])
    table = Table(header, rows, title="errors in meV/site, held-out orderings")
    return make_section(title, result, name, tables=[table], figures=figures)


def _hull(folder: Path, result: dict[str, Any], name: str) -> Section:
    found = result["details"]["ground_states"]
    columns = list(found[0]) if found else ["no mixed ground state"]
    rows = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in one.values()] for one in found]
    figures = alloy_figures.hull(read_arrays(folder))
    title = f"Ground states of {result['details']['system']}"
    return make_section(
        title, result, name, tables=[metrics_table(result), Table(columns, rows)], figures=figures
    )


def _monte_carlo(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = alloy_figures.monte_carlo(read_arrays(folder), result["metrics"])
    title = f"Monte Carlo of {result['details']['system']}"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


ALLOY_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "alloy energies": _energies,
    "cluster expansion": _expansion,
    "alloy comparison": _contest,
    "alloy hull": _hull,
    "alloy monte carlo": _monte_carlo,
}
"""Kind of result → its section."""
