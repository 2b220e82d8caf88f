"""Figures of a dataset: periodic table, space groups, distributions, step selection, map of environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

NOBLE: Final = (2, 10, 18, 36, 54, 86)
"""Atomic numbers that end a period."""

BINS: Final = 60


def place(z: int) -> tuple[int, int]:
    """Find an element in the long-form table, f block below.

    Parameters
    ----------
    z
        Atomic number, up to 86.

    Returns
    -------
    Column 1…18 and row 1…6, or row 8 for the lanthanoids.
    """
    period = next(k for k, last in enumerate(NOBLE, start=1) if z <= last)
    first = 1 if period == 1 else NOBLE[period - 2] + 1
    step = z - first
    if period == 1:
        return (1 if z == 1 else 18), 1
    if period in {2, 3}:
        return (step + 1 if step < 2 else step + 11), period
    if period in {4, 5}:
        return step + 1, period
    if 57 <= z <= 70:
        return z - 57 + 3, 8
    return (step + 1 if step < 2 else step - 13), period


def periodic_table(values: Mapping[str, float], *, name: str, caption: str, label: str) -> Figure:
    """Draw a number for each element.

    Parameters
    ----------
    values
        Species → number; elements that are missing stay empty.
    name
        Of the files.
    caption
        Below the figure.
    label
        Of the colour bar.

    Returns
    -------
    One panel.
    """
    numbers = np.arange(1, NOBLE[-1] + 1)
    places = np.array([place(int(z)) for z in numbers], dtype=float)
    known = {atomic_numbers[symbol]: value for symbol, value in values.items()}
    colours = np.array([known.get(int(z), np.nan) for z in numbers])
    texts = tuple(chemical_symbols[z] + (f"\n{known[z]:.3g}" if z in known else "") for z in numbers.tolist())
    tiles = Series(places[:, 0], -places[:, 1], style="tiles", value=colours, value_name=label, texts=texts)
    return Figure(name, caption, (Panel((tiles,), "", bare=True),), height=3.6)


def histogram(values: FloatArray, *, log: bool = False) -> tuple[FloatArray, FloatArray]:
    """Count in even bins, of the logarithm where asked.

    Parameters
    ----------
    values
        Numbers; only positive ones count where logarithmic.
    log
        Whether bins grow geometrically.

    Returns
    -------
    Middles and counts.
    """
    chosen = values[values > 0] if log else values
    if chosen.size == 0:
        return np.zeros(1), np.zeros(1)
    low, high = float(chosen.min()), float(chosen.max())
    edges = np.geomspace(low, high, BINS) if log and high > low else np.linspace(low, high + 1e-12, BINS)
    counts, edges = np.histogram(chosen, bins=edges)
    middle = np.sqrt(edges[1:] * edges[:-1]) if log else (edges[1:] + edges[:-1]) / 2
    return middle, counts.astype(float)


def distributions(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw energies, forces and stresses.

    Parameters
    ----------
    arrays
        Of a `statistics` folder.

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
        shown = np.where(y > 0, y, np.nan)
        panels.append(Panel((Series(x, shown, style="steps"),), label, "count", log_y=True, log_x=log))
    return Figure("distributions", "Distributions of the labels.", tuple(panels), height=2.4)


def step_selection(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the size of the set against e_cut.

    Parameters
    ----------
    arrays
        Of a `statistics` folder.

    Returns
    -------
    One panel.
    """
    line = Series(1e3 * arrays["e_cut"], arrays["kept"].astype(float))
    return Figure(
        "step-selection",
        "Frames left when a step of a relaxation must differ in energy from the next by more than e_cut.",
        (Panel((line,), "e_cut (meV/atom)", "frames", log_x=True),),
        height=2.4,
    )


def environment_map(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the two main directions in which mean SOAP vectors differ.

    Parameters
    ----------
    arrays
        Of a `statistics` folder.

    Returns
    -------
    One panel.
    """
    x, y = arrays["map"].T
    points = Series(
        x,
        y,
        style="points",
        width=3.0,
        value=arrays["map_energy"] - arrays["map_energy"].min(),
        value_name="energy above the lowest (eV/atom)",
        colour=COLOURS[0],
    )
    return Figure(
        "map",
        "Each point a frame, by the first two principal components of its mean SOAP vector.",
        (Panel((points,), "component 1", "component 2"),),
        height=3.4,
    )


def space_groups(counts: Mapping[str, int]) -> Figure:
    """Draw how many frames have each space group.

    Parameters
    ----------
    counts
        Number → frames.

    Returns
    -------
    One panel.
    """
    numbers = np.array(sorted(int(key) for key in counts), dtype=float)
    values = np.array([counts[str(int(n))] for n in numbers], dtype=float)
    x = np.stack([numbers, numbers, np.full_like(numbers, np.nan)], axis=1).ravel()
    y = np.stack([np.full_like(values, 0.5), values, np.full_like(values, np.nan)], axis=1).ravel()
    return Figure(
        "space-groups",
        "Frames by the number of their space group.",
        (Panel((Series(x, y, width=3.0),), "space group", "frames", log_y=True),),
        height=2.2,
    )
