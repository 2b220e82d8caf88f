"""Result folders as sections of a page: title, tables, figures, 3D views."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.report.sections.alloy import ALLOY_MAKERS
from flatforce.report.sections.learning import LEARNING_MAKERS
from flatforce.report.sections.model import MODEL_MAKERS
from flatforce.report.sections.phonons import PHONON_MAKERS
from flatforce.report.sections.section import Section, make_section, metrics_table


def section_of(folder: Path, result: dict[str, Any], name: str) -> Section:
    """Turn a result folder into a section.

    Parameters
    ----------
    folder
        The result folder.
    result
        Its `result.json`.
    name
        The folder, relative to the page's subject.

    Returns
    -------
    The section; a kind that has no figures shows its numbers.
    """
    make = MAKERS.get(result["kind"], _numbers)
    return make(folder, result, name)


def _numbers(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    return make_section(result["kind"], result, name, tables=[metrics_table(result)])


MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    **MODEL_MAKERS,
    **PHONON_MAKERS,
    **ALLOY_MAKERS,
    **LEARNING_MAKERS,
}
"""Kind of result → its section; the page shows them in this order."""
