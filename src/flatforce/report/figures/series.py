"""Figures of a defect in supercells of several sizes, at several strains, and by the members of a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.phonons import AXES_BELOW, THZ, spectrum_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MAX_BINS: Final = 60
"""Number of groups of bands, of equal size, over which the standard deviation is averaged."""

CLASS_COLOURS: Final = {"local": COLOURS[7], "resonance": COLOURS[6], "extended": GREY}
"""Class of a mode → colour of its curve."""


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

    legend = [
        *(f"{name} ({100 * value:.2g} %)" for name, value in zip(names[:-1], relative_l1[:-1], strict=True)),
        names[-1],
    ]

    def panel(values: FloatArray, label: str) -> Panel:
        lines = tuple(
            Series(frequency, curve, name=text, colour=COLOURS[k % len(COLOURS)])
            for k, (curve, text) in enumerate(zip(values, legend, strict=False))
        )
        return spectrum_panel(lines, label)

    return Figure(
        "finite-size",
        "(a) Site-averaged local density of states (LDOS) of the innermost shell in each supercell. (b) The same minus "
        f"that of {names[-1]}; the legend gives the relative L1 difference ∫|Δ| / 3. {AXES_BELOW}",
        (panel(ldos, "LDOS (1/THz)"), panel(difference[:-1], "ΔLDOS (1/THz)")),
        height=2.8,
    )


def _readable_name(name: str) -> str:
    """Write the name of a folder, such as `embedded_60x60`, as text."""
    return "the dilute limit" if name == "dilute" else name.replace("_", " ").replace("x", " × ")


def strain(arrays: dict[str, NDArray[Any]], listed_modes: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the LDOS at the defect and the frequencies of its modes at several strains.

    Parameters
    ----------
    arrays
        Arrays of a `strain series` folder.
    listed_modes
        Its modes, with the class of each.

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
        Series(
            strains,
            frequencies,
            name=f"{mode['classification']} modes",
            colour=CLASS_COLOURS[mode["classification"]],
        )
        for mode, frequencies in zip(listed_modes, arrays["mode_frequencies"].T, strict=True)
    )
    return Figure(
        "strain-series",
        "(a) Site-averaged local density of states (LDOS) of the innermost shell. (b) Frequencies of the defect modes, "
        "matched from strain to strain by the overlap of their eigenvectors; local modes are brown, resonances black, extended "
        f"modes grey. {AXES_BELOW}",
        (
            spectrum_panel(curves, "LDOS (1/THz)", width=1.4),
            Panel(modes, "strain (%)", THZ, wavenumbers="y"),
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
    lines = [
        Series(frequency, ldos, name="defect, each member", colour=GREY, width=0.6)
        for ldos in arrays["member_ldos"]
    ]
    for (mean, standard_deviation), name, colour in zip(
        arrays["ldos"], ("pristine", "defect"), (COLOURS[0], COLOURS[1]), strict=True
    ):
        lines.append(Series(frequency, mean, name=name, colour=colour))
        lines += [
            Series(
                frequency,
                np.maximum(mean + sign * standard_deviation, 0.0),
                name=f"{name} ± σ",
                colour=colour,
                width=0.7,
                dashed=True,
            )
            for sign in (1, -1)
        ]
    mean, standard_deviation = arrays["bands"].reshape(2, -1)
    order = np.argsort(mean)
    bins = np.array_split(order, min(MAX_BINS, len(order)))
    bin_frequency = np.array([mean[members].mean() for members in bins])
    bin_deviation = np.array([np.sqrt((standard_deviation[members] ** 2).mean()) for members in bins])
    return Figure(
        "committee",
        "(a) Site-averaged local density of states (LDOS) of the innermost shell: mean over the committee and one standard "
        "deviation σ (dashed), pristine (blue) and with the defect (orange); grey: each member, with the defect. (b) Standard "
        f"deviation of the band frequencies. {AXES_BELOW}",
        (
            spectrum_panel(lines, "LDOS (1/THz)", width=1.4),
            Panel((Series(bin_frequency, bin_deviation),), THZ, "standard deviation (THz)", wavenumbers="x"),
        ),
        height=2.8,
    )
