"""Figures for print and for notebooks, drawn by matplotlib."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from flatforce.core.errors import ResultError
from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from flatforce.report.figures.figure import Figure, Panel, Series

WIDTH: Final = 7.0
"""Inches: two columns of a journal."""

LEGEND_COLUMNS: Final = 8
"""Number of legend entries that fit beside one another."""

MAX_LABELLED_RATIO: Final = 200
"""Ratio of the limits of a logarithmic axis below which 1, 2 and 5 of each decade are labelled: powers of ten alone are
too few, and all the labels that matplotlib would write overlap."""

MAX_VECTOR_POINTS: Final = 2000
"""Number of points above which a scatter plot is embedded as an image, so that the PDF stays small."""

SCREEN_DPI: Final = 120
"""Dots per inch of a figure that a notebook shows."""

STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.linewidth": 0.7,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "pdf.fonttype": 42,
}
"""Journals want embedded outlines (fonttype 42)."""


class NotebookFigure(MatplotlibFigure):
    """A matplotlib figure that a notebook shows although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=SCREEN_DPI)
        return buffer.getvalue()


def write_static(figure: Figure, folder: Path) -> list[Path]:
    """Draw a figure and write it as PNG and PDF.

    Parameters
    ----------
    figure
        Figure to draw.
    folder
        Folder of `NAME.png` and `NAME.pdf`.

    Returns
    -------
    Paths of the PNG and of the PDF, in this order.
    """
    with mpl.rc_context(STYLE):
        drawing = _draw(figure)
        paths = [folder / f"{figure.name}.{extension}" for extension in ("png", "pdf")]
        for path in paths:
            write_atomically(path, partial(_save, drawing))
    return paths


def draw(figure: Figure, axes: Sequence[Axes] | None = None) -> MatplotlibFigure:
    """Draw a figure with matplotlib, without pyplot and without a window.

    Parameters
    ----------
    figure
        Figure to draw.
    axes
        One axes for each panel, to draw into; a new figure if not given.

    Returns
    -------
    The matplotlib figure, styled as on the page.

    Raises
    ------
    ResultError
        If the number of axes is not the number of panels.
    """
    if axes is not None and len(axes) != len(figure.panels):
        raise ResultError(
            f"The figure {figure.name} has {len(figure.panels)} panels, but {len(axes)} axes were given.",
            fix=f"pass {len(figure.panels)} axes, or leave them out",
        )
    with mpl.rc_context(STYLE):
        if axes is None:
            drawing: MatplotlibFigure = _draw(figure)
            drawing.draw_without_rendering()  # ticks are made while drawing and take the style of that moment
            return drawing
        for panel, ax in zip(figure.panels, axes, strict=True):
            _draw_panel(ax, panel)
            if ax.get_legend_handles_labels()[0]:
                ax.legend()
    owner = axes[0].get_figure(root=True)
    assert owner is not None  # noqa: S101  # axes that were given belong to a figure
    return owner


def _save(drawing: MatplotlibFigure, path: Path) -> None:
    options: dict[str, Any] = {"metadata": {"CreationDate": None}} if path.suffix == ".pdf" else {}
    drawing.savefig(path, dpi=200, **options)


def _draw(figure: Figure) -> NotebookFigure:
    drawing = NotebookFigure(figsize=(WIDTH, figure.height), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots(
        1,
        len(figure.panels),
        sharey=figure.share_y,
        squeeze=False,
        gridspec_kw={"width_ratios": [panel.width for panel in figure.panels]},
    )[0]
    for panel, ax in zip(figure.panels, axes, strict=True):
        _draw_panel(ax, panel)
    if figure.share_y:
        for ax in axes[1:]:
            ax.set_ylabel("")
    _draw_legend(drawing, axes)
    return drawing


def _draw_legend(drawing: MatplotlibFigure, axes: Any) -> None:
    """Draw one legend above the panels when there are several, else inside the only one."""
    entries: dict[str, Any] = {}
    for ax in axes:
        entries |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    if not entries:
        return
    if len(axes) == 1:
        axes[0].legend()
        return
    columns = min(len(entries), LEGEND_COLUMNS)
    handles = list(entries.values())
    drawing.legend(handles, list(entries), loc="outside upper center", ncols=columns, markerscale=2.5)


def _draw_panel(ax: Any, panel: Panel) -> None:
    right = ax.twinx() if panel.second_label else None
    for series in panel.series:
        artist = _draw_series(right if series.second_axis else ax, series)
        if series.value is not None and series.value_name:
            ax.figure.colorbar(artist, ax=ax, label=series.value_name, pad=0.01)
    ax.set(xlabel=panel.x_label, ylabel=panel.y_label, title=panel.title)
    ax.set(xscale="log" if panel.log_x else "linear", yscale="log" if panel.log_y else "linear")
    _label_short_log_axes(ax, panel)
    if panel.bare:
        ax.set_axis_off()
        ax.set_aspect("equal")
    if panel.x_range:
        ax.set_xlim(*panel.x_range)
    if panel.y_range:
        ax.set_ylim(*panel.y_range)
    if panel.x_ticks:
        ax.set_xticks([position for position, _ in panel.x_ticks], [text for _, text in panel.x_ticks])
        for position, _ in panel.x_ticks:
            ax.axvline(position, color="0.7", lw=0.5, zorder=0)
    if panel.y_ticks:
        ax.set_yticks([position for position, _ in panel.y_ticks], [text for _, text in panel.y_ticks])
    if right is not None:
        right.set(ylabel=panel.second_label, ylim=(0, 1.02))


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
        colour = (
            {"c": series.colour}
            if series.value is None
            else {"c": series.value, "cmap": "YlOrRd", "vmin": 0.0}
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
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    values = np.zeros(len(series.x)) if series.value is None else series.value
    squares = [Rectangle((x - 0.46, y - 0.46), 0.92, 0.92) for x, y in zip(series.x, series.y, strict=True)]
    tiles = PatchCollection(squares, cmap="YlGnBu", edgecolor="0.7", linewidth=0.4)
    tiles.set_array(np.asarray(values))
    ax.add_collection(tiles)
    ax.autoscale_view()
    middle = np.nanmax(values) / 2 if np.isfinite(values).any() else 0.0
    for x, y, text, value in zip(series.x, series.y, series.texts, values, strict=True):
        ax.text(x, y, text, ha="center", va="center", fontsize=5.5, color="w" if value > middle else "k")
    return tiles
