"""The property that frames are chosen for: what each member of a committee says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, PositiveFloat

from flatforce.core.config import Config
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.spectra import ModeSet, gaussian_dos, site_weights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

STEP = 0.01
"""Å, of central differences."""

POINTS = 240
"""Of the spectrum."""


class Target(Config):
    """Local density of states of some atoms at Γ of a cell, or the frequencies of its modes in a window."""

    structure: str
    """File of the relaxed cell, such as a supercell with the defect."""
    atoms: list[int] = []
    """Whose spectrum: those near the defect; all if empty."""
    window: tuple[float, float] = (0.0, 12.0)
    """THz."""
    broadening: PositiveFloat = Field(0.2)
    """THz."""


def spectra(potential: Potential, sheet: Atoms, target: Target) -> FloatArray:
    """Ask every member for the local spectrum.

    Parameters
    ----------
    potential
        A committee.
    sheet
        The cell.
    target
        Which atoms and frequencies.

    Returns
    -------
    (members, G) states/THz.
    """
    each = member_force_constants(potential, sheet)
    return np.array([_spectrum(one, sheet, target) for one in each])


def member_force_constants(potential: Potential, sheet: Atoms) -> FloatArray:
    """Ask every member for the force constants of a cell, by central differences.

    Parameters
    ----------
    potential
        A committee.
    sheet
        The cell.

    Returns
    -------
    (members, 3N, 3N) eV/Å², symmetric.
    """
    frames = []
    for atom in range(len(sheet)):
        for axis in range(3):
            for sign in (1.0, -1.0):
                moved = sheet.copy()
                moved.positions[atom, axis] += sign * STEP
                frames.append(moved)
    forces = np.array(potential.member_forces(frames))  # (6N, members, N, 3)
    forces = forces.reshape(3 * len(sheet), 2, forces.shape[1], -1)
    rows = ((forces[:, 1] - forces[:, 0]) / (2 * STEP)).transpose(1, 0, 2)
    return np.asarray((rows + rows.transpose(0, 2, 1)) / 2)


def cell_modes(force_constants: FloatArray, sheet: Atoms) -> ModeSet:
    """Diagonalise at Γ of the cell.

    Parameters
    ----------
    force_constants
        (3N, 3N) eV/Å².
    sheet
        The cell.

    Returns
    -------
    Its modes, frequencies in THz, negative for imaginary ones.
    """
    masses = np.repeat(sheet.get_masses(), 3)
    values, vectors = np.linalg.eigh(force_constants / np.sqrt(np.outer(masses, masses)))
    frequencies = np.sign(values) * np.sqrt(np.abs(values)) * FREQUENCY_FACTOR
    return ModeSet(frequencies[None], vectors[None].astype(complex), np.ones(1))


def _spectrum(force_constants: FloatArray, sheet: Atoms, target: Target) -> FloatArray:
    modes = cell_modes(force_constants, sheet)
    atoms = np.array(target.atoms or range(len(sheet)), dtype=int)
    weights = site_weights(modes)[:, :, atoms].sum(axis=2)
    grid = np.linspace(*target.window, POINTS)
    return gaussian_dos(modes.frequencies, weights, grid, target.broadening)
