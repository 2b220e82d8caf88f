"""Result folders of alloys as sections of a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import alloy as alloy_figures
from flatforce.report.rows import comparison_rows
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


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
    header, *rows = comparison_rows(result)
    title = f"Models of {result['details']['system']} on the same splits"
    figures = alloy_figures.model_comparison(read_arrays(folder), result["details"]["models"])
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
