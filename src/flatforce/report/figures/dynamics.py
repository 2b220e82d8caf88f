"""Figures of molecular dynamics: course, spectra, ripples, distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FS_IN_PS = 1e-3


def dynamics(
    arrays: Mapping[str, NDArray[Any]],
    *,
    trajectories: Sequence[str],
    temperatures: Sequence[str],
    pairs: Sequence[str],
    elements: Sequence[str],
) -> list[Figure]:
    """Draw the course of trajectories and what they show.

    Parameters
    ----------
    arrays
        Arrays of a `molecular dynamics` folder.
    trajectories
        Names of the trajectories.
    temperatures
        Names of the temperatures.
    pairs
        Pairs of elements.
    elements
        Chemical symbols.

    Returns
    -------
    The figures, those of spectra only where there are any.
    """
    figures = [_course(arrays, trajectories)]
    if arrays[f"vdos_{temperatures[0]}"].size:
        figures.append(_spectra(arrays, temperatures))
    figures.append(_structure(arrays, temperatures[0], pairs, elements))
    figures.append(_ripples(arrays, temperatures))
    if f"density_{temperatures[0]}" in arrays:
        figures.append(_energy_density(arrays, temperatures[0]))
    return figures


def _course(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> Figure:
    temperature, energy = [], []
    for k, name in enumerate(names):
        if f"time_{name}" not in arrays:
            continue
        colour, time = COLOURS[k % len(COLOURS)], FS_IN_PS * arrays[f"time_{name}"]
        total = arrays[f"potential_energy_{name}"] + arrays[f"kinetic_energy_{name}"]
        temperature.append(Series(time, arrays[f"temperature_{name}"], name=name, colour=colour, width=0.8))
        energy.append(Series(time, 1e3 * (total - total[0]), name=name, colour=colour, width=0.8))
    return Figure(
        "course",
        "Kinetic temperature, and change of the total energy of the sheet, which is constant without a thermostat.",
        (
            Panel(tuple(temperature), "time (ps)", "temperature (K)", title="temperature"),
            Panel(tuple(energy), "time (ps)", "total energy (meV)", title="total energy"),
        ),
    )


def _spectra(arrays: Mapping[str, NDArray[Any]], temperatures: Sequence[str]) -> Figure:
    series = []
    for k, label in enumerate(temperatures):
        colour = COLOURS[k % len(COLOURS)]
        frequency, dos = arrays[f"frequency_{label}"], arrays[f"vdos_{label}"]
        shown = frequency < 1.2 * _highest(frequency, dos)
        series.append(Series(frequency[shown], dos[shown], name=label, colour=colour))
        local = arrays.get(f"local_vdos_{label}")
        if local is not None:
            scale = float(dos.sum() / local.sum()) if local.sum() > 0 else 1.0
            series.append(
                Series(
                    frequency[shown],
                    scale * local[shown],
                    name=f"{label}, near the atom (scaled)",
                    colour=colour,
                    dashed=True,
                )
            )
    return Figure(
        "vdos",
        "Vibrational density of states from velocities; local ones are scaled to the same area.",
        (Panel(tuple(series), "frequency (THz)", "states/THz", wavenumbers="x"),),
    )


def _highest(frequency: NDArray[Any], dos: NDArray[Any]) -> float:
    """Frequency below which 99.5 % of the states lie."""
    total = dos.cumsum()
    return float(frequency[np.searchsorted(total, 0.995 * total[-1])])


def _structure(
    arrays: Mapping[str, NDArray[Any]], label: str, pairs: Sequence[str], elements: Sequence[str]
) -> Figure:
    distance = arrays[f"distance_{label}"]
    shown = distance < 12.0
    distribution = tuple(
        Series(
            distance[shown],
            arrays[f"pair_{pair}_{label}"][shown],
            name=pair,
            colour=COLOURS[k % len(COLOURS)],
        )
        for k, pair in enumerate(pairs)
    )
    displacement = tuple(
        Series(
            FS_IN_PS * arrays[f"lag_{label}"],
            arrays[f"msd_{element}_{label}"],
            name=element,
            colour=COLOURS[k % len(COLOURS)],
        )
        for k, element in enumerate(elements)
    )
    return Figure(
        "structure",
        f"Distribution of in-plane distances, and mean square displacement, at {label.removesuffix('K')} K.",
        (
            Panel(distribution, "in-plane distance (Å)", "g(r)", title="pairs"),
            Panel(displacement, "time (ps)", "⟨Δr²⟩ (Å²)", title="displacement"),
        ),
    )


def _ripples(arrays: Mapping[str, NDArray[Any]], temperatures: Sequence[str]) -> Figure:
    series = tuple(
        Series(
            arrays[f"wave_number_{label}"],
            arrays[f"height_correlation_{label}"],
            name=label,
            style="points",
            width=4,
            colour=COLOURS[k % len(COLOURS)],
        )
        for k, label in enumerate(temperatures)
    )
    return Figure(
        "ripples",
        "Correlation of heights; a free sheet follows k_B T / (A κ q⁴) for long waves.",
        (Panel(series, "q (1/Å)", "⟨|h_q|²⟩ (Å²)", log_x=True, log_y=True),),
    )


def _energy_density(arrays: Mapping[str, NDArray[Any]], label: str) -> Figure:
    density, frequency = arrays[f"density_{label}"], arrays[f"density_frequency_{label}"]
    position = arrays["path_distance"]
    shown = frequency < 1.2 * _highest(frequency, density.sum(axis=0))
    x, y = np.meshgrid(position, frequency[shown], indexing="ij")
    value = np.log10(np.maximum(density[:, shown], density.max() * 1e-4))
    points = Series(
        x.ravel(), y.ravel(), style="points", value=value.ravel(), value_name="log₁₀ density", width=4
    )
    return Figure(
        "energy_density",
        f"Spectral energy density at the wave vectors of the supercell on the band path, at {label.removesuffix('K')} K.",
        (Panel((points,), "wave vector (1/Å)", "frequency (THz)", wavenumbers="y"),),
    )
