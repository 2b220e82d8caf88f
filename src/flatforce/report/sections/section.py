"""A section of a page: title, tables, figures, a 3D view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flatforce.report.figures.figure import Figure


@dataclass(frozen=True)
class Table:
    """Rows of texts."""

    columns: list[str]
    rows: list[list[str]]
    title: str = ""
    modes: bool = False
    """Whether each row is a mode that the 3D view of the section can move."""


@dataclass(frozen=True)
class Section:
    """What one result folder has to show."""

    title: str
    folder: str
    """Relative to the page's subject."""
    converged: bool
    warnings: list[str]
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    scene: dict[str, Any] | None = None


def make_section(title: str, result: dict[str, Any], name: str, **content: Any) -> Section:
    """Make a section of a result.

    Parameters
    ----------
    title
        Its title.
    result
        `result.json`.
    name
        The folder, relative to the page's subject.
    **content
        Tables, figures, scene.

    Returns
    -------
    The section.
    """
    return Section(title, name, result["converged"], result["warnings"], **content)


def metrics_table(result: dict[str, Any]) -> Table:
    """List the metrics of a record.

    Parameters
    ----------
    result
        `result.json`.

    Returns
    -------
    Quantity, value, unit.
    """
    units = result["units"]
    rows = [
        [key, "–" if value is None else f"{value:.5g}", units.get(key, "")]
        for key, value in result["metrics"].items()
    ]
    return Table(["quantity", "value", "unit"], rows)
