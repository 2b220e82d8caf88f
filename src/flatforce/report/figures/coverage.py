"""Figure of the coverage of calibrated intervals, and of the atoms that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping


def coverage(details: Mapping[str, Any]) -> Figure:
    """Draw the reliability diagram by config type, and the fraction of atoms outside the calibration set.

    Parameters
    ----------
    details
        Details of a result with calibrated intervals.

    Returns
    -------
    Two panels, of the atoms that have an interval and of those that have none.
    """
    groups: dict[str, dict[str, Any]] = details["coverage_by_config_type"]
    fractions = np.array([group["n_outside"] / group["n_atoms"] for group in groups.values()])
    x = np.arange(len(groups), dtype=float)
    outside = tuple(
        Series(
            np.array([position - 0.3, position - 0.3, position + 0.3, position + 0.3]),
            np.array([0.0, fraction, fraction, 0.0]),
            style="area",
            colour=COLOURS[k % len(COLOURS)],
        )
        for k, (position, fraction) in enumerate(zip(x, fractions, strict=True))
    )
    ticks = tuple((float(position), name) for position, name in zip(x, groups, strict=True))
    return Figure(
        "coverage",
        "Calibrated intervals of the test forces. (a) Reliability diagram of the atoms whose environment is like one in the calibration "
        "set; on the grey line, the coverage is as stated. (b) Fraction of the other atoms, which have no interval.",
        (
            reliability_panel(details),
            Panel(outside, "", "fraction without interval", y_range=(0.0, 1.0), x_ticks=ticks),
        ),
    )


def reliability_panel(details: Mapping[str, Any]) -> Panel:
    """Draw the empirical against the nominal coverage.

    Parameters
    ----------
    details
        Details of a result with calibrated intervals.

    Returns
    -------
    One series for each config type with atoms that have an interval, or one over all if the config types are not known.
    """
    levels = np.array(details["levels"])
    groups = details.get("coverage_by_config_type") or {"measured": details}
    limits = np.array([levels.min(), 1.0])
    series = [Series(limits, limits, name="as stated", colour=GREY, width=0.8)]
    for k, (name, group) in enumerate(groups.items()):
        values = np.array([np.nan if value is None else value for value in group["coverage"]], dtype=float)
        if np.isfinite(values).all():
            colour = COLOURS[k % len(COLOURS)]
            series.append(Series(levels, values, name=name, style="points", width=5, colour=colour))
    return Panel(tuple(series), "nominal coverage", "empirical coverage", square=True)
