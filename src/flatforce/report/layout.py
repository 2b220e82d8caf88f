"""Where the panels, legends and colour bars of an interactive figure are on a screen."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flatforce.report.axes import horizontal_axis, opposite_axis, vertical_axis
from flatforce.report.colour_bars import BOTTOM, colour_axis, tile_shapes
from flatforce.report.figures.figure import panel_title
from flatforce.report.traces import SECOND_AXIS, axis_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.report.figures.figure import Figure, Panel


@dataclass(frozen=True)
class Screen:
    """What a figure has to fit into; lengths in pixels."""

    width: int
    """Width of the figure, from which the number of rows of the legend is estimated."""
    stacked: bool
    """Whether the panels are one above the other."""
    font_size: int
    """Size of the text."""
    pixels_per_inch: int
    """Height of a panel for each inch of its height in print."""
    side_margins: tuple[int, int]
    """Left and right of the panels."""
    gap: int
    """Between two panels, for the labels of the axes between them."""


WIDE: Final = Screen(1000, stacked=False, font_size=13, pixels_per_inch=110, side_margins=(70, 65), gap=90)
"""A desktop computer."""

NARROW: Final = Screen(350, stacked=True, font_size=12, pixels_per_inch=90, side_margins=(58, 52), gap=62)
"""A phone."""

LEGEND_ROW: Final = 29
"""Pixels, height of a row of a legend."""

LEGEND_KEY: Final = 45
"""Pixels, width of the line or point of an entry of a legend, and of the space after it."""

CHARACTER: Final = 0.56
"""Mean width of a character relative to the size of the font."""

TITLE: Final = 22
"""Pixels, height of the title of a panel."""

TOP_SCALE: Final = 46
"""Pixels, height of a scale above a panel, with its label."""

COLOUR_BAR: Final = 62
"""Pixels, height of a colour bar that lies below a panel."""

MIN_PANEL: Final = 200
"""Pixels, smallest height of a stacked panel."""

MAX_SQUARE: Final = 300
"""Pixels, largest height of a square panel on a phone."""


def legend_names(figure: Figure) -> list[str]:
    """List the entries of the legend.

    Parameters
    ----------
    figure
        Figure to draw.

    Returns
    -------
    Each name once, in the order of the series.
    """
    names = [series.name for panel in figure.panels for series in panel.series if not series.guide]
    return list(dict.fromkeys(name for name in names if name))


def make_layout(figure: Figure, screen: Screen, names: Sequence[str]) -> dict[str, Any]:
    """Place panels, titles, legend and colour bars.

    Parameters
    ----------
    figure
        Figure to draw.
    screen
        Where it is shown.
    names
        Entries of the legend.

    Returns
    -------
    Layout of plotly: domains of all axes in fractions of the plotting area, height and margins in pixels, legend, titles.
    """
    top = _legend_height(names, screen) + max(
        _height_above(panel) for panel in figure.panels[: 1 if screen.stacked else None]
    )
    bar = COLOUR_BAR if any(map(_has_bar, figure.panels[-1:] if screen.stacked else figure.panels)) else 0
    bottom = BOTTOM + bar
    heights = _panel_heights(figure, screen)
    between = [
        screen.gap + COLOUR_BAR * _has_bar(upper) + _height_above(lower)
        for upper, lower in itertools.pairwise(figure.panels if screen.stacked else ())
    ]
    plot_height = sum(heights) + sum(between)
    layout: dict[str, Any] = {
        "template": "simple_white",
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {"size": screen.font_size, "color": "#1c1c1c"},
        "height": top + plot_height + bottom,
        "margin": {"l": screen.side_margins[0], "r": screen.side_margins[1], "t": top, "b": bottom},
        "legend": {
            "orientation": "h",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "x": 0,
            "xanchor": "left",
        },
        "showlegend": bool(names),
        "annotations": [],
        "shapes": [],
    }
    domains = _domains(figure, screen, heights=heights, gaps=between)
    for number, (panel, (x_domain, y_domain)) in enumerate(zip(figure.panels, domains, strict=True), start=1):
        _add_axes(layout, panel, number, domains=(x_domain, y_domain))
        labelled = screen.stacked or not figure.share_y or number == 1
        if not labelled:
            layout[_key("y", number)] |= {"matches": "y", "showticklabels": False}
            layout[_key("y", number)].pop("title", None)
        title = panel_title(figure, number)
        if title:
            offset = TOP_SCALE if panel.wavenumbers == "x" else 2
            layout["annotations"].append(_title(title, x_domain, y_domain, offset, screen))
        for series in panel.series:
            layout |= colour_axis(series, number, domain=(x_domain, y_domain), height=plot_height)
            layout["shapes"] += tile_shapes(series, number)
    return layout


def _key(kind: str, number: int) -> str:
    """Name of an axis as the layout spells it: `xaxis2` for `x2`."""
    return axis_name(f"{kind}axis", number)


def _has_bar(panel: Panel) -> bool:
    return any(series.value is not None and series.value_name for series in panel.series)


def _height_above(panel: Panel) -> int:
    return 8 + TITLE + (TOP_SCALE if panel.wavenumbers == "x" else 0)


def _legend_height(names: Sequence[str], screen: Screen) -> int:
    """Estimate the height of the legend; entries have one width in plotly, that of the longest."""
    if not names:
        return 0
    width = LEGEND_KEY + CHARACTER * screen.font_size * max(map(len, names))
    columns = max(1, int((screen.width - 20) / width))
    return LEGEND_ROW * -(-len(names) // columns) + 22


def _panel_heights(figure: Figure, screen: Screen) -> list[int]:
    height = round(figure.height * screen.pixels_per_inch)
    if not screen.stacked:
        return [height]
    return [
        min(MAX_SQUARE, screen.width - sum(screen.side_margins)) if panel.square else max(MIN_PANEL, height)
        for panel in figure.panels
    ]


def _domains(
    figure: Figure, screen: Screen, *, heights: Sequence[int], gaps: Sequence[int]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Fractions of the plotting area that each panel takes, horizontally and vertically."""
    if screen.stacked:
        total = sum(heights) + sum(gaps)
        tops = [0, *itertools.accumulate(h + g for h, g in zip(heights, gaps, strict=False))]
        return [
            ((0.0, 1.0), (1 - (top + height) / total, 1 - top / total))
            for top, height in zip(tops, heights, strict=True)
        ]
    gap = (
        30 if figure.share_y else screen.gap + 30 * any(p.second_label for p in figure.panels)
    ) / screen.width
    free = 1 - gap * (len(figure.panels) - 1)
    widths = [panel.width * free / sum(panel.width for panel in figure.panels) for panel in figure.panels]
    starts = [0.0, *itertools.accumulate(width + gap for width in widths)]
    return [
        ((start, min(1.0, start + width)), (0.0, 1.0)) for start, width in zip(starts, widths, strict=False)
    ]


def _add_axes(
    layout: dict[str, Any],
    panel: Panel,
    number: int,
    *,
    domains: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    x, y = axis_name("x", number), axis_name("y", number)
    layout[_key("x", number)] = {**horizontal_axis(panel), "domain": domains[0], "anchor": y}
    layout[_key("y", number)] = {**vertical_axis(panel), "domain": domains[1], "anchor": x}
    if panel.square or panel.bare:
        layout[_key("y", number)] |= {"scaleanchor": x, "constrain": "domain"}
        layout[_key("x", number)] |= {"constrain": "domain"}
    if panel.wavenumbers or panel.second_label:
        kind = panel.wavenumbers or "y"
        layout[_key(kind, SECOND_AXIS + number)] = opposite_axis(panel) | {
            "overlaying": axis_name(kind, number),
            "anchor": y if kind == "x" else x,
        }


def _title(
    text: str, x_domain: tuple[float, float], y_domain: tuple[float, float], offset: int, screen: Screen
) -> dict[str, Any]:
    return {
        "text": text,
        "x": sum(x_domain) / 2,
        "y": y_domain[1],
        "yshift": offset,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": screen.font_size},
    }
