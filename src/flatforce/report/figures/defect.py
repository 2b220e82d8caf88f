"""Figures of a defect in one supercell: bands, densities of states, shells, thermal properties."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from flatforce.report.figures.figure import (
    COLOURS,
    GREY,
    LIGHT_GREY,
    Figure,
    Panel,
    Series,
    colour_key,
    element_colours,
)
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

    from flatforce.core.arrays import FloatArray


def coloured_bands(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the bands of the defect cell, coloured by their projection onto the defect shell, and densities of states.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.

    Returns
    -------
    Three panels with one frequency axis.
    """
    bands, projection = arrays["bands"], arrays["shell_projection"]
    x, y = as_line(arrays["distance"], arrays["bands"])
    uniform_projection = arrays["shell_sites"][1, 0] / len(arrays["numbers"])
    distances = np.broadcast_to(arrays["distance"][:, None], bands.shape)
    strongest = np.argsort(projection.ravel())[-MAX_COLOURED_POINTS:]
    coloured_points = Series(
        distances.ravel()[strongest],
        bands.ravel()[strongest],
        style="points",
        width=2.4,
        value=projection.ravel()[strongest],
        value_name="projection onto the defect shell",
    )
    limits = (float(arrays["distance"][0]), float(arrays["distance"][-1]))
    frequency, dos = arrays["frequency"], arrays["dos"]
    ldos = arrays["shell_ldos"][:, 0] / arrays["shell_sites"][:, :1]
    y_range = frequency_range(bands)
    return Figure(
        "defect-bands",
        "Left: bands of the defect cell (light grey lines). The points on them are coloured by the projection of the mode onto "
        "the innermost shell around the defect, from light yellow (none) to dark red (large); a mode that is spread evenly "
        f"over the cell has {uniform_projection:.2f}. Middle: density of states (DOS) of the defect cell (orange) and of the "
        "pristine cell of the same size (grey). Right: site-averaged local density of states (LDOS) of the innermost shell. "
        + AXES,
        (
            Panel(
                (Series(x, y, name="bands with the defect", colour=LIGHT_GREY, width=0.4), coloured_points),
                "",
                THZ,
                x_range=limits,
                y_range=y_range,
                x_ticks=ticks_of(arrays),
                width=2.4,
            ),
            _sideways(frequency, dos, "DOS (states/THz)", y_range),
            _sideways(frequency, ldos, "LDOS (1/THz)", y_range, wavenumbers="y"),
        ),
        share_y=True,
        height=3.6,
    )


