"""Figures for print and for notebooks, drawn by matplotlib."""

from __future__ import annotations

import io
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MatplotlibFigure

from flatforce.core.errors import ResultError
from flatforce.report.escaping import for_matplotlib
from flatforce.report.figures.figure import panel_title
from flatforce.report.panels import draw_panel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from flatforce.core.written import WrittenFiles
    from flatforce.report.figures.figure import Figure

WIDTH: Final = 7.0
"""Inches: two columns of a journal."""

LEGEND_WIDTH: Final = 120
"""Number of characters that fit into one row of a legend."""

LEGEND_KEY_WIDTH: Final = 8
"""Width of the line or point of an entry of a legend, in characters."""

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
    "path.simplify": False,
}
"""Journals want embedded outlines (fonttype 42); every computed point is drawn."""


class NotebookFigure(MatplotlibFigure):
    """A matplotlib figure that a notebook shows although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=SCREEN_DPI)
        return buffer.getvalue()


def static_paths(figure: Figure, folder: Path) -> list[Path]:
    """Name the files of a figure.

    Parameters
    ----------
    figure
        The figure.
    folder
        Folder of `NAME.png` and `NAME.pdf`.

    Returns
    -------
    Paths of the PNG and of the PDF, in this order.
    """
    return [folder / f"{figure.name}.{extension}" for extension in ("png", "pdf")]


def write_static(figure: Figure, folder: Path, written: WrittenFiles) -> list[Path]:
    """Draw a figure and write it as PNG and PDF.

    Parameters
    ----------
    figure
        Figure to draw.
    folder
        Folder of `NAME.png` and `NAME.pdf`.
    written
        Record of the files that flatforce wrote; other files are not replaced.

    Returns
    -------
    Paths of the PNG and of the PDF, in this order.
    """
    with mpl.rc_context(STYLE):
        drawing = _draw(figure)
        paths = static_paths(figure, folder)
        for path in paths:
            written.write(path, partial(_save, drawing))
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
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Glyph .* missing")
                drawing.draw_without_rendering()  # ticks are made while drawing and take the style of that moment
            return drawing
        shown = for_matplotlib(figure)
        for number, (panel, ax) in enumerate(zip(shown.panels, axes, strict=True), start=1):
            draw_panel(ax, panel, panel_title(shown, number))
            if ax.get_legend_handles_labels()[0]:
                ax.legend()
    owner = axes[0].get_figure(root=True)
    assert owner is not None  # noqa: S101  # axes that were given belong to a figure
    return owner


def _save(drawing: MatplotlibFigure, path: Path) -> None:
    options: dict[str, Any] = {"metadata": {"CreationDate": None}} if path.suffix == ".pdf" else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a name: a box is drawn
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
    shown = for_matplotlib(figure)
    for number, (panel, ax) in enumerate(zip(shown.panels, axes, strict=True), start=1):
        draw_panel(ax, panel, panel_title(shown, number))
    if figure.share_y:
        for ax in axes[1:]:
            ax.set_ylabel("")
    _draw_legend(drawing, drawing.axes)  # the axes on the right among them
    return drawing


def _draw_legend(drawing: MatplotlibFigure, axes: Any) -> None:
    """Draw one legend above the panels, where it covers no curve."""
    entries: dict[str, Any] = {}
    for ax in axes:
        entries |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    if not entries:
        return
    columns = max(1, min(len(entries), LEGEND_WIDTH // (max(map(len, entries)) + LEGEND_KEY_WIDTH)))
    handles = list(entries.values())
    drawing.legend(handles, list(entries), loc="outside upper center", ncols=columns, markerscale=2.0)
