"""Interactive figures of the page, drawn by plotly: panels side by side on a wide screen, one above the other on a phone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go

from flatforce.report.escaping import MAX_NAME, for_plotly, safe_name, script_json
from flatforce.report.layout import NARROW, WIDE, legend_names, make_layout
from flatforce.report.traces import panel_traces

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Figure
    from flatforce.report.layout import Screen

MAX_PHONE_WIDTH: Final = 640
"""Pixels. A narrower window shows the panels one above the other."""

SCRIPT: Final = """(() => {
  const id = %(id)s, data = %(data)s, wide = %(wide)s, narrow = %(narrow)s;
  const phone = window.matchMedia("(max-width: %(width)dpx)");
  const copy = value => JSON.parse(JSON.stringify(value));
  const draw = () => Plotly.react(id, data, copy(phone.matches ? narrow : wide), {displayModeBar: false, responsive: true});
  draw();
  phone.addEventListener("change", draw);
})();"""
"""Draws one figure, and draws it again when the window becomes narrow or wide."""


def to_html(figure: Figure) -> str:
    """Draw a figure as a `div`; the page must include the script of plotly once.

    Parameters
    ----------
    figure
        Figure to draw.

    Returns
    -------
    HTML of one `div` that plotly's script brings to life. It scrolls sideways where the figure has tiles that would be
    illegible on a phone.
    """
    shown = for_plotly(figure)
    wide, narrow = (json.loads(to_plotly(shown, screen).to_json()) for screen in (WIDE, NARROW))
    identifier = f"figure-{safe_name(figure.name, length=2 * MAX_NAME)}"
    script = SCRIPT % {
        "id": script_json(identifier),
        "data": script_json(wide["data"]),
        "wide": script_json(wide["layout"]),
        "narrow": script_json(narrow["layout"]),
        "width": MAX_PHONE_WIDTH,
    }
    has_tiles = any(series.style == "tiles" for panel in figure.panels for series in panel.series)
    width = f"min-width:{MAX_PHONE_WIDTH + 80}px" if has_tiles else "width:100%"
    return (
        f'<div style="overflow-x:auto"><div id="{identifier}" class="plotly-graph-div" style="{width}"></div></div>'
        f"<script>{script}</script>"
    )


def to_plotly(figure: Figure, screen: Screen = WIDE) -> go.Figure:
    """Draw a figure with plotly.

    Parameters
    ----------
    figure
        Figure to draw.
    screen
        Where it is shown.

    Returns
    -------
    Figure of plotly; traces and their axes are the same on every screen.
    """
    traces: list[go.Scatter] = []
    shown: set[str] = set()
    for number, panel in enumerate(figure.panels, start=1):
        for trace in panel_traces(panel, number):
            in_legend = bool(trace.name) and trace.name not in shown and trace.showlegend is not False
            if in_legend:
                shown.add(trace.name)
            trace.update(showlegend=in_legend, legendgroup=trace.name or None)
            traces.append(trace)
    return go.Figure(traces, make_layout(figure, screen, legend_names(figure)))
