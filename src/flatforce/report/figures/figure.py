"""Description of a figure that matplotlib (print, notebooks) and plotly (page) both draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flatforce.core.arrays import FloatArray

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#8C6D31")
"""Okabe and Ito's palette, which colour-blind readers can distinguish."""

COLOUR_NAMES: Final = ("blue", "orange", "green", "pink", "yellow", "light blue", "black", "brown")
"""Names of `COLOURS` in captions."""

GREY: Final = "#8a8a8a"

LIGHT_GREY: Final = "#c0c0c0"
"""Lines behind coloured points."""


@dataclass(frozen=True)
class Series:
    """Numbers that are drawn together, as one curve or one set of points."""

    x: FloatArray
    """(N) horizontal coordinates."""
    y: FloatArray
    """(N) vertical coordinates; NaN breaks a line."""
    name: str = ""
    """Entry in the legend, the same for all series that look alike; none if empty, for the only series of a panel and for what
    `guide` marks."""
    guide: bool = False
    """Whether it only guides the eye, such as the line of zero, and needs no entry in the legend."""
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
    wavenumbers: Literal["", "x", "y"] = ""
    """Axis of frequencies in THz that gets a second scale in cm⁻¹ on the opposite side."""
    square: bool = False
    """Whether both axes have the same length; with equal limits, the diagonal is then at 45°."""


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


def panel_title(figure: Figure, number: int) -> str:
    """Write the title of a panel; of several panels, each has a letter, to which the caption refers.

    Parameters
    ----------
    figure
        Figure to draw.
    number
        Number of the panel, from 1.

    Returns
    -------
    Text such as `(b) in plane`; empty where a single panel has no title.
    """
    title = figure.panels[number - 1].title
    if len(figure.panels) == 1:
        return title
    return f"({'abcdefghijklmnopqrstuvwxyz'[number - 1]}) {title}".strip()


def element_colours(symbols: Iterable[str]) -> dict[str, str]:
    """Choose a colour for each element, the same in every figure of a result.

    Parameters
    ----------
    symbols
        Chemical symbols.

    Returns
    -------
    Symbol → hexadecimal RGB, in alphabetical order; the first two colours are left to other curves.
    """
    return {symbol: COLOURS[2 + k % (len(COLOURS) - 2)] for k, symbol in enumerate(sorted(set(symbols)))}


def colour_key(colours: Mapping[str, str]) -> str:
    """Write down which colour stands for what, for a caption.

    Parameters
    ----------
    colours
        Name → one of `COLOURS`.

    Returns
    -------
    Text such as `Se green, W pink`.
    """
    return ", ".join(f"{name} {COLOUR_NAMES[COLOURS.index(colour)]}" for name, colour in colours.items())


def parity_panel(
    labels: FloatArray, points: Sequence[Series], *, x_label: str, y_label: str, title: str = ""
) -> Panel:
    """Draw predictions against labels with equal scales, and the diagonal on which both agree.

    Parameters
    ----------
    labels
        Every label and every prediction, which set the limits of both axes.
    points
        The points.
    x_label
        Quantity and unit of the labels.
    y_label
        Quantity and unit of the predictions.
    title
        Text above the panel.

    Returns
    -------
    A square panel with the same limits on both axes.
    """
    finite = labels[np.isfinite(labels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.5
    limits = (low - margin, high + margin)
    diagonal = Series(np.array(limits), np.array(limits), name="equal", colour=GREY, width=0.8)
    return Panel(
        (diagonal, *points), x_label, y_label, title=title, x_range=limits, y_range=limits, square=True
    )
