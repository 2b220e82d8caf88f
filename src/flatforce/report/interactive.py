"""Interactive figures of the page, drawing by plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from flatforce.report.escaping import MAX_NAME, for_plotly, safe_name
from flatforce.report.figures.figure import GREY

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Figure, Panel, Series

PIXELS_PER_INCH = 120
"""Height of a figure on the page for each inch of its height in print."""


def to_html(figure: Figure) -> str:
    """Draw a figure as a `div`; the page must include the script of plotly once.

    Parameters
    ----------
    figure
        Figure to draw.

    Returns
    -------
    HTML of one `div` that plotly's script brings to life.
    """
    text: str = to_plotly(for_plotly(figure)).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{safe_name(figure.name, length=2 * MAX_NAME)}",
        config={"displayModeBar": False, "responsive": True},
    )
    return text


def to_plotly(figure: Figure) -> go.Figure:
    """Draw a figure with plotly.

    Parameters
    ----------
    figure
        Figure to draw.

    Returns
    -------
    Figure of plotly with the same panels, traces and axes.
    """
    widths = [panel.width for panel in figure.panels]
    drawing = make_subplots(
        rows=1,
        cols=len(figure.panels),
        shared_yaxes=figure.share_y,
        column_widths=[width / sum(widths) for width in widths],
        subplot_titles=[panel.title for panel in figure.panels],
        specs=[[{"secondary_y": bool(panel.second_label)} for panel in figure.panels]],
        horizontal_spacing=_spacing(figure),
    )
    legend_names: set[str] = set()
    for column, panel in enumerate(figure.panels, start=1):
        for series in panel.series:
            trace = _trace(series)
            in_legend = bool(series.name) and series.name not in legend_names
            legend_names.add(series.name)
            trace.update(showlegend=in_legend, legendgroup=series.name or None)
            on_second_axis = series.second_axis if panel.second_label else None
            drawing.add_trace(trace, row=1, col=column, secondary_y=on_second_axis)
        _axes(drawing, panel, column, labelled=column == 1 or not figure.share_y)
    drawing.update_layout(
        template="simple_white",
        height=round(figure.height * PIXELS_PER_INCH),
        margin={"l": 60, "r": 20, "t": 75, "b": 50},
        legend={"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0, "xanchor": "left"},
        font={"size": 13},
    )
    drawing.update_annotations(font_size=12)
    return drawing


def _spacing(figure: Figure) -> float:
    if figure.share_y:
        return 0.03
    return 0.15 if any(panel.second_label for panel in figure.panels) else 0.09


def _axes(drawing: go.Figure, panel: Panel, column: int, *, labelled: bool) -> None:
    """Set up the axes of one panel; a second vertical axis is one of fractions."""
    drawing.update_xaxes(row=1, col=column, **_horizontal_axis(panel))
    y = _vertical_axis(panel, labelled=labelled)
    if not panel.second_label:
        drawing.update_yaxes(row=1, col=column, **y)
        return
    drawing.update_yaxes(row=1, col=column, secondary_y=False, **y)
    right = {"title_text": panel.second_label, "range": (0, 1.02), "tickvals": (0, 0.25, 0.5, 0.75, 1)}
    drawing.update_yaxes(row=1, col=column, secondary_y=True, showgrid=False, **right)


def _horizontal_axis(panel: Panel) -> dict[str, Any]:
    axis: dict[str, Any] = {"title_text": panel.x_label, "mirror": True}
    if panel.x_ticks:
        axis |= _ticks(panel.x_ticks) | {"showgrid": True, "gridcolor": GREY}
    if panel.log_x:
        axis["type"] = "log"
    if panel.bare:
        axis["visible"] = False
    if panel.x_range:
        axis["range"] = panel.x_range
    return axis


def _vertical_axis(panel: Panel, *, labelled: bool) -> dict[str, Any]:
    axis: dict[str, Any] = {"mirror": not panel.second_label, **_ticks(panel.y_ticks or ())}
    if labelled:
        axis["title_text"] = panel.y_label
    if panel.log_y:
        axis["type"] = "log"
    if panel.bare:
        axis |= {"visible": False, "scaleanchor": "x"}
    if panel.y_range:
        axis["range"] = panel.y_range
    return axis


def _ticks(ticks: tuple[tuple[float, str], ...]) -> dict[str, Any]:
    return {"tickvals": [x for x, _ in ticks], "ticktext": [text for _, text in ticks]} if ticks else {}


def _trace(series: Series) -> go.Scatter:
    common: dict[str, Any] = {"x": series.x, "y": series.y, "name": series.name}
    if series.style == "points":
        marker: dict[str, Any] = {"size": 2 * series.width, "color": series.colour}
        if series.value is not None:
            marker |= {"color": series.value, "colorscale": "YlOrRd", "cmin": 0.0}
            marker |= {
                "showscale": bool(series.value_name),
                "colorbar": {"title": {"text": series.value_name, "side": "right"}},
            }
        return go.Scatter(mode="markers", marker=marker, **common)
    if series.style == "tiles":
        marker = {"symbol": "square", "size": 30, "color": series.value, "colorscale": "YlGnBu"}
        marker |= {
            "showscale": bool(series.value_name),
            "colorbar": {"title": {"text": series.value_name, "side": "right"}},
        }
        marker |= {"line": {"color": GREY, "width": 0.5}}
        return go.Scatter(mode="markers+text", marker=marker, text=series.texts, **common)
    line: dict[str, Any] = {"color": series.colour, "width": 1.3 * series.width}
    if series.dashed:
        line["dash"] = "dash"
    if series.style == "area":
        fill = "tozerox" if series.sideways else "tozeroy"
        return go.Scatter(mode="lines", fill=fill, line=line | {"width": 0.5}, **common)
    if series.style == "steps":
        line["shape"] = "hvh"
    return go.Scatter(mode="lines", line=line, connectgaps=False, **common)
