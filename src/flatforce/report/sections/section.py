"""Data of one section of the page: title, tables, figures, a 3D view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flatforce.report.figures.figure import Figure


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    columns: list[str]
    """Headings."""
    rows: list[list[str]]
    """Texts of each row, one for each column."""
    title: str = ""
    """Text above the table."""
    modes: bool = False
    """Whether each row is a mode that the 3D view of the section can animate."""


@dataclass(frozen=True)
class Section:
    """What the page shows of one result folder."""

    title: str
    """Heading."""
    folder: str
    """Folder, relative to the one that the page is about."""
    converged: bool
    """Whether the result passed its own checks."""
    warnings: list[str]
    """Warnings of the result."""
    tables: list[Table] = field(default_factory=list)
    """Tables, below the figures."""
    figures: list[Figure] = field(default_factory=list)
    """Figures, in order."""
    scene: dict[str, Any] | None = None
    """Data of the 3D view, see `report.viewer`."""


def make_section(title: str, result: dict[str, Any], name: str, **content: Any) -> Section:
    """Make the section of a result.

    Parameters
    ----------
    title
        Heading.
    result
        Content of `result.json`.
    name
        Folder, relative to the one that the page is about.
    **content
        Tables, figures and scene.

    Returns
    -------
    The section, with the state and the warnings of the result.
    """
    return Section(title, name, result["converged"], result["warnings"], **content)


def metrics_table(result: dict[str, Any]) -> Table:
    """List the metrics of a result.

    Parameters
    ----------
    result
        Content of `result.json`.

    Returns
    -------
    Columns: quantity, value, unit.
    """
    units = result["units"]
    rows = [
        [key, "–" if value is None else f"{value:.5g}", units.get(key, "")]
        for key, value in result["metrics"].items()
    ]
    return Table(["quantity", "value", "unit"], rows)
