"""Figures of a defect in one supercell: densities of states, shells, thermal properties."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import (
    COLOURS,
    GREY,
    Figure,
    Panel,
    Series,
    colour_key,
    element_colours,
)
from flatforce.report.figures.phonons import (
    AXES_BELOW,
    spectrum_panel,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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
        "(a) Density of states (DOS) of the defect cell (orange) and of the pristine cell of the same size (grey). (b) "
        f"Their difference by element ({colour_key(colours)}); the dashed blue line is the sum over the sites that both cells "
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
        "(a) Vibrational free energy of the defect cell minus that of the pristine cell, with zero-point energy. "
        "(b, c) Mean-square displacement of an atom in the innermost shell, in plane (per axis) and out of "
        "plane, with the defect (orange) and without it (grey). Modes below 0.1 THz are left out; with them it would diverge in "
        "an infinite sheet.",
        (
            Panel((Series(temperature, change),), label, "ΔF (eV)"),
            panel(0, "in plane"),
            panel(1, "out of plane"),
        ),
        height=2.3,
    )
