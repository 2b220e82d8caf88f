"""What a figure shows, apart from who draws it: matplotlib for print, plotly for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#8C6D31")
"""Okabe and Ito's palette: told apart by colour-blind readers."""

GREY: Final = "#9a9a9a"


@dataclass(frozen=True)
class Series:
    """One set of numbers."""

    x: FloatArray
    y: FloatArray
    """NaN breaks a line."""
    name: str = ""
    """Entry of the legend; empty for none."""
    style: Literal["line", "points", "area", "steps", "tiles"] = "line"
    """An area is filled to zero; tiles are unit squares with a text in each."""
    colour: str = COLOURS[0]
    value: FloatArray | None = None
    """Colours points one by one, instead of `colour`."""
    value_name: str = ""
    texts: tuple[str, ...] = ()
    """Of tiles."""
    width: float = 1.4
    """Points of a line; diameter of a point."""
    dashed: bool = False
    sideways: bool = False
    """Of an area: filled towards x = 0 instead of y = 0."""
    second_axis: bool = False
    """Belongs to the axis on the right, from 0 to 1."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    series: tuple[Series, ...]
    x_label: str
    y_label: str = ""
    title: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    x_ticks: tuple[tuple[float, str], ...] | None = None
    """Places and texts; a vertical rule stands at each."""
    y_ticks: tuple[tuple[float, str], ...] | None = None
    """Places and texts."""
    width: float = 1.0
    """Relative to the other panels."""
    log_y: bool = False
    log_x: bool = False
    bare: bool = False
    """Whether axes are left out, as around a table."""
    second_label: str = ""
    """Of the axis on the right."""


@dataclass(frozen=True)
class Figure:
    """Panels in a row."""

    name: str
    """Of the files."""
    caption: str
    panels: tuple[Panel, ...]
    share_y: bool = False
    """Whether the panels have one vertical axis, drawn once."""
    height: float = 3.0
    """Inches in print; the width is that of two columns, 7."""
