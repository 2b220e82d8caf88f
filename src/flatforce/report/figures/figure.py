"""Description of a figure that matplotlib (print, notebooks) and plotly (page) both draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#8C6D31")
"""Okabe and Ito's palette, which colour-blind readers can distinguish."""

GREY: Final = "#9a9a9a"


@dataclass(frozen=True)
class Series:
    """Numbers that are drawn together, as one curve or one set of points."""

    x: FloatArray
    """(N) horizontal coordinates."""
    y: FloatArray
    """(N) vertical coordinates; NaN breaks a line."""
    name: str = ""
    """Entry in the legend; none if empty."""
    style: Literal["line", "points", "area", "steps", "tiles"] = "line"
    """An area is filled to zero; tiles are unit squares that hold a text."""
    colour: str = COLOURS[0]
    """Hexadecimal RGB."""
    value: FloatArray | None = None
    """(N) numbers that set the colour of each point, instead of `colour`."""
    value_name: str = ""
    """Label of the colour bar; no colour bar if empty."""
    texts: tuple[str, ...] = ()
    """(N) texts of the tiles."""
    width: float = 1.4
    """Width of a line, or diameter of a point, in points (1/72 inch)."""
    dashed: bool = False
    """Whether the line is dashed."""
    sideways: bool = False
    """Whether an area is filled towards x = 0 instead of y = 0."""
    second_axis: bool = False
    """Whether the series belongs to the axis on the right, which goes from 0 to 1."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    series: tuple[Series, ...]
    """What is drawn, the first at the back."""
    x_label: str
    """Quantity and unit of the horizontal axis."""
    y_label: str = ""
    """Quantity and unit of the vertical axis."""
    title: str = ""
    """Text above the panel."""
    x_range: tuple[float, float] | None = None
    """Limits of the horizontal axis; those of the data if not given."""
    y_range: tuple[float, float] | None = None
    """Limits of the vertical axis; those of the data if not given."""
    x_ticks: tuple[tuple[float, str], ...] | None = None
    """Position and text of each tick; a vertical line is drawn at each position."""
    y_ticks: tuple[tuple[float, str], ...] | None = None
    """Position and text of each tick."""
    width: float = 1.0
    """Width relative to the other panels."""
    log_y: bool = False
    """Whether the vertical axis is logarithmic."""
    log_x: bool = False
    """Whether the horizontal axis is logarithmic."""
    bare: bool = False
    """Whether the axes are left out, as around a table."""
    second_label: str = ""
    """Quantity of the axis on the right; no such axis if empty."""


@dataclass(frozen=True)
class Figure:
    """Panels in a row."""

    name: str
    """Name of the figure and of its files."""
    caption: str
    """Text below the figure."""
    panels: tuple[Panel, ...]
    """Panels from left to right."""
    share_y: bool = False
    """Whether the panels share one vertical axis, which is labelled once."""
    height: float = 3.0
    """Height in print (inches); the width is 7 inches, two columns of a journal."""
