"""Figures of a dataset: periodic table, space groups, distributions, selection of steps, map of environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

PERIOD_ENDS: Final = (2, 10, 18, 36, 54, 86)
"""Atomic numbers that end a period."""

BINS: Final = 60
"""Number of bins of a histogram, plus one."""


def table_position(z: int) -> tuple[int, int]:
    """Find the position of an element in the periodic table, with the f block below.

    Parameters
    ----------
    z
        Atomic number, up to 86.

    Returns
    -------
    Column 1 to 18; row 1 to 6, or 8 for the lanthanoids.
    """
    period = next(k for k, last in enumerate(PERIOD_ENDS, start=1) if z <= last)
    first = 1 if period == 1 else PERIOD_ENDS[period - 2] + 1
    offset = z - first
    if period == 1:
        return (1 if z == 1 else 18), 1
    if period in {2, 3}:
        return (offset + 1 if offset < 2 else offset + 11), period
    if period in {4, 5}:
        return offset + 1, period
    if 57 <= z <= 70:
        return z - 57 + 3, 8
    return (offset + 1 if offset < 2 else offset - 13), period


def periodic_table(values: Mapping[str, float], *, name: str, caption: str, label: str) -> Figure:
    """Draw a number for each element in a periodic table.

    Parameters
    ----------
    values
        Chemical symbol → number; the other elements stay empty.
    name
        Name of the figure.
    caption
        Text below the figure.
    label
        Label of the colour bar.

    Returns
    -------
    A figure with one panel: the periodic table with a number in each cell.
    """
    numbers = np.arange(1, PERIOD_ENDS[-1] + 1)
    positions = np.array([table_position(int(z)) for z in numbers], dtype=float)
    value_of = {atomic_numbers[symbol]: value for symbol, value in values.items()}
    colours = np.array([value_of.get(int(z), np.nan) for z in numbers])
    texts = tuple(
        chemical_symbols[z] + (f"\n{value_of[z]:.3g}" if z in value_of else "") for z in numbers.tolist()
    )
    tiles = Series(
        positions[:, 0], -positions[:, 1], style="tiles", value=colours, value_name=label, texts=texts
    )
    return Figure(name, caption, (Panel((tiles,), "", bare=True),), height=3.6)


def histogram(values: FloatArray, *, log: bool = False) -> tuple[FloatArray, FloatArray]:
    """Count numbers in bins of equal width, on a linear or a logarithmic axis.

    Parameters
    ----------
    values
        Numbers; on a logarithmic axis, those that are not positive are left out.
    log
        Whether the axis is logarithmic.

    Returns
    -------
    (B,) centres of the bins in the unit of the values, and (B,) counts.
    """
    counted = values[values > 0] if log else values
    if counted.size == 0:
        return np.zeros(1), np.zeros(1)
    low, high = float(counted.min()), float(counted.max())
    edges = np.geomspace(low, high, BINS) if log and high > low else np.linspace(low, high + 1e-12, BINS)
    counts, edges = np.histogram(counted, bins=edges)
    centres = np.sqrt(edges[1:] * edges[:-1]) if log else (edges[1:] + edges[:-1]) / 2
    return centres, counts.astype(float)


def distributions(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw histograms of energies, forces and stresses.

    Parameters
    ----------
    arrays
        Arrays of a `statistics` folder.

    Returns
    -------
    Three panels with logarithmic counts.
    """
    panels = []
    for key, label, log in (
        ("energy", "energy (eV/atom)", False),
        ("force", "force on an atom (eV/Å)", True),
        ("stress", "membrane stress (N/m)", True),
    ):
        x, y = histogram(arrays[key], log=log)
        has_counts = bool(
            (y > 0).any()
        )  # none where every force, or every stress, is zero: no logarithm then
        shown = np.where(y > 0, y, np.nan) if has_counts else y
        panels.append(
            Panel(
                (Series(x, shown, style="steps"),), label, "count", log_y=has_counts, log_x=log and has_counts
            )
        )
    return Figure("distributions", "Histograms of the labels.", tuple(panels), height=2.4)


def step_selection(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the number of selected frames against the smallest energy difference between steps.

    Parameters
    ----------
    arrays
        Arrays of a `statistics` folder.

    Returns
    -------
    A figure with one panel: selected frames against energy difference in eV/atom.
    """
    line = Series(1e3 * arrays["min_energy_step"], arrays["n_selected"].astype(float))
    return Figure(
        "step-selection",
        "Number of frames left if each step of a relaxation must differ in energy from the next by more than min_energy_step "
        "(e_cut in the literature).",
        (Panel((line,), "min_energy_step (meV/atom)", "frames", log_x=True),),
        height=2.4,
    )


def environment_map(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the first two principal components of the mean SOAP vectors.

    Parameters
    ----------
    arrays
        Arrays of a `statistics` folder.

    Returns
    -------
    A figure with one panel: one point for each frame, coloured by energy.
    """
    x, y = arrays["map"].T
    points = Series(
        x,
        y,
        style="points",
        width=3.0,
        value=arrays["map_energy"] - arrays["map_energy"].min(),
        value_name="energy above the minimum (eV/atom)",
        colour=COLOURS[0],
    )
    return Figure(
        "map",
        "First two principal components of the mean SOAP vector of each frame.",
        (Panel((points,), "principal component 1", "principal component 2"),),
        height=3.4,
    )


def space_groups(counts: Mapping[str, int]) -> Figure:
    """Draw the number of frames of each space group.

    Parameters
    ----------
    counts
        Number of each space group → number of frames.

    Returns
    -------
    A figure with one panel: one bar for each space group.
    """
    numbers = np.array(sorted(int(key) for key in counts), dtype=float)
    values = np.array([counts[str(int(n))] for n in numbers], dtype=float)
    x = np.stack([numbers, numbers, np.full_like(numbers, np.nan)], axis=1).ravel()
    y = np.stack([np.full_like(values, 0.5), values, np.full_like(values, np.nan)], axis=1).ravel()
    return Figure(
        "space-groups",
        "Number of frames of each space group.",
        (Panel((Series(x, y, width=3.0),), "space group", "frames", log_y=True),),
        height=2.2,
    )
