"""Figures of a defect in supercells of several sizes, at several strains, and by the members of a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.phonons import THZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MAX_BINS: Final = 60
"""Number of groups of bands, of equal size, over which the standard deviation is averaged."""


def sizes(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the LDOS at the defect in each supercell.

    Parameters
    ----------
    arrays
        Arrays of a `finite size` folder.

    Returns
    -------
    A figure with two panels, both against frequency in THz.
    """
    frequency, ldos = arrays["frequency"], arrays["ldos"]
    difference = ldos - ldos[-1]
    relative_l1 = np.abs(difference).sum(axis=1) * (frequency[1] - frequency[0]) / 3
    names = [_readable_name(str(name)) for name in arrays["names"]]

    def lines(values: FloatArray, texts: list[str]) -> tuple[Series, ...]:
        return tuple(
            Series(frequency, curve, name=text, colour=COLOURS[k % len(COLOURS)])
            for k, (curve, text) in enumerate(zip(values, texts, strict=True))
        )

    legend = [
        f"{name}: {100 * value:.2g} %" for name, value in zip(names[:-1], relative_l1[:-1], strict=True)
    ]
    return Figure(
        "finite-size",
        "Left: site-averaged local density of states (LDOS) of the innermost shell in each supercell. Right: the same minus "
        f"that of {names[-1]}; the legend gives the relative L1 difference ∫|Δ| / 3.",
        (
            Panel(lines(ldos, [""] * (len(ldos) - 1) + names[-1:]), THZ, "LDOS (1/THz)"),
            Panel(lines(difference[:-1], legend), THZ, "ΔLDOS (1/THz)"),
        ),
        height=2.8,
    )


def _readable_name(name: str) -> str:
    """Write the name of a folder, such as `embedded_60x60`, as text."""
    return "the dilute limit" if name == "dilute" else name.replace("_", " ").replace("x", " × ")


def strain(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the LDOS at the defect and the frequencies of its modes at several strains.

    Parameters
    ----------
    arrays
        Arrays of a `strain series` folder.

    Returns
    -------
    A figure with two panels: LDOS against frequency in THz, and frequencies in THz against strain.
    """
    strains = 100 * arrays["strain"]
    curves = tuple(
        Series(arrays["frequency"], ldos, name=f"{percent:+.2g} %", colour=COLOURS[k % len(COLOURS)])
        for k, (percent, ldos) in enumerate(zip(strains, arrays["ldos"], strict=True))
    )
    modes = tuple(
        Series(strains, frequencies, colour=COLOURS[k % len(COLOURS)])
        for k, frequencies in enumerate(arrays["mode_frequencies"].T)
    )
    return Figure(
        "strain-series",
        "Left: site-averaged local density of states (LDOS) of the innermost shell. Right: frequencies of the defect modes, "
        "matched from strain to strain by the overlap of their eigenvectors.",
        (
            Panel(curves, THZ, "LDOS (1/THz)", width=1.4),
            Panel(modes, "strain (%)", THZ),
        ),
        height=2.8,
    )


def committee(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the LDOS of each member, its mean and standard deviation, and the standard deviation of the bands.

    Parameters
    ----------
    arrays
        Arrays of a `committee` folder.

    Returns
    -------
    A figure with two panels, both against frequency in THz.
    """
    frequency = arrays["frequency"]
    lines = [Series(frequency, ldos, colour=GREY, width=0.6) for ldos in arrays["member_ldos"]]
    for (mean, standard_deviation), name, colour in zip(
        arrays["ldos"], ("pristine", "defect"), (COLOURS[0], COLOURS[1]), strict=True
    ):
        lines.append(Series(frequency, mean, name=name, colour=colour))
        lines += [
            Series(frequency, mean + sign * standard_deviation, colour=colour, width=0.7, dashed=True)
            for sign in (1, -1)
        ]
    mean, standard_deviation = arrays["bands"].reshape(2, -1)
    order = np.argsort(mean)
    bins = np.array_split(order, min(MAX_BINS, len(order)))
    bin_frequency = np.array([mean[members].mean() for members in bins])
    bin_deviation = np.array([np.sqrt((standard_deviation[members] ** 2).mean()) for members in bins])
    return Figure(
        "committee",
        "Left: site-averaged local density of states (LDOS) of the innermost shell: mean over the committee and one standard "
        "deviation (dashed); grey: each member, with the defect. Right: standard deviation of the band frequencies.",
        (
            Panel(tuple(lines), THZ, "LDOS (1/THz)", width=1.4),
            Panel((Series(bin_frequency, bin_deviation),), THZ, "standard deviation (THz)"),
        ),
        height=2.8,
    )
