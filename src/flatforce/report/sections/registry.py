"""Sections of the page by kind of result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.report.sections.alloy import ALLOY_MAKERS
from flatforce.report.sections.barriers import BARRIER_MAKERS
from flatforce.report.sections.comparison import COMPARISON_MAKERS
from flatforce.report.sections.export import EXPORT_MAKERS
from flatforce.report.sections.learning import LEARNING_MAKERS
from flatforce.report.sections.mechanics import MECHANICS_MAKERS
from flatforce.report.sections.model import MODEL_MAKERS
from flatforce.report.sections.phonons import PHONON_MAKERS
from flatforce.report.sections.screening import SCREENING_MAKERS
from flatforce.report.sections.section import Section, make_section, metrics_table


def section_of(folder: Path, result: dict[str, Any], name: str) -> Section:
    """Make the section of a result folder.

    Parameters
    ----------
    folder
        Result folder.
    result
        Content of its `result.json`.
    name
        Folder, relative to the one that the page is about.

    Returns
    -------
    The section; a kind without figures shows its metrics alone.
    """
    make = MAKERS.get(result["kind"], _metrics_section)
    return make(folder, result, name)


def _metrics_section(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    return make_section(result["kind"].capitalize(), result, name, tables=[metrics_table(result)])


MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    **COMPARISON_MAKERS,
    **MODEL_MAKERS,
    **MECHANICS_MAKERS,
    **SCREENING_MAKERS,
    **BARRIER_MAKERS,
    **PHONON_MAKERS,
    **ALLOY_MAKERS,
    **LEARNING_MAKERS,
    **EXPORT_MAKERS,
}
"""Kind of result → function that makes its section; the page shows the kinds in this order."""
