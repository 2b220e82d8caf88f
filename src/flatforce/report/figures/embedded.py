"""Figures of a defect in a large or an infinite sheet: embedding, dilute limit, unfolded bands, line shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series, colour_key, element_colours
from flatforce.report.figures.phonons import (
    AXES,
    AXES_BELOW,
    MAX_COLOURED_POINTS,
    THZ,
    as_line,
    frequency_range,
    spectrum_panel,
    ticks_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_COLUMNS: Final = 160
"""Smallest number of columns of points in unfolded bands; a column shows the wave vector nearest to it."""

FREQUENCY_STRIDE: Final = 3
"""Every third frequency is drawn, 0.6 broadenings apart."""

MIN_CHANGE: Final = 1e-6
"""eV/Å². A smaller change is drawn here, since a logarithmic axis has no zero."""


def embedding(arrays: dict[str, NDArray[Any]], radii: Sequence[float]) -> Figure:
    """Draw how force constants change with the distance from the defect, and densities of states in the large cell.

    Parameters
    ----------
    arrays
        Arrays of an `embedded defect` folder.
    radii
        Å, outer radius of each shell.

    Returns
    -------
    A figure with two or three panels: changes in eV/Å² against distance in Å, and densities of states against frequency in
    THz.
    """
    change = Series(
        arrays["row_distance"], np.maximum(arrays["row_change"], MIN_CHANGE), style="points", width=3.0
    )
    edges = (0.0, *radii)
    colours = element_colours(name.removeprefix("dos_") for name in arrays if name.startswith("dos_"))
    lines = tuple(
        Series(
            arrays["frequency"], ldos, name=f"{edges[k]:g}–{radii[k]:g} Å", colour=COLOURS[k % len(COLOURS)]
        )
        for k, ldos in enumerate(arrays["shell_ldos"])
    )
    pristine = Series(
        arrays["frequency"],
        arrays["pristine_shell_ldos"][0],
        name=f"{radii[0]:g} Å, pristine",
        colour=GREY,
        dashed=True,
    )
    elements = tuple(
        Series(arrays["frequency"], arrays[f"dos_{symbol}"][0], name=symbol, colour=colour)
        for symbol, colour in colours.items()
    )
    panels = [
        Panel((change,), "distance (Å)", "‖ΔΦ‖ (eV/Å²)", log_y=True),
        spectrum_panel((*lines, pristine), "LDOS (1/THz)", width=1.4),
    ]
    if elements:
        panels.append(spectrum_panel(elements, "DOS per atom (1/THz)"))
    return Figure(
        "embedding",
        "(a) Norm of the change of an atom's force constants against the pristine sheet, by distance from the defect; the "
        "last points lie beyond the radius within which rows are computed. (b) Site-averaged local density of states "
        "(LDOS) of each shell, and of the innermost shell in the pristine sheet (dashed grey). (c) Density of states (DOS) per atom "
        f"of each element in the whole cell ({colour_key(colours)}), a stochastic estimate. {AXES_BELOW}",
        tuple(panels),
        height=2.8,
    )


def dilute(arrays: dict[str, NDArray[Any]], radii: Sequence[float]) -> Figure:
    """Draw the LDOS around an isolated defect, and what the defect adds to the density of states of the whole sheet.

    Parameters
    ----------
    arrays
        Arrays of a `dilute limit` folder.
    radii
        Å, outer radius of each shell.

    Returns
    -------
    A figure with two panels, both against frequency in THz.
    """
    frequency, (pristine, defect) = arrays["frequency"], arrays["shell_ldos"]
    edges = (0.0, *radii)
    lines = [
        Series(frequency, ldos, name=f"{edges[k]:g}–{radii[k]:g} Å", colour=COLOURS[k % len(COLOURS)])
        for k, ldos in enumerate(defect)
    ]
    lines.append(Series(frequency, pristine[0], name=f"{radii[0]:g} Å, pristine", colour=GREY, dashed=True))
    zero = Series(frequency[[0, -1]], np.zeros(2), colour=GREY, width=0.6, guide=True)
    change = Series(frequency, arrays["difference"], name="change of the DOS", colour=COLOURS[6])
    return Figure(
        "dilute-limit",
        "(a) Site-averaged local density of states (LDOS) of each shell around one defect in an infinite sheet. (b) "
        f"Change of the density of states (DOS) of the whole sheet by the defect. {AXES_BELOW}",
        (
            spectrum_panel(tuple(lines), "LDOS (1/THz)", width=1.3),
            spectrum_panel((zero, change), "ΔDOS (states/THz)"),
        ),
        height=2.8,
    )


def unfolded_bands(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the spectral function along the band path of the primitive cell, and the pristine bands.

    Parameters
    ----------
    arrays
        Arrays of an `unfolded bands` folder.

    Returns
    -------
    A figure with one panel: spectral function in states/THz along the band path.
    """
    distance = arrays["distance"]
    x, y = as_line(distance, arrays["bands"])
    columns = np.linspace(distance[0], distance[-1], max(MIN_COLUMNS, len(distance)))
    nearest = np.abs(columns[:, None] - distance).argmin(axis=1)
    weight = arrays["weight"][nearest, ::FREQUENCY_STRIDE]
    distances = np.broadcast_to(columns[:, None], weight.shape)
    frequencies = np.broadcast_to(arrays["frequency"][::FREQUENCY_STRIDE], weight.shape)
    strongest = np.argsort(weight.ravel())[-MAX_COLOURED_POINTS:]
    coloured_points = Series(
        distances.ravel()[strongest],
        frequencies.ravel()[strongest],
        style="points",
        width=2.4,
        value=np.maximum(np.log10(weight.ravel()[strongest]), 0.0),
        value_name="log₁₀ A (states/THz)",
    )
    return Figure(
        "unfolded-bands",
        "Spectral function A of the sheet with the defect at the wave vectors of the primitive cell, from light yellow (small) "
        f"to dark red (large); grey lines: the pristine bands. {AXES}",
        (
            Panel(
                (Series(x, y, name="pristine bands", colour=GREY, width=0.6), coloured_points),
                "",
                THZ,
                x_range=(float(distance[0]), float(distance[-1])),
                y_range=frequency_range(arrays["bands"]),
                x_ticks=ticks_of(arrays),
                wavenumbers="y",
            ),
        ),
        height=3.4,
    )


def line_shape(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the spectral function of the Huang–Rhys factors and the emission line shape.

    Parameters
    ----------
    arrays
        Arrays of a `line shape` folder.

    Returns
    -------
    A figure with two panels, both against energy in meV.
    """
    return Figure(
        "line-shape",
        "(a) Spectral function of the Huang–Rhys factors. (b) Emission line shape, relative to the zero-phonon line.",
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
