"""Sections of the page about paths of minimum energy and hops of defects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import barriers as figures
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


def _neb(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    known = details["training_range"] or {"shortest_distances": {}}
    shown = figures.path(read_arrays(folder), pairs=details["pairs"], shortest=known["shortest_distances"])
    return make_section("Path of minimum energy", result, name, tables=[metrics_table(result)], figures=shown)


def _hops(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    rows = [
        [
            hop["name"],
            hop["description"],
            str(hop["multiplicity"]),
            *(_number(hop[quantity]) for quantity in ("barrier", "barrier_reverse", "attempt_frequency")),
            "yes" if hop["converged"] else "no",
        ]
        for hop in result["details"]["hops"]
    ]
    header = [
        "hop",
        "step",
        "equal hops",
        "barrier (eV)",
        "reverse (eV)",
        "attempt frequency (THz)",
        "converged",
    ]
    table = Table(header, rows, f"First hops of {result['details']['defect']}", leads=True)
    return make_section("Hops", result, name, tables=[table])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


BARRIER_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "neb": _neb,
    "hops": _hops,
}
"""Kind of result → function that makes its section."""
