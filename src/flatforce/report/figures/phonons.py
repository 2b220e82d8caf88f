"""Figures of relaxations and phonons: pristine bands, DOS and PDOS, thermal properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

THZ = "frequency (THz)"

MARKED: Final = 6000
"""Points of the bands that are coloured, those of the largest weight: a browser stays quick."""


def relaxation(trajectory: Sequence[Atoms]) -> Figure:
    """Draw energy and largest force against the step.

    Parameters
    ----------
    trajectory
        Frames with energies and forces.

    Returns
    -------
    Two panels.
    """
    step = np.arange(len(trajectory), dtype=float)
    energy = np.array([frame.get_potential_energy() for frame in trajectory])
    force = np.array([np.linalg.norm(frame.get_forces(), axis=1).max() for frame in trajectory])
    a = np.array([frame.cell.lengths()[0] for frame in trajectory])
    gain = 1e3 * (energy - energy[-1]) / len(trajectory[0])
    return Figure(
        "relaxation",
        "Relaxation of the primitive cell: energy above the end, largest force, lattice constant.",
        (
            Panel((Series(step, gain),), "step", "energy (meV/atom)"),
            Panel((Series(step, force),), "step", "largest force (eV/Å)", log_y=bool((force > 0).all())),
            Panel((Series(step, a),), "step", "a (Å)"),
        ),
        height=2.2,
    )


def ticks_of(arrays: dict[str, NDArray[Any]]) -> tuple[tuple[float, str], ...]:
    """Pair the special points with their places on the path.

    Parameters
    ----------
    arrays
        With `ticks` and `labels`.

    Returns
    -------
    Place and text of each.
    """
    return tuple((float(x), str(text)) for x, text in zip(arrays["ticks"], arrays["labels"], strict=True))


def as_line(distance: FloatArray, bands: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Join bands to one line, parted by NaN, so that one series draws them all.

    Parameters
    ----------
    distance
        (Q).
    bands
        (Q, M).

    Returns
    -------
    (M (Q + 1)) places and frequencies.
    """
    gap = np.full((1, bands.shape[1]), np.nan)
    x = np.append(distance, np.nan)
    return np.tile(x, bands.shape[1]), np.concatenate([bands, gap]).T.ravel()


def bands_and_dos(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw pristine bands beside the DOS.

    Parameters
    ----------
    arrays
        Of a `phonons` folder.

    Returns
    -------
    Two panels with one frequency axis.
    """
    x, y = as_line(arrays["distance"], arrays["bands"])
    limits = (float(arrays["distance"][0]), float(arrays["distance"][-1]))
    dos = arrays["dos"]
    return Figure(
        "pristine-bands",
        "Phonon bands and density of states of the pristine sheet.",
        (
            Panel((Series(x, y),), "", THZ, x_range=limits, x_ticks=ticks_of(arrays), width=2.4),
            Panel(
                (
                    Series(dos, arrays["frequency"], style="area", sideways=True),
                    Series(dos, arrays["frequency"]),
                ),
                "DOS (states/THz)",
                THZ,
                x_range=(0.0, 1.05 * float(dos.max())),
            ),
        ),
        share_y=True,
        height=3.2,
    )


def pdos(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the PDOS by element, in the plane and along the normal.

    Parameters
    ----------
    arrays
        Of a `phonons` folder.

    Returns
    -------
    Three panels: all axes, in plane, normal.
    """
    symbols = arrays["symbols"]
    projected, frequency = arrays["pdos"], arrays["frequency"]
    parts = (("all axes", (0, 1, 2)), ("in plane", (0, 1)), ("along the normal", (2,)))

    def panel(title: str, axes: tuple[int, ...]) -> Panel:
        lines = [
            Series(
                frequency,
                projected[symbols == symbol][:, axes].sum(axis=(0, 1)),
                name=str(symbol),
                colour=COLOURS[k],
            )
            for k, symbol in enumerate(sorted(set(symbols.tolist())))
        ]
        return Panel(tuple(lines), THZ, "PDOS (states/THz)", title=title)

    return Figure(
        "pristine-pdos",
        "Density of states of the pristine sheet by element and direction, per primitive cell.",
        tuple(panel(*part) for part in parts),
        share_y=True,
        height=2.6,
    )


def thermal(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw free energy, entropy and heat capacity.

    Parameters
    ----------
    arrays
        Of a `phonons` folder.

    Returns
    -------
    Three panels against temperature.
    """
    temperature, free, entropy, capacity = arrays["thermal"].T
    kelvin = "temperature (K)"
    return Figure(
        "thermal",
        "Harmonic thermal properties at fixed area, per mole of primitive cells.",
        (
            Panel((Series(temperature, free),), kelvin, "free energy (kJ/mol)"),
            Panel((Series(temperature, entropy),), kelvin, "entropy (J/K/mol)"),
            Panel((Series(temperature, capacity),), kelvin, "heat capacity (J/K/mol)"),
        ),
        height=2.2,
    )
