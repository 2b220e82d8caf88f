"""One panel of a figure, drawn by matplotlib: series, ranges, ticks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.report.tiles import SCALE, tile_colours, value_limits

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Panel, Series

MAX_LABELLED_RATIO: Final = 200
"""Ratio of the limits of a logarithmic axis below which 1, 2 and 5 of each decade are labelled: powers of ten alone are
too few, and all the labels that matplotlib would write overlap."""

MAX_VECTOR_POINTS: Final = 2000
"""Number of points above which a scatter plot is embedded as an image, so that the PDF stays small."""


def draw_panel(ax: Any, panel: Panel, title: str) -> None:
    """Draw a panel into matplotlib's axes.

    Parameters
    ----------
    ax
        Axes of matplotlib, empty.
    panel
        Description of the panel.
    title
        Text above the panel.
    """
    right = ax.twinx() if panel.second_label else None
    for series in panel.series:
        artist = _draw_series(right if series.second_axis else ax, series)
        if series.value is not None and series.value_name:
            ax.figure.colorbar(artist, ax=ax, label=series.value_name, pad=0.01)
    ax.set(xlabel=panel.x_label, ylabel=panel.y_label, title=title)
    ax.set(xscale="log" if panel.log_x else "linear", yscale="log" if panel.log_y else "linear")
    _label_short_log_axes(ax, panel)
    _set_ranges_and_ticks(ax, panel)
    _add_wavenumbers(ax, panel)
    if right is not None:
        right.set(ylabel=panel.second_label, ylim=(0, 1.02))


def _add_wavenumbers(ax: Any, panel: Panel) -> None:
    """Repeat an axis of frequencies in cm⁻¹ on the opposite side."""
    functions = (lambda thz: THZ_IN_INVERSE_CM * thz, lambda inverse_cm: inverse_cm / THZ_IN_INVERSE_CM)
    if panel.wavenumbers == "x":
        ax.secondary_xaxis("top", functions=functions).set_xlabel("cm⁻¹", labelpad=2)
    elif panel.wavenumbers == "y":
        ax.secondary_yaxis("right", functions=functions).set_ylabel("cm⁻¹")


def _set_ranges_and_ticks(ax: Any, panel: Panel) -> None:
    """Set ranges and ticks where the panel chooses them; a vertical line marks each horizontal tick."""
    if panel.bare:
        ax.set_axis_off()
        ax.set_aspect("equal")
    if panel.x_range:
        ax.set_xlim(*panel.x_range)
    if panel.y_range:
        ax.set_ylim(*panel.y_range)
    if panel.square:
        ax.set_box_aspect(1)
    if panel.x_ticks:
        ax.set_xticks([position for position, _ in panel.x_ticks], [text for _, text in panel.x_ticks])
        for position, _ in panel.x_ticks:
            ax.axvline(position, color="0.7", lw=0.5, zorder=0)
    if panel.y_ticks:
        ax.set_yticks([position for position, _ in panel.y_ticks], [text for _, text in panel.y_ticks])


def _label_short_log_axes(ax: Any, panel: Panel) -> None:
    """Label the ticks of a logarithmic axis of few decades so that they do not overlap."""
    for is_log, axis, limits in (
        (panel.log_x, ax.xaxis, ax.get_xlim()),
        (panel.log_y, ax.yaxis, ax.get_ylim()),
    ):
        if is_log and limits[1] < MAX_LABELLED_RATIO * limits[0]:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())


def _draw_series(ax: Any, series: Series) -> Any:
    label = series.name or None
    if series.style == "points":
        limits = value_limits(series)
        colour: dict[str, Any] = (
            {"c": series.colour}
            if series.value is None
            else {"c": series.value, "cmap": "YlOrRd", "vmin": limits[0], "vmax": limits[1]}
        )
        return ax.scatter(
            series.x,
            series.y,
            s=series.width**2,
            lw=0,
            zorder=3,
            label=label,
            rasterized=len(series.x) > MAX_VECTOR_POINTS,
            **colour,
        )
    if series.style == "tiles":
        return _draw_tiles(ax, series)
    if series.style == "area":
        fill = ax.fill_betweenx if series.sideways else ax.fill_between
        coordinate, value = (series.y, series.x) if series.sideways else (series.x, series.y)
        return fill(
            coordinate, np.zeros_like(value), value, color=series.colour, alpha=0.3, lw=0, label=label
        )
    plot = partial(ax.step, where="mid") if series.style == "steps" else ax.plot
    dash = "--" if series.dashed else "-"
    return plot(series.x, series.y, dash, color=series.colour, lw=series.width, label=label)[0]


def _draw_tiles(ax: Any, series: Series) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.patches import Rectangle

    colours = tile_colours(series)
    squares = [Rectangle((x - 0.46, y - 0.46), 0.92, 0.92) for x, y in zip(series.x, series.y, strict=True)]
    tiles = PatchCollection(squares, facecolor=[fill for fill, _ in colours], edgecolor="0.7", linewidth=0.4)
    ax.add_collection(tiles)
    ax.autoscale_view()
    for x, y, text, (_, colour) in zip(series.x, series.y, series.texts, colours, strict=True):
        ax.text(x, y, text, ha="center", va="center", fontsize=5.5, color=colour)
    return ScalarMappable(
        Normalize(*value_limits(series)), LinearSegmentedColormap.from_list("tiles", list(SCALE))
    )
