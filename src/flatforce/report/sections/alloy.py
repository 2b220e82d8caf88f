"""Sections of the page about alloys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import alloy as alloy_figures
from flatforce.report.figures import alloy_models
from flatforce.report.rows import comparison_rows
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


def _energies(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = alloy_figures.formation(read_arrays(folder), result["details"]["species"])
    tables = [metrics_table(result)]
    if dropped := result["details"]["dropped"]:
        tables.append(Table(["ordering", "dropped because it"], [list(map(str, pair)) for pair in dropped]))
    title = f"Formation energies of {result['details']['system']}"
    return make_section(title, result, name, tables=tables, figures=figures)


def _expansion(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = alloy_figures.expansion(read_arrays(folder), result["metrics"])
    title = f"Cluster expansion of {result['details']['system']}"
    cutoffs = ", ".join(f"{cutoff:.2f}" for cutoff in result["details"]["cutoffs"])
    settings = Table(["", ""], [["cutoffs (Å)", cutoffs], ["regression", result["details"]["method"]]])
    return make_section(title, result, name, tables=[metrics_table(result), settings], figures=figures)


def _model_comparison(folder: Path, result: dict[str, Any], name: str) -> Section:
    header, *rows = comparison_rows(result)
    title = f"Model comparison for {result['details']['system']}"
    figures = alloy_models.model_comparison(read_arrays(folder), result["details"]["models"])
    table = Table(header, rows, title="Errors on held-out orderings (meV/site)")
    return make_section(title, result, name, tables=[table], figures=figures)


def _hull(folder: Path, result: dict[str, Any], name: str) -> Section:
    ground_states = result["details"]["ground_states"]
    columns = (
        [name.replace("_", " ") for name in ground_states[0]] if ground_states else ["no mixed ground state"]
    )
    rows = [
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in state.values()]
        for state in ground_states
    ]
    figures = alloy_figures.hull(read_arrays(folder))
    title = f"Ground states of {result['details']['system']}"
    return make_section(
        title,
        result,
        name,
        tables=[metrics_table(result), Table(columns, rows, "Ground states")],
        figures=figures,
    )


def _monte_carlo(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = alloy_figures.monte_carlo(read_arrays(folder), result["metrics"])
    title = f"Monte Carlo sampling of {result['details']['system']}"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


ALLOY_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "alloy energies": _energies,
    "cluster expansion": _expansion,
    "alloy comparison": _model_comparison,
    "alloy hull": _hull,
    "alloy monte carlo": _monte_carlo,
}
"""Kind of result → function that makes its section."""
