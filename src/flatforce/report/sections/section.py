"""Data of one section of the page: title, tables, figures, a 3D view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flatforce.report.figures.figure import Figure
from flatforce.report.key_metrics import is_diagnostic
from flatforce.report.summary import Summary, summarise


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
    leads: bool = False
    """Whether it stands above the figures instead of below."""
    folded: bool = False
    """Whether the page shows the title alone until it is clicked, as for diagnostics."""


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
    summary: Summary
    """What was computed, in words, and the numbers that matter."""
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
    The section, with the state and the warnings of the result; the last of its tables are the diagnostics.
    """
    tables = [*content.pop("tables", []), diagnostics_table(result)]
    summary = summarise(result)
    return Section(title, name, result["converged"], result["warnings"], summary, tables, **content)


def metrics_table(result: dict[str, Any]) -> Table:
    """List the metrics of a result, apart from its diagnostics.

    Parameters
    ----------
    result
        Content of `result.json`.

    Returns
    -------
    Columns: quantity, value, unit.
    """
    names = [name for name in result["metrics"] if not is_diagnostic(name)]
    return Table(["quantity", "value", "unit"], _metric_rows(result, names))


def diagnostics_table(result: dict[str, Any]) -> Table:
    """List how a result was computed: residuals, matching of sites, time, inputs, versions.

    Parameters
    ----------
    result
        Content of `result.json`.

    Returns
    -------
    A folded table with columns quantity, value, unit.
    """
    rows = _metric_rows(result, list(filter(is_diagnostic, result["metrics"])))
    wall_time = result.get("wall_time")
    if isinstance(wall_time, int | float):
        rows.append(["wall time", f"{wall_time:.4g}", "s"])
    for name in ("inputs", "versions"):
        entries = result.get(name)
        rows += [[f"{name}: {key}", str(value), ""] for key, value in entries.items()] if entries else []
    rows += [[name, str(result[name]), ""] for name in ("revision", "seed", "key") if result.get(name)]
    return Table(["quantity", "value", "unit"], rows, "Diagnostics", folded=True)


def _metric_rows(result: dict[str, Any], names: list[str]) -> list[list[str]]:
    metrics, units = result["metrics"], result["units"]
    return [
        [name, "–" if metrics[name] is None else f"{metrics[name]:.5g}", units.get(name, "")]
        for name in names
    ]
