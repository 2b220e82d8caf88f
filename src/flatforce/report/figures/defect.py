"""Figures of a defect: coloured bands, differences, shells, sizes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.phonons import MARKED, THZ, as_line, ticks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray


def coloured_bands(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the defect cell's bands coloured by their weight near the defect, DOS and local DOS.

    Parameters
    ----------
    arrays
        Of a `defect phonons` folder.

    Returns
    -------
    Three panels with one frequency axis.
    """
    bands, weight = arrays["bands"], arrays["near_weight"]
    x, y = as_line(arrays["distance"], bands)
    share = arrays["shell_sites"][1, 0] / len(arrays["numbers"])
    places = np.broadcast_to(arrays["distance"][:, None], bands.shape)
    strongest = np.argsort(weight.ravel())[-MARKED:]
    marked = Series(
        places.ravel()[strongest],
        bands.ravel()[strongest],
        style="points",
        width=2.4,
        value=weight.ravel()[strongest],
        value_name=f"weight near the defect (uniform: {share:.2f})",
    )
    limits = (float(arrays["distance"][0]), float(arrays["distance"][-1]))
    heights = (min(0.0, 1.03 * float(bands.min())), 1.03 * float(bands.max()))
    frequency, dos = arrays["frequency"], arrays["dos"]
    near = arrays["shell_dos"][:, 0] / arrays["shell_sites"][:, :1]
    return Figure(
        "defect-bands",
        "Bands of the defect cell (grey), coloured where modes live within the innermost shell around the "
        "defect; density of states of the cell, and of an average site in that shell.",
        (
            Panel(
                (Series(x, y, colour=GREY, width=0.4), marked),
                "",
                THZ,
                x_range=limits,
                y_range=heights,
                x_ticks=ticks_of(arrays),
                width=2.4,
            ),
            _sideways(frequency, dos, "DOS (states/THz)"),
            _sideways(frequency, near, "near DOS (1/THz)"),
        ),
        share_y=True,
        height=3.6,
    )


def _sideways(frequency: FloatArray, pair: FloatArray, label: str) -> Panel:
    return Panel(
        (
            Series(pair[0], frequency, name="pristine", colour=GREY),
            Series(pair[1], frequency, name="defect", colour=COLOURS[1]),
        ),
        label,
        THZ,
        x_range=(0.0, 1.05 * float(pair.max())),
    )


def difference(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw pristine and defect DOS over one another, and the difference by element and on matched sites.

    Parameters
    ----------
    arrays
        Of a `defect phonons` folder.

    Returns
    -------
    Two panels.
    """
    frequency, dos = arrays["frequency"], arrays["dos"]
    pairs = {name.removeprefix("dos_"): arrays[name] for name in sorted(arrays) if name.startswith("dos_")}
    lines = [
        Series(frequency, pair[1] - pair[0], name=f"Δ {symbol}", colour=COLOURS[2 + k])
        for k, (symbol, pair) in enumerate(pairs.items())
    ]
    matched = Series(
        frequency, arrays["site_difference"], name="Δ sites of both", colour=COLOURS[6], dashed=True
    )
    zero = Series(frequency[[0, -1]], np.zeros(2), colour=GREY, width=0.6)
    return Figure(
        "defect-difference",
        "Density of states of the defect cell over that of the pristine cell of the same size, and their "
        "difference by element; dashed, over the sites that both cells have.",
        (
            Panel(
                (
                    Series(frequency, dos[0], name="pristine", colour=GREY),
                    Series(frequency, dos[1], name="defect", colour=COLOURS[1]),
                ),
                THZ,
                "DOS (states/THz)",
            ),
            Panel((zero, *lines, matched), THZ, "ΔPDOS (states/THz)"),
        ),
        height=2.8,
    )


def radial(arrays: dict[str, NDArray[Any]], radii: list[float]) -> Figure:
    """Draw the DOS of a site in each shell around the defect, pristine and defect.

    Parameters
    ----------
    arrays
        Of a `defect phonons` folder.
    radii
        Å, of the shells.

    Returns
    -------
    One panel a shell.
    """
    frequency = arrays["frequency"]
    edges = [0.0, *radii]
    titles = [f"{low:g}–{high:g} Å" for low, high in itertools.pairwise(edges)] + [f"beyond {edges[-1]:g} Å"]

    def panel(shell: int) -> Panel:
        sites = arrays["shell_sites"][:, shell]
        lines = [
            Series(
                frequency,
                arrays["shell_dos"][k, shell] / max(1, int(sites[k])),
                name=name,
                colour=colour,
            )
            for k, name, colour in ((0, "pristine", GREY), (1, "defect", COLOURS[1]))
        ]
        return Panel(tuple(lines), THZ, "DOS of a site (1/THz)", title=f"{titles[shell]}, {sites[1]} atoms")

    return Figure(
        "radial-dos",
        "Density of states of an average site, by the distance of its lattice site from the defect; "
        "each curve integrates to 3.",
        tuple(panel(shell) for shell in range(len(titles))),
        share_y=True,
        height=2.6,
    )


def thermal(arrays: dict[str, NDArray[Any]], radii: Sequence[float]) -> Figure:
    """Draw the change of the vibrational free energy, and mean-square displacements near the defect.

    Parameters
    ----------
    arrays
        Of a `defect phonons` folder.
    radii
        Å, of the shells.

    Returns
    -------
    Three panels against temperature.
    """
    temperature, kelvin = arrays["temperature"], "temperature (K)"
    change = arrays["free_energy"][1] - arrays["free_energy"][0]

    def panel(axis: int, title: str) -> Panel:
        near = arrays["displacement"][:, axis, 0]
        lines = (
            Series(temperature, near[0], name="pristine", colour=GREY),
            Series(temperature, near[1], name="defect", colour=COLOURS[1]),
        )
        return Panel(lines, kelvin, f"⟨u²⟩ {title} (Å²)", title=f"within {radii[0]:g} Å")

    return Figure(
        "defect-thermal",
        "Left: vibrational free energy of the defect cell less that of the pristine one, zero-point energy included. "
        "Middle and right: mean-square displacement of an average atom near the defect, in the plane (per axis) and "
        "along the normal; modes below 0.1 THz are left out, without which a sheet has none.",
        (
            Panel((Series(temperature, change),), kelvin, "ΔF (eV)"),
            panel(0, "in plane"),
            panel(1, "normal"),
        ),
        height=2.3,
    )