def compared_bands(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the bands with and without the defect over each other, and both densities of states.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.

    Returns
    -------
    Two panels with one frequency axis.
    """
    x, y = as_line(arrays["distance"], arrays["bands"])
    pristine_x, pristine_y = as_line(arrays["distance"], arrays["pristine_bands"])
    y_range = frequency_range(np.append(arrays["bands"], arrays["pristine_bands"]))
    return Figure(
        "compared-bands",
        "Left: bands of the defect cell (orange) over those of the pristine sheet (grey), which are folded into the Brillouin "
        "zone of the same supercell. An orange line between the grey ones belongs to a mode that the defect shifts. Right: "
        f"density of states (DOS) of both cells. {AXES}",
        (
            Panel(
                (
                    Series(pristine_x, pristine_y, name="pristine", colour=GREY, width=0.9),
                    Series(x, y, name="defect", colour=COLOURS[1], width=0.5),
                ),
                "",
                THZ,
                x_range=(float(arrays["distance"][0]), float(arrays["distance"][-1])),
                y_range=y_range,
                x_ticks=ticks_of(arrays),
                width=2.8,
            ),
            _sideways(arrays["frequency"], arrays["dos"], "DOS (states/THz)", y_range, wavenumbers="y"),
        ),
        share_y=True,
        height=4.2,
    )


def _sideways(
    frequency: FloatArray,
    pair: FloatArray,
    label: str,
    y_range: tuple[float, float],
    *,
    wavenumbers: Literal["", "y"] = "",
) -> Panel:
    return Panel(
        (
            Series(pair[0], frequency, name="pristine", colour=GREY),
            Series(pair[1], frequency, name="defect", colour=COLOURS[1]),
        ),
        label,
        THZ,
        x_range=(0.0, 1.05 * float(pair.max())),
        y_range=y_range,
        wavenumbers=wavenumbers,
    )


def difference(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the densities of states with and without the defect, and their difference by element and on common sites.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.

    Returns
    -------
    A figure with two panels, both against frequency in THz.
    """
    frequency, dos = arrays["frequency"], arrays["dos"]
    pairs = {name.removeprefix("dos_"): arrays[name] for name in sorted(arrays) if name.startswith("dos_")}
    colours = element_colours(pairs)
    lines = [
        Series(frequency, pair[1] - pair[0], name=f"Δ {symbol}", colour=colours[symbol])
        for symbol, pair in pairs.items()
    ]
    common_sites = Series(
        frequency, arrays["site_difference"], name="Δ common sites", colour=COLOURS[0], dashed=True
    )
    zero = Series(frequency[[0, -1]], np.zeros(2), colour=GREY, width=0.6, guide=True)
    return Figure(
        "defect-difference",
        "Left: density of states (DOS) of the defect cell (orange) and of the pristine cell of the same size (grey). Right: "
        f"their difference by element ({colour_key(colours)}); the dashed blue line is the sum over the sites that both cells "
        f"have in common. {AXES_BELOW}",
        (
            spectrum_panel(
                (
                    Series(frequency, dos[0], name="pristine", colour=GREY),
                    Series(frequency, dos[1], name="defect", colour=COLOURS[1]),
                ),
                "DOS (states/THz)",
            ),
            spectrum_panel((zero, *lines, common_sites), "ΔPDOS (states/THz)"),
        ),
        height=2.8,
    )


def radial(arrays: dict[str, NDArray[Any]], radii: list[float]) -> Figure:
    """Draw the site-averaged LDOS of each shell around the defect, with and without it.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.
    radii
        Å, outer radius of each shell.

    Returns
    -------
    One panel for each shell.
    """
    frequency = arrays["frequency"]
    edges = [0.0, *radii]
    titles = [f"{low:g}–{high:g} Å" for low, high in itertools.pairwise(edges)] + [f"beyond {edges[-1]:g} Å"]

    def panel(shell: int) -> Panel:
        sites = arrays["shell_sites"][:, shell]
        lines = [
            Series(
                frequency,
                arrays["shell_ldos"][k, shell] / max(1, int(sites[k])),
                name=name,
                colour=colour,
            )
            for k, name, colour in ((0, "pristine", GREY), (1, "defect", COLOURS[1]))
        ]
        return spectrum_panel(lines, "LDOS (1/THz)", title=f"{titles[shell]}, {sites[1]} atoms")

    return Figure(
        "radial-dos",
        "Site-averaged local density of states (LDOS), by the distance of the lattice site from the defect, with the "
        f"defect (orange) and without it (grey); each curve integrates to 3. {AXES_BELOW}",
        tuple(panel(shell) for shell in range(len(titles))),
        share_y=True,
        height=2.6,
    )


def thermal(arrays: dict[str, NDArray[Any]], radii: Sequence[float]) -> Figure:
    """Draw the change of the vibrational free energy and the mean-square displacements in the innermost shell.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.
    radii
        Å, outer radius of each shell.

    Returns
    -------
    A figure with three panels, all against temperature in K.
    """
    temperature, label = arrays["temperature"], "temperature (K)"
    change = arrays["free_energy"][1] - arrays["free_energy"][0]

    def panel(axis: int, title: str) -> Panel:
        pristine, defect = arrays["mean_square_displacement"][:, axis, 0]
        lines = (
            Series(temperature, pristine, name="pristine", colour=GREY),
            Series(temperature, defect, name="defect", colour=COLOURS[1]),
        )
        return Panel(lines, label, f"⟨u²⟩ {title} (Å²)", title=f"within {radii[0]:g} Å")

    return Figure(
        "defect-thermal",
        "Left: vibrational free energy of the defect cell minus that of the pristine cell, with zero-point energy. "
        "Middle and right: mean-square displacement of an atom in the innermost shell, in plane (per axis) and out of "
        "plane, with the defect (orange) and without it (grey). Modes below 0.1 THz are left out; with them it would diverge in "
        "an infinite sheet.",
        (
            Panel((Series(temperature, change),), label, "ΔF (eV)"),
            panel(0, "in plane"),
            panel(1, "out of plane"),
        ),
        height=2.3,
    )
