"""Figures of a screening: convex hull, energies above it, changes of area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MAX_BINS: Final = 40
"""Largest number of bars of a histogram."""


def screening(arrays: dict[str, NDArray[Any]], details: Mapping[str, Any]) -> list[Figure]:
    """Draw a screening.

    Parameters
    ----------
    arrays
        Arrays of a `screening` folder.
    details
        Details of the same folder.

    Returns
    -------
    The convex hull where all compositions lie on one line, and the distributions of the energies above the hull and of the changes of area.
    """
    figures = [_convex_hull(arrays, details["end_members"])] if "line_energy" in arrays else []
    distinct = arrays["distinct"]
    above = 1e3 * arrays["energy_above_hull"][distinct]
    above = above[np.isfinite(above)]
    limit = 1e3 * float(details["max_energy_above_hull"])
    panels = []
    if above.size:
        bars = _histogram(above)
        mark = Series(
            np.array([limit, limit]),
            np.array([0.0, bars.y.max()]),
            name="limit",
            colour=COLOURS[1],
            dashed=True,
        )
        panels.append(Panel((bars, mark), "energy above hull (meV/atom)", "sheets"))
    change = arrays["area_change"][distinct]
    if change.size:
        panels.append(Panel((_histogram(change),), "change of the area (%)", "sheets"))
    if panels:
        caption = "Different relaxed sheets: energies above the convex hull, and changes of the area by the relaxation."
        figures.append(Figure("screening", caption, tuple(panels), height=2.4))
    return figures


def _histogram(values: FloatArray) -> Series:
    counts, edges = np.histogram(values, bins=min(MAX_BINS, max(5, values.size // 3)))
    return Series((edges[1:] + edges[:-1]) / 2, counts.astype(float), name="sheets", style="steps")


def _convex_hull(arrays: dict[str, NDArray[Any]], end_members: list[str]) -> Figure:
    x, y = arrays["line_coordinate"], 1e3 * arrays["line_energy"]
    references = arrays["line_is_reference"]
    corners = _lower_hull(x, y)
    series = [
        Series(x[corners], y[corners], name="convex hull", colour=GREY),
        Series(x[~references], y[~references], name="sheets", style="points", width=4),
    ]
    if references.any():
        series.append(
            Series(
                x[references], y[references], name="references", style="points", width=5, colour=COLOURS[1]
            )
        )
    ticks = tuple(
        (position, text)
        for position, text in zip(
            (0.0, 0.25, 0.5, 0.75, 1.0), (end_members[0], "", "", "", end_members[1]), strict=True
        )
    )
    panel = Panel(tuple(series), "fraction of the atoms", "energy of formation (meV/atom)", x_ticks=ticks)
    first, last = end_members
    return Figure(
        "convex-hull",
        f"Energies of formation from {first} and {last}, against the fraction of the atoms that belong to {last}; the line is the convex hull.",
        (panel,),
    )


def _lower_hull(x: FloatArray, y: FloatArray) -> list[int]:
    """Return indices of the corners of the lower convex hull, from left to right."""
    corners: list[int] = []
    for k in np.lexsort((y, x)).tolist():
        if corners and x[k] - x[corners[-1]] < 1e-9:
            continue  # above another phase of the same composition
        while len(corners) > 1 and _turns_down(x, y, (corners[-2], corners[-1], k)):
            corners.pop()
        corners.append(k)
    return corners


def _turns_down(x: FloatArray, y: FloatArray, points: tuple[int, int, int]) -> bool:
    """Whether the second point lies on or above the line between the others."""
    first, second, third = points
    area = (x[second] - x[first]) * (y[third] - y[first]) - (y[second] - y[first]) * (x[third] - x[first])
    return bool(area <= 0)
