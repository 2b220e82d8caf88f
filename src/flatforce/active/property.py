"""The property that frames are chosen for: what each member of a committee says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

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
    """A property of one relaxed cell."""

    kind: Literal["ldos", "modes", "formation_energy"] = "ldos"
    """Local density of states of `atoms` at Γ of the cell, frequencies of the `count` modes with most weight there, or the
    energy against `pristine`."""
    structure: str
    """File of the relaxed cell, such as a supercell with the defect."""
    atoms: list[int] = []
    """Those near the defect; all if empty."""
    window: tuple[float, float] = (0.0, 12.0)
    """THz, of spectrum and modes."""
    broadening: PositiveFloat = Field(0.2)
    """THz, of the spectrum."""
    count: PositiveInt = 6
    """Modes."""
    pristine: str | None = None
    """File of the pristine sheet, its primitive cell or any other."""

    @model_validator(mode="after")
    def _compared(self) -> Target:
        if self.kind == "formation_energy" and self.pristine is None:
            raise ValueError("kind: formation_energy needs the pristine sheet")
        return self


def member_properties(
    potential: Potential, sheet: Atoms, target: Target, pristine: Atoms | None = None
) -> FloatArray:
    """Ask every member for the property.

    Parameters
    ----------
    potential
        A committee.
    sheet
        The cell.
    target
        Which property.
    pristine
        The pristine sheet, for a formation energy.

    Returns
    -------
    (members, G) states/THz, (members, count) THz, or (members, 1) eV: that of the cell less that of as many pristine
    cells as have its area, the chemical potentials being the same for all members.
    """
    if target.kind == "formation_energy" and pristine is not None:
        area, one = (abs(np.linalg.det(atoms.cell.array[:2, :2])) for atoms in (sheet, pristine))
        cell, perfect = potential.member_energies([sheet, pristine])
        return np.asarray((cell - area / one * perfect)[:, None])
    each = member_force_constants(potential, sheet)
    if target.kind == "modes":
        return local_frequencies(each, sheet, target)
    return np.array([_spectrum(one, sheet, target) for one in each])


def local_frequencies(each: FloatArray, sheet: Atoms, target: Target) -> FloatArray:
    """Follow the modes that move the atoms of the target most.

    Parameters
    ----------
    each
        (members, 3N, 3N) eV/Å².
    sheet
        The cell.
    target
        Atoms, window and count.

    Returns
    -------
    (members, count) THz: the root of ⟨e|D|e⟩ with a member's dynamical matrix D and the modes e of the mean, so that modes
    that cross are not exchanged; negative where imaginary.
    """
    mean = cell_modes(each.mean(axis=0), sheet)
    inside = (mean.frequencies[0] >= target.window[0]) & (mean.frequencies[0] <= target.window[1])
    weights = np.where(inside, _weights(mean, sheet, target)[0], -1.0)
    chosen = np.argsort(-weights)[: min(target.count, int(inside.sum()))]
    vectors = mean.vectors[0].real[:, chosen]
    masses = np.repeat(sheet.get_masses(), 3)
    squares = np.einsum("ik,mij,jk->mk", vectors, each / np.sqrt(np.outer(masses, masses)), vectors)
    return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR)


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
    grid = np.linspace(*target.window, POINTS)
    return gaussian_dos(modes.frequencies, _weights(modes, sheet, target), grid, target.broadening)


def _weights(modes: ModeSet, sheet: Atoms, target: Target) -> FloatArray:
    atoms = np.array(target.atoms or range(len(sheet)), dtype=int)
    return np.asarray(site_weights(modes)[:, :, atoms].sum(axis=2))
