"""Figure of a convergence test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray

SMALLEST = 1e-2
"""meV/Å; a smaller change is drawn here, since a logarithmic axis has no zero."""


def convergence(
    scans: Sequence[tuple[str, FloatArray, FloatArray, float | None]],
    *,
    tolerance: float,
    units: Mapping[str, str],
) -> Figure:
    """Draw the change of forces against each setting.

    Parameters
    ----------
    scans
        Name, values, errors (meV/Å) and the value chosen, of each scan.
    tolerance
        meV/Å.
    units
        Scan → unit.

    Returns
    -------
    A panel a scan; the finest value, from which the change is measured, is left out.
    """
    return Figure(
        name="convergence",
        caption="Largest change of a force component against the finest value of each scan; "
        "dashed: the tolerance; orange: the value recommended.",
        panels=tuple(
            _panel(*scan, tolerance=tolerance, unit=units[scan[0]], first=k == 0)
            for k, scan in enumerate(scans)
        ),
    )


def _panel(
    name: str,
    values: FloatArray,
    errors: FloatArray,
    chosen: float | None,
    *,
    tolerance: float,
    unit: str,
    first: bool,
) -> Panel:
    x, y = values[:-1], np.maximum(errors[:-1], SMALLEST)
    ends = np.array([values[0], values[-1]])
    series = [
        Series(ends, np.full(2, tolerance), colour=GREY, dashed=True),
        Series(x, y),
        Series(x, y, style="points", width=5.0),
    ]
    if chosen is not None:
        at = values[:-1] == chosen
        series.append(Series(x[at], y[at], style="points", colour=COLOURS[1], width=9.0))
    label = "force change (meV/Å)" if first else ""
    return Panel(tuple(series), f"{name.replace('_', ' ')} ({unit})", label, log_y=True)
