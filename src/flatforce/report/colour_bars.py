"""Colour bars and tiles of an interactive figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flatforce.report.tiles import tile_colours, value_limits
from flatforce.report.traces import axis_name, colour_axis_name, colour_scale

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Series

BOTTOM: Final = 48
"""Pixels, height of ticks and label below a panel."""


def colour_axis(
    series: Series,
    number: int,
    *,
    domain: tuple[tuple[float, float], tuple[float, float]],
    height: int,
) -> dict[str, Any]:
    """Describe the colour scale of a series, with a bar below its panel.

    Parameters
    ----------
    series
        Points or tiles.
    number
        Number of the panel, from 1.
    domain
        Fractions of the plotting area that the panel takes, horizontally and vertically.
    height
        Pixels, height of the plotting area.

    Returns
    -------
    Name of the colour axis → its properties in plotly's layout; empty for a series without values.
    """
    if series.value is None:
        return {}
    (left, right), (bottom, _) = domain
    low, high = value_limits(series)
    bar = {
        "orientation": "h",
        "title": {"text": series.value_name, "side": "bottom", "font": {"size": 13}},
        "thickness": 10,
        "x": (left + right) / 2,
        "len": 0.9 * (right - left),
        "y": bottom - BOTTOM * 0.75 / height,
        "yanchor": "top",
    }
    return {
        colour_axis_name(number): {
            "colorscale": colour_scale(series),
            "cmin": low,
            "cmax": high,
            "showscale": bool(series.value_name),
            "colorbar": bar,
        }
    }


def tile_shapes(series: Series, number: int) -> list[dict[str, Any]]:
    """Draw tiles as squares that scale with the axes.

    Parameters
    ----------
    series
        A series of any style.
    number
        Number of the panel, from 1.

    Returns
    -------
    Shapes of plotly's layout, one for each tile; none for another style.
    """
    if series.style != "tiles":
        return []
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": axis_name("x", number),
            "yref": axis_name("y", number),
            "x0": float(x) - 0.46,
            "x1": float(x) + 0.46,
            "y0": float(y) - 0.46,
            "y1": float(y) + 0.46,
            "fillcolor": fill,
            "opacity": 1.0,  # plotly's template makes shapes transparent
            "line": {"color": "#b3b3b3", "width": 0.5},
        }
        for x, y, (fill, _) in zip(series.x, series.y, tile_colours(series), strict=True)
    ]
