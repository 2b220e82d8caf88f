"""Sections of the page about several force fields side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import comparison as comparison_figures
from flatforce.report.figures.benchmark import force_field_comparison
from flatforce.report.rows import force_field_rows
from flatforce.report.sections.section import Section, Table, make_section


def _evaluations(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, details = read_arrays(folder), result["details"]
    models = list(details["models"])
    figures = [
        comparison_figures.errors(details["models"], details["baseline"]),
        comparison_figures.parity(arrays, models),
        comparison_figures.cumulative_errors(arrays, models),
    ]
    groups = details["config_type"]
    if len(next(iter(groups.values()))) > 1:
        figures.append(comparison_figures.config_types(groups))
    title = f"{_listed(models)} on the same frames"
    return make_section(title, result, name, tables=[_table(result)], figures=figures)


def _benchmarks(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, models = read_arrays(folder), result["details"]["models"]
    figures = [
        force_field_comparison(models),
        comparison_figures.relaxed(arrays, list(models)),
    ]
    title = f"Comparison of force fields: relaxations by {_listed(list(models))}"
    return make_section(title, result, name, tables=[_table(result)], figures=figures)


def _phonons(folder: Path, result: dict[str, Any], name: str) -> Section:
    models = list(result["details"]["models"])
    figures = [comparison_figures.bands(read_arrays(folder), models)]
    title = f"Phonons by {_listed(models)}"
    return make_section(title, result, name, tables=[_table(result)], figures=figures)


def _table(result: dict[str, Any]) -> Table:
    header, *rows = force_field_rows(result)
    return Table(header, rows, "Side by side", leads=True)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


COMPARISON_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "evaluation comparison": _evaluations,
    "benchmark comparison": _benchmarks,
    "phonon comparison": _phonons,
}
"""Kind of result → function that makes its section."""
