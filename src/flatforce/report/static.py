"""Figures for print: PNG and PDF by matplotlib."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.report.figures.figure import Figure, Panel, Series

WIDTH = 7.0
"""Inches: two columns of a journal."""

LEGEND_COLUMNS = 8
"""Entries that fit beside one another."""

FEW_DECADES = 200
"""Ratio of the ends of a logarithmic axis below which 1, 2 and 5 of each decade are named: powers of ten alone are too
few, and all that matplotlib names overlap."""

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


def write_static(figure: Figure, folder: Path) -> list[Path]:
    """Draw a figure and write it twice.

    Parameters
    ----------
    figure
        What to draw.
    folder
        Where `NAME.png` and `NAME.pdf` go.

    Returns
    -------
    The two files.
    """
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        canvas = _draw(figure)
        files = [folder / f"{figure.name}.{kind}" for kind in ("png", "pdf")]
        for path in files:
            write_atomically(path, partial(_save, canvas))
    return files


def _save(canvas: Canvas, path: Path) -> None:
    extra: dict[str, Any] = {"metadata": {"CreationDate": None}} if path.suffix == ".pdf" else {}
    canvas.savefig(path, dpi=200, **extra)


def _draw(figure: Figure) -> Canvas:
    canvas = Canvas(figsize=(WIDTH, figure.height), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(
        1,
        len(figure.panels),
        sharey=figure.share_y,
        squeeze=False,
        gridspec_kw={"width_ratios": [panel.width for panel in figure.panels]},
    )[0]
    for panel, ax in zip(figure.panels, axes, strict=True):
        _draw_panel(canvas, ax, panel)
    if figure.share_y:
        for ax in axes[1:]:
            ax.set_ylabel("")
    _legend(canvas, axes)
    return canvas


def _legend(canvas: Canvas, axes: Any) -> None:
    """One legend above the panels when there are several, else inside the one."""
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
    canvas.legend(handles, list(entries), loc="outside upper center", ncols=columns, markerscale=2.5)


def _draw_panel(canvas: Canvas, ax: Any, panel: Panel) -> None:
    right = ax.twinx() if panel.second_label else None
    for series in panel.series:
        drawn = _draw_series(right if series.second_axis else ax, series)
        if series.value is not None and series.value_name:
            canvas.colorbar(drawn, ax=ax, label=series.value_name, pad=0.01)
    ax.set(xlabel=panel.x_label, ylabel=panel.y_label, title=panel.title)
    ax.set(xscale="log" if panel.log_x else "linear", yscale="log" if panel.log_y else "linear")
    _name_few(ax, panel)
    if panel.bare:
        ax.set_axis_off()
        ax.set_aspect("equal")
    if panel.x_range:
        ax.set_xlim(*panel.x_range)
    if panel.y_range:
        ax.set_ylim(*panel.y_range)
    if panel.x_ticks:
        ax.set_xticks([place for place, _ in panel.x_ticks], [text for _, text in panel.x_ticks])
        for place, _ in panel.x_ticks:
            ax.axvline(place, color="0.7", lw=0.5, zorder=0)
    if panel.y_ticks:
        ax.set_yticks([place for place, _ in panel.y_ticks], [text for _, text in panel.y_ticks])
    if right is not None:
        right.set(ylabel=panel.second_label, ylim=(0, 1.02))


def _name_few(ax: Any, panel: Panel) -> None:
    """Name the ticks of a short logarithmic axis so that they do not overlap."""
    for log, axis, ends in ((panel.log_x, ax.xaxis, ax.get_xlim()), (panel.log_y, ax.yaxis, ax.get_ylim())):
        if log and ends[1] < FEW_DECADES * ends[0]:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())


def _draw_series(ax: Any, series: Series) -> Any:
    label = series.name or None
    dash = "--" if series.dashed else "-"
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
            rasterized=len(series.x) > 2000,
            **colour,
        )
    if series.style == "tiles":
        return _tiles(ax, series)
    if series.style == "area":
        fill = ax.fill_betweenx if series.sideways else ax.fill_between
        along, value = (series.y, series.x) if series.sideways else (series.x, series.y)
        return fill(along, np.zeros_like(value), value, color=series.colour, alpha=0.3, lw=0, label=label)
    draw = partial(ax.step, where="mid") if series.style == "steps" else ax.plot
    return draw(series.x, series.y, dash, color=series.colour, lw=series.width, label=label)[0]


def _tiles(ax: Any, series: Series) -> Any:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    values = np.zeros(len(series.x)) if series.value is None else series.value
    squares = [Rectangle((x - 0.46, y - 0.46), 0.92, 0.92) for x, y in zip(series.x, series.y, strict=True)]
    drawn = PatchCollection(squares, cmap="YlGnBu", edgecolor="0.7", linewidth=0.4)
    drawn.set_array(np.asarray(values))
    ax.add_collection(drawn)
    ax.autoscale_view()
    middle = np.nanmax(values) / 2 if np.isfinite(values).any() else 0.0
    for x, y, text, value in zip(series.x, series.y, series.texts, values, strict=True):
        ax.text(x, y, text, ha="center", va="center", fontsize=5.5, color="w" if value > middle else "k")
    return drawn
