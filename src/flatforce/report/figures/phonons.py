"""Figures of relaxations and phonons: pristine bands, DOS and PDOS, thermal properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.properties.phonons.spectra.modes import IMAGINARY
from flatforce.report.figures.figure import Figure, Panel, Series, colour_key, element_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

THZ = "frequency (THz)"

ROUND_OFF: Final = 1e-3
"""A spectrum below zero by less than this, relative to its maximum, is not negative: the error of the dilute limit."""

AXES: Final = "The left axis gives frequencies in THz, the right one the same in cm⁻¹."
"""Sentence of the captions of figures with frequencies upwards."""

AXES_BELOW: Final = "The lower axis gives frequencies in THz, the upper one the same in cm⁻¹."
"""Sentence of the captions of figures with frequencies along the horizontal axis."""

MAX_COLOURED_POINTS: Final = 6000
"""Number of coloured points on the bands, those with the largest projection; a browser draws so many without delay."""


def relaxation(trajectory: Sequence[Atoms]) -> Figure:
    """Draw energy and largest force against the step.

    Parameters
    ----------
    trajectory
        Structures with energy and forces in their calculators.

    Returns
    -------
    A figure with three panels: energy in meV/atom, force in eV/Å and lattice constant in Å against the step.
    """
    step = np.arange(len(trajectory), dtype=float)
    energy = np.array([frame.get_potential_energy() for frame in trajectory])
    force = np.array([np.linalg.norm(frame.get_forces(), axis=1).max() for frame in trajectory])
    a = np.array([frame.cell.lengths()[0] for frame in trajectory])
    energy_above_last = 1e3 * (energy - energy[-1]) / len(trajectory[0])
    return Figure(
        "relaxation",
        "Relaxation of the sheet: energy above that of the last step, largest force on any atom, lattice constant.",
        (
            Panel((Series(step, energy_above_last),), "step", "energy (meV/atom)"),
            Panel((Series(step, force),), "step", "largest force (eV/Å)", log_y=bool((force > 0).all())),
            Panel((Series(step, a),), "step", "a (Å)"),
        ),
        height=2.2,
    )


def ticks_of(arrays: dict[str, NDArray[Any]]) -> tuple[tuple[float, str], ...]:
    """Pair the special points with their positions on the band path.

    Parameters
    ----------
    arrays
        Arrays of a band structure, with `ticks` (1/Å) and `labels`.

    Returns
    -------
    Position (1/Å) and label of each special point.
    """
    return tuple((float(x), str(text)) for x, text in zip(arrays["ticks"], arrays["labels"], strict=True))


def as_line(distance: FloatArray, bands: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Join bands into one line, separated by NaN, so that one series draws them all.

    Parameters
    ----------
    distance
        (Q) 1/Å, position along the band path.
    bands
        (Q, M) THz.

    Returns
    -------
    (M (Q + 1)) 1/Å and THz, positions and frequencies.
    """
    gap = np.full((1, bands.shape[1]), np.nan)
    x = np.append(distance, np.nan)
    return np.tile(x, bands.shape[1]), np.concatenate([bands, gap]).T.ravel()


def bands_and_dos(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the pristine bands beside the density of states.

    Parameters
    ----------
    arrays
        Arrays of a `phonons` folder.

    Returns
    -------
    Two panels with one frequency axis.
    """
    x, y = as_line(arrays["distance"], arrays["bands"])
    limits = (float(arrays["distance"][0]), float(arrays["distance"][-1]))
    dos = arrays["dos"]
    return Figure(
        "pristine-bands",
        "Phonon bands of the pristine sheet along the path between the special points of its Brillouin zone, and its density "
        f"of states (DOS) per primitive cell. {AXES}",
        (
            Panel(
                (Series(x, y),),
                "",
                THZ,
                x_range=limits,
                y_range=frequency_range(arrays["bands"]),
                x_ticks=ticks_of(arrays),
                width=2.4,
            ),
            Panel(
                (
                    Series(dos, arrays["frequency"], style="area", sideways=True, guide=True),
                    Series(dos, arrays["frequency"]),
                ),
                "DOS (states/THz)",
                THZ,
                x_range=(0.0, 1.05 * float(dos.max())),
                y_range=frequency_range(arrays["bands"]),
                wavenumbers="y",
            ),
        ),
        share_y=True,
        height=3.2,
    )


def pdos(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the projected density of states (PDOS) of each element, in plane and out of plane.

    Parameters
    ----------
    arrays
        Arrays of a `phonons` folder.

    Returns
    -------
    Three panels: all directions, in plane, out of plane.
    """
    symbols = arrays["symbols"]
    projected_dos, frequency = arrays["pdos"], arrays["frequency"]
    colours = element_colours(symbols.tolist())
    directions = (("all directions", (0, 1, 2)), ("in plane", (0, 1)), ("out of plane", (2,)))

    def panel(title: str, axes: tuple[int, ...]) -> Panel:
        lines = [
            Series(
                frequency,
                projected_dos[symbols == symbol][:, axes].sum(axis=(0, 1)),
                name=symbol,
                colour=colour,
            )
            for symbol, colour in colours.items()
        ]
        return spectrum_panel(lines, "PDOS (states/THz)", title=title)

    return Figure(
        "pristine-pdos",
        "Density of states of the pristine sheet per primitive cell, projected onto elements "
        f"({colour_key(colours)}) and directions of motion. {AXES_BELOW}",
        tuple(panel(title, axes) for title, axes in directions),
        share_y=True,
        height=2.6,
    )


def frequency_range(bands: FloatArray) -> tuple[float, float]:
    """Choose the limits of an axis of frequencies.

    Parameters
    ----------
    bands
        (...) THz, imaginary frequencies as negative numbers.

    Returns
    -------
    Limits in THz; the lower one is zero unless there are imaginary frequencies.
    """
    lowest, highest = float(bands.min()), float(bands.max())
    return (0.0 if lowest > IMAGINARY else 1.05 * lowest, 1.04 * highest)


def spectrum_panel(series: Sequence[Series], label: str, *, title: str = "", width: float = 1.0) -> Panel:
    """Draw spectra against frequency, with a second scale in cm⁻¹.

    Parameters
    ----------
    series
        Spectra, the last of them on the whole grid of frequencies.
    label
        Quantity and unit of the vertical axis.
    title
        Text above the panel.
    width
        Width relative to the other panels.

    Returns
    -------
    A panel from the first to the last frequency; densities of states, which are not negative, start at zero.
    """
    frequency = series[-1].x
    lowest = min(float(line.y.min()) for line in series)
    highest = max(float(line.y.max()) for line in series)
    return Panel(
        tuple(series),
        THZ,
        label,
        title=title,
        x_range=(float(frequency[0]), float(frequency[-1])),
        y_range=(0.0, 1.05 * highest) if lowest > -ROUND_OFF * highest else None,
        width=width,
        wavenumbers="x",
    )


def thermal(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw free energy, entropy and heat capacity against temperature.

    Parameters
    ----------
    arrays
        Arrays of a `phonons` folder.

    Returns
    -------
    A figure with three panels, all against temperature in K.
    """
    temperature, free_energy, entropy, heat_capacity = arrays["thermal"].T
    label = "temperature (K)"
    return Figure(
        "thermal",
        "Harmonic vibrational properties at fixed area, per mole of primitive cells.",
        (
            Panel((Series(temperature, free_energy),), label, "free energy (kJ/mol)"),
            Panel((Series(temperature, entropy),), label, "entropy (J/K/mol)"),
            Panel((Series(temperature, heat_capacity),), label, "heat capacity (J/K/mol)"),
        ),
        height=2.2,
    )
