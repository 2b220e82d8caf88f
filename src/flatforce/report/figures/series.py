"""Figures of a defect through sizes, strains and the members of a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.phonons import THZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray


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
