"""Figures of a defect: coloured bands, differences, shells, sizes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures_phonons import THZ, as_line, ticks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MARKED: Final = 6000
"""Points of the bands that are coloured, those of the largest weight: a browser stays quick."""

SMALLEST_CHANGE: Final = 1e-6
"""eV/Å²; a smaller change is drawn here, since a logarithmic axis has no zero."""


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


def sizes(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the local DOS near the defect for each supercell.

    Parameters
    ----------
    arrays
        Of a `finite size` folder.

    Returns
    -------
    Two panels.
    """
    frequency, dos = arrays["frequency"], arrays["near_dos"]
    away = dos - dos[-1]
    change = np.abs(away).sum(axis=1) * (frequency[1] - frequency[0]) / 3
    last = str(arrays["names"][-1]).replace("_", " ")

    def lines(values: FloatArray, texts: list[str]) -> tuple[Series, ...]:
        return tuple(
            Series(frequency, one, name=text, colour=COLOURS[k % len(COLOURS)])
            for k, (one, text) in enumerate(zip(values, texts, strict=True))
        )

    names = [
        f"{str(name).replace('_', ' ')}: {100 * x:.2g} %"
        for name, x in zip(arrays["names"][:-1], change, strict=False)
    ]
    return Figure(
        "finite-size",
        f"Left: density of states of an average site near the defect, by supercell. Right: the same less that of {last}, "
        "with ∫|Δ| / 3.",
        (
            Panel(lines(dos, [""] * len(dos)), THZ, "DOS of a site (1/THz)"),
            Panel(lines(away[:-1], names), THZ, "difference (1/THz)"),
        ),
        height=2.8,
    )


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


def strain(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the local DOS near the defect, and its modes, at several strains.

    Parameters
    ----------
    arrays
        Of a `strain series` folder.

    Returns
    -------
    Two panels.
    """
    strains = 100 * arrays["strain"]
    dos = tuple(
        Series(arrays["frequency"], one, name=f"{value:+.2g} %", colour=COLOURS[k % len(COLOURS)])
        for k, (value, one) in enumerate(zip(strains, arrays["near_dos"], strict=True))
    )
    modes = tuple(
        Series(strains, one, colour=COLOURS[k % len(COLOURS)]) for k, one in enumerate(arrays["modes"].T)
    )
    return Figure(
        "strain-series",
        "Left: density of states of an average site near the defect. Right: modes near the defect, followed by their "
        "vectors.",
        (
            Panel(dos, THZ, "DOS of a site (1/THz)", width=1.4),
            Panel(modes, "strain (%)", THZ),
        ),
        height=2.8,
    )


def committee(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the local DOS with its error bar, and each member's.

    Parameters
    ----------
    arrays
        Of a `committee` folder.

    Returns
    -------
    Two panels.
    """
    frequency = arrays["frequency"]
    lines = [Series(frequency, dos, colour=GREY, width=0.6) for dos in arrays["each"]]
    for (mean, deviation), name, colour in zip(
        arrays["near_dos"], ("pristine", "defect"), (COLOURS[0], COLOURS[1]), strict=True
    ):
        lines.append(Series(frequency, mean, name=name, colour=colour))
        lines += [
            Series(frequency, mean + sign * deviation, colour=colour, width=0.7, dashed=True)
            for sign in (1, -1)
        ]
    mean, deviation = arrays["bands"].reshape(2, -1)
    order = np.argsort(mean)
    parts = np.array_split(order, min(60, len(order)))
    middle = np.array([mean[part].mean() for part in parts])
    width = np.array([np.sqrt((deviation[part] ** 2).mean()) for part in parts])
    return Figure(
        "committee",
        "Left: density of states of an average site near the defect, mean over the committee and one standard "
        "deviation (dashed); grey, each member with the defect. Right: deviation of the bands, by frequency.",
        (
            Panel(tuple(lines), THZ, "DOS of a site (1/THz)", width=1.4),
            Panel((Series(middle, width),), THZ, "deviation (THz)"),
        ),
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
    weight, distance = arrays["weight"], arrays["distance"]
    x, y = as_line(distance, arrays["bands"])
    places = np.broadcast_to(distance[:, None], weight.shape)
    heights = np.broadcast_to(arrays["frequency"], weight.shape)
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
