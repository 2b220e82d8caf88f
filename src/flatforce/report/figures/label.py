"""Figure of a convergence test of DFT settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray

MIN_CHANGE: Final = 1e-2
"""meV/Å. A smaller change is drawn here, since a logarithmic axis has no zero."""


def convergence(
    scans: Sequence[tuple[str, FloatArray, FloatArray, float | None]],
    *,
    tolerance: float,
    units: Mapping[str, str],
) -> Figure:
    """Draw the force error against each setting.

    Parameters
    ----------
    scans
        Name, values, force errors (meV/Å) and recommended value of each scan.
    tolerance
        meV/Å, allowed force error.
    units
        Name of each scan → unit.

    Returns
    -------
    One panel for each scan; the finest value, against which errors are measured, is left out.
    """
    return Figure(
        name="convergence",
        caption="Largest change of a force component against the finest value of each scan. "
        "Dashed: tolerance; orange: recommended value.",
        panels=tuple(
            _panel(scan, tolerance=tolerance, unit=units[scan[0]], labelled=k == 0)
            for k, scan in enumerate(scans)
        ),
    )


def _panel(
    scan: tuple[str, FloatArray, FloatArray, float | None], *, tolerance: float, unit: str, labelled: bool
) -> Panel:
    name, values, errors, recommended = scan
    x, y = values[:-1], np.maximum(errors[:-1], MIN_CHANGE)
    limits = np.array([values[0], values[-1]])
    series = [
        Series(limits, np.full(2, tolerance), name="tolerance", colour=GREY, dashed=True),
        Series(x, y, guide=True),
        Series(x, y, name="force change", style="points", width=5.0),
    ]
    if recommended is not None:
        selected = values[:-1] == recommended
        series.append(
            Series(
                x[selected],
                y[selected],
                name="recommended value",
                style="points",
                colour=COLOURS[1],
                width=9.0,
            )
        )
    axis = name.replace("_", " ") + (f" ({unit})" if unit else "")
    label = "force change (meV/Å)" if labelled else ""
    return Panel(tuple(series), axis, label, log_y=True)
