"""Sections of the page about exports to other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures.export import agreement
from flatforce.report.sections.section import Section, Table, make_section, metrics_table

PROGRAMS: Final = {"lammps": "LAMMPS", "symmetrix": "symmetrix", "ase": "ASE"}
"""Value of `--to` → name of the program."""


def _model(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays = read_arrays(folder)
    tolerance = result["config"]["max_force_difference"]
    figure = agreement(
        arrays["forces"], arrays["exported_forces"], quantity="force", unit="eV/Å", tolerance=tolerance
    )
    title = f"Export to {PROGRAMS[result['config']['to']]}, compared in {result['details']['compared_in']}"
    tables = [metrics_table(result), _files(result)]
    return make_section(title, result, name, tables=tables, figures=[figure])


def _force_constants(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays = read_arrays(folder)
    figure = agreement(
        arrays["frequencies"],
        arrays["exported_frequencies"],
        quantity="frequency",
        unit="THz",
        tolerance=result["config"]["max_frequency_difference"],
    )
    tables = [metrics_table(result), _files(result)]
    return make_section("Export to phonopy", result, name, tables=tables, figures=[figure])


def _files(result: dict[str, Any]) -> Table:
    rows = [[file, digest] for file, digest in result["details"]["files"].items()]
    return Table(["file", "hash (start of SHA-256)"], rows, "Files of the export")


EXPORT_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "model export": _model,
    "force constants export": _force_constants,
}
"""Kind of result → function that makes its section."""
