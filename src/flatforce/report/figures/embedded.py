"""Figures of a defect in a large or an infinite sheet: embedding, dilute limit, unfolded bands, line shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.phonons import MARKED, THZ, as_line, ticks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COLUMNS: Final = 160
"""Columns of dots of unfolded bands; a column shows the wave vector nearest to it."""

THINNED: Final = 3
"""Every third frequency is drawn, 0.6 broadenings apart."""

SMALLEST_CHANGE: Final = 1e-6
"""eV/Å²; a smaller change is drawn here, since a logarithmic axis has no zero."""


def embedding(arrays: dict[str, NDArray[Any]], radii: Sequence[float]) -> Figure:
    """Draw how force constants change near the defect, and the local DOS in the large cell.

    Parameters
    ----------
    arrays
        Of an `embedded defect` folder.
    radii
        Å, of the shells.

    Returns
    -------
    Two panels.
    """
    change = Series(
        arrays["row_distance"], np.maximum(arrays["row_change"], SMALLEST_CHANGE), style="points", width=3.0
    )
    inner = (0.0, *radii)
    lines = tuple(
        Series(
            arrays["frequency"], dos, name=f"{inner[k]:g}–{radii[k]:g} Å", colour=COLOURS[k % len(COLOURS)]
        )
        for k, dos in enumerate(arrays["shell_dos"])
    )
    elements = tuple(
        Series(arrays["frequency"], arrays[name][0], name=name.removeprefix("dos_"), colour=COLOURS[2 + k])
        for k, name in enumerate(sorted(name for name in arrays if name.startswith("dos_")))
    )
    panels = [
        Panel((change,), "distance (Å)", "‖ΔΦ‖ (eV/Å²)", log_y=True),
        Panel(lines, THZ, "DOS of a site (1/THz)", width=1.4),
    ]
    if elements:  # results of 0.1.0.dev had none
        panels.append(Panel(elements, THZ, "DOS of an atom (1/THz)"))
    return Figure(
        "embedding",
        "Left: change of an atom's force constants against the pristine sheet, by distance from the defect; the last "
        "points lie beyond the radius of exact rows. Middle: density of states of an average site in each shell. "
        "Right: of an average atom of each species in the whole cell, by random vectors.",
        tuple(panels),
        height=2.8,
    )


def dilute(arrays: dict[str, NDArray[Any]], radii: Sequence[float]) -> Figure:
    """Draw the local DOS of an isolated defect, and what it adds to the DOS of the whole sheet.

    Parameters
    ----------
    arrays
        Of a `dilute limit` folder.
    radii
        Å, of the shells.

    Returns
    -------
    Two panels.
    """
    frequency, (pristine, defect) = arrays["frequency"], arrays["shell_dos"]
    inner = (0.0, *radii)
    lines = [
        Series(frequency, dos, name=f"{inner[k]:g}–{radii[k]:g} Å", colour=COLOURS[k % len(COLOURS)])
        for k, dos in enumerate(defect)
    ]
    lines.append(Series(frequency, pristine[0], name="the innermost, pristine", colour=GREY, dashed=True))
    zero = Series(frequency[[0, -1]], np.zeros(2), colour=GREY, width=0.6)
    change = Series(frequency, arrays["difference"], colour=COLOURS[1])
    return Figure(
        "dilute-limit",
        "Left: density of states of an average site around one defect in an infinite sheet. Right: what the defect "
        "adds to the density of states of the whole sheet.",
        (
            Panel(tuple(lines), THZ, "DOS of a site (1/THz)", width=1.3),
            Panel((zero, change), THZ, "ΔDOS (states/THz)"),
        ),
        height=2.8,
    )


def unfolded(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the spectral function along the path of the primitive cell over the pristine bands.

    Parameters
    ----------
    arrays
        Of an `unfolded bands` folder.

    Returns
    -------
    One panel.
    """
    distance = arrays["distance"]
    x, y = as_line(distance, arrays["bands"])
    columns = np.linspace(distance[0], distance[-1], max(COLUMNS, len(distance)))
    nearest = np.abs(columns[:, None] - distance).argmin(axis=1)
    weight = arrays["weight"][nearest, ::THINNED]
    places = np.broadcast_to(columns[:, None], weight.shape)
    heights = np.broadcast_to(arrays["frequency"][::THINNED], weight.shape)
    strongest = np.argsort(weight.ravel())[-MARKED:]
    marked = Series(
        places.ravel()[strongest],
        heights.ravel()[strongest],
        style="points",
        width=2.4,
        value=np.log10(weight.ravel()[strongest]),
        value_name="log₁₀ A (states/THz)",
    )
    return Figure(
        "unfolded-bands",
        "Spectral function of the sheet with the defect at the wave vectors of the primitive cell; lines, the pristine "
        "bands.",
        (
            Panel(
                (Series(x, y, colour=GREY, width=0.6), marked),
                "",
                THZ,
                x_range=(float(distance[0]), float(distance[-1])),
                x_ticks=ticks_of(arrays),
            ),
        ),
        height=3.4,
    )


def emission(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the spectral function of the Huang–Rhys factors, and the line shape.

    Parameters
    ----------
    arrays
        Of a `line shape` folder.

    Returns
    -------
    Two panels.
    """
    return Figure(
        "line-shape",
        "Left: Huang–Rhys factors by energy of the vibration. Right: emission, counted from the zero-phonon line.",
        (
            Panel((Series(arrays["quanta"], arrays["spectral_function"]),), "ħω (meV)", "S(ħω) (1/meV)"),
            Panel(
                (Series(-arrays["energy"], arrays["shape"]),),
                "E − E_ZPL (meV)",
                "intensity (1/meV)",
                width=1.6,
            ),
        ),
        height=2.8,
    )
