"""Axes of the panels of an interactive figure: labels, limits, ticks, and the scale in cm⁻¹."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.report.figures.figure import GREY

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Panel

MAX_WAVENUMBER_TICKS: Final = 8
"""Largest number of labelled ticks of a scale in cm⁻¹, so that they do not overlap on a phone."""

TITLE_SIZE: Final = 13
"""Size of the labels of the axes."""

STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""cm⁻¹, distances between ticks."""


def horizontal_axis(panel: Panel) -> dict[str, Any]:
    """Describe the horizontal axis of a panel.

    Parameters
    ----------
    panel
        Description of the panel.

    Returns
    -------
    Properties of plotly's axis: label, limits (exponents on a logarithmic axis), a grid line at each chosen tick.
    """
    axis: dict[str, Any] = {
        "title": _title(panel.x_label),
        "mirror": panel.wavenumbers != "x",
    }
    if panel.x_ticks:
        axis |= _ticks(panel.x_ticks) | {"showgrid": True, "gridcolor": GREY}
    if panel.log_x:
        axis["type"] = "log"
    if panel.bare:
        axis["visible"] = False
    if panel.x_range:
        axis["range"] = _limits(panel.x_range, log=panel.log_x)
    return axis


def vertical_axis(panel: Panel) -> dict[str, Any]:
    """Describe the vertical axis of a panel.

    Parameters
    ----------
    panel
        Description of the panel.

    Returns
    -------
    Properties of plotly's axis: label, limits (exponents on a logarithmic axis), chosen ticks.
    """
    axis: dict[str, Any] = {
        "title": _title(panel.y_label),
        "mirror": not panel.second_label and panel.wavenumbers != "y",
        "automargin": True,
        **_ticks(panel.y_ticks or ()),
    }
    if panel.log_y:
        axis["type"] = "log"
    if panel.bare:
        axis["visible"] = False
    if panel.y_range:
        axis["range"] = _limits(panel.y_range, log=panel.log_y)
    return axis


def opposite_axis(panel: Panel) -> dict[str, Any]:
    """Describe the axis on the opposite side: fractions, or frequencies in cm⁻¹.

    Parameters
    ----------
    panel
        Description of the panel, with `wavenumbers` or `second_label`.

    Returns
    -------
    Properties of plotly's axis, with its ticks: at round wavenumbers but in units of THz, or at quarters.
    """
    if not panel.wavenumbers:
        return {
            "title": _title(panel.second_label),
            "side": "right",
            "range": (0, 1.02),
            "tickvals": (0, 0.25, 0.5, 0.75, 1),
        }
    low, high = frequency_limits(panel)
    ticks = [(value / THZ_IN_INVERSE_CM, f"{value:g}") for value in wavenumber_ticks(low, high)]
    return _ticks(tuple(ticks)) | {
        "title": _title("cm⁻¹"),
        "side": "top" if panel.wavenumbers == "x" else "right",
        "range": (low, high),
    }


def frequency_limits(panel: Panel) -> tuple[float, float]:
    """Find the limits of the frequency axis of a panel.

    Parameters
    ----------
    panel
        Description of the panel, with `wavenumbers`.

    Returns
    -------
    Limits in THz; those of the data where the panel sets none.
    """
    limits = panel.x_range if panel.wavenumbers == "x" else panel.y_range
    if limits is not None:
        return limits
    values = np.concatenate([getattr(series, panel.wavenumbers) for series in panel.series])
    return float(np.nanmin(values)), float(np.nanmax(values))


def wavenumber_ticks(low: float, high: float) -> list[float]:
    """Choose round wavenumbers.

    Parameters
    ----------
    low
        THz, lower limit of the axis.
    high
        THz, upper limit of the axis.

    Returns
    -------
    cm⁻¹, at most `MAX_WAVENUMBER_TICKS` multiples of a round step within the limits.
    """
    first, last = THZ_IN_INVERSE_CM * low, THZ_IN_INVERSE_CM * high
    step = next((step for step in STEPS if (last - first) / step < MAX_WAVENUMBER_TICKS), 10 * STEPS[-1])
    return [float(step * k) for k in range(int(np.ceil(first / step)), int(np.floor(last / step)) + 1)]


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 5, "font": {"size": TITLE_SIZE}}


def _limits(limits: tuple[float, float], *, log: bool) -> tuple[float, float]:
    """Give plotly the exponents of the limits of a logarithmic axis."""
    return (float(np.log10(limits[0])), float(np.log10(limits[1]))) if log else limits


def _ticks(ticks: tuple[tuple[float, str], ...]) -> dict[str, Any]:
    return {"tickvals": [x for x, _ in ticks], "ticktext": [text for _, text in ticks]} if ticks else {}
