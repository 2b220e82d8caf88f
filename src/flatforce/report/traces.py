"""Series as traces of plotly, each on the axes of its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go

from flatforce.report.tiles import SCALE, tile_colours

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Panel, Series

SECOND_AXIS: Final = 100
"""Number of the axis opposite to axis 1: a scale in cm⁻¹, or one of fractions."""


def axis_name(kind: str, number: int) -> str:
    """Name an axis as traces refer to it.

    Parameters
    ----------
    kind
        `x` or `y`.
    number
        Number of the panel, from 1; `SECOND_AXIS` more for the opposite axis.

    Returns
    -------
    Name such as `y` or `x2`.
    """
    return kind if number == 1 else f"{kind}{number}"


def panel_traces(panel: Panel, number: int) -> list[go.Scatter]:
    """Draw the series of a panel.

    Parameters
    ----------
    panel
        Description of the panel.
    number
        Number of the panel, from 1.

    Returns
    -------
    Traces with all their points. A second scale needs a trace of its own, which is empty.
    """
    traces = []
    x, y = axis_name("x", number), axis_name("y", number)
    for series in panel.series:
        second = bool(panel.second_label) and series.second_axis
        trace = _trace(series, number)
        trace.update(xaxis=x, yaxis=axis_name("y", SECOND_AXIS + number) if second else y)
        if series.guide:
            trace.update(showlegend=False, hoverinfo="skip")
        traces.append(trace)
    if panel.wavenumbers:
        opposite = axis_name(panel.wavenumbers, SECOND_AXIS + number)
        axes = {"xaxis": x, "yaxis": y} | {f"{panel.wavenumbers}axis": opposite}
        traces.append(go.Scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip", **axes))
    return traces


def _trace(series: Series, number: int) -> go.Scatter:
    common: dict[str, Any] = {"x": series.x, "y": series.y, "name": series.name}
    if series.style == "tiles":
        return _tiles(series, number)
    if series.style == "points":
        marker: dict[str, Any] = {"size": 2 * series.width, "color": series.colour}
        if series.value is not None:
            marker |= {"color": series.value, "coloraxis": colour_axis_name(number)}
        return go.Scatter(mode="markers", marker=marker, **common)
    line: dict[str, Any] = {"color": series.colour, "width": 1.3 * series.width, "simplify": False}
    if series.dashed:
        line["dash"] = "dash"
    if series.style == "area":
        fill = "tozerox" if series.sideways else "tozeroy"
        return go.Scatter(mode="lines", fill=fill, line=line | {"width": 0.5}, **common)
    if series.style == "steps":
        line["shape"] = "hvh"
    return go.Scatter(mode="lines", line=line, connectgaps=False, **common)


def _tiles(series: Series, number: int) -> go.Scatter:
    """Write the texts of the tiles; the tiles themselves are shapes of the layout, which scale with the axes."""
    colours = [text for _, text in tile_colours(series)]
    values = np.full(len(series.x), np.nan) if series.value is None else series.value
    marker = {"color": values, "coloraxis": colour_axis_name(number), "opacity": 0}
    return go.Scatter(
        x=series.x,
        y=series.y,
        mode="markers+text",
        marker=marker,
        text=[text.replace("\n", "<br>") for text in series.texts],
        textfont={"color": colours, "size": 11},
        hoverinfo="skip",
        name=series.name,
    )


def colour_axis_name(number: int) -> str:
    """Name the colour scale of a panel.

    Parameters
    ----------
    number
        Number of the panel, from 1.

    Returns
    -------
    Name such as `coloraxis` or `coloraxis2`.
    """
    return axis_name("coloraxis", number)


def colour_scale(series: Series) -> str | list[str]:
    """Choose the colour scale of a series.

    Parameters
    ----------
    series
        Points or tiles with values.

    Returns
    -------
    Name of a scale of plotly, or its colours.
    """
    return list(SCALE) if series.style == "tiles" else "YlOrRd"
