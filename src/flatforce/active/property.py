"""The property that frames are chosen for, and how it hangs on what is not known of the forces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from flatforce.active.surrogate import STEP, displaced
from flatforce.core.config import Config
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.spectra.modes import ModeSet, gaussian_dos, site_weights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.active.surrogate import Surrogate
    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

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


def property_response(
    potential: Potential, surrogate: Surrogate, sheet: Atoms, target: Target, pristine: Atoms | None = None
) -> FloatArray:
    """Tell what each direction that the labels leave open does to the property.

    Parameters
    ----------
    potential
        The force field: its force constants are what the directions change.
    surrogate
        The directions.
    sheet
        The cell.
    target
        Which property.
    pristine
        The pristine sheet, for a formation energy.

    Returns
    -------
    (K, G) states/THz, (K, count) THz, or (K, 1) eV: that of the cell less that of as many pristine cells as have its area,
    the chemical potentials being known.
    """
    if target.kind == "formation_energy" and pristine is not None:
        area, one = (abs(np.linalg.det(atoms.cell.array[:2, :2])) for atoms in (sheet, pristine))
        return np.asarray((surrogate.energy(sheet) - area / one * surrogate.energy(pristine))[:, None])
    at_rest = force_constants(potential, sheet)
    changed = at_rest + surrogate.force_constants(sheet)
    if target.kind == "modes":
        return local_frequencies(changed, at_rest, sheet, target) - local_frequencies(
            at_rest[None], at_rest, sheet, target
        )
    before = _spectrum(at_rest, sheet, target)
    return np.array([_spectrum(one, sheet, target) - before for one in changed])


def local_frequencies(each: FloatArray, reference: FloatArray, sheet: Atoms, target: Target) -> FloatArray:
    """Follow the modes that move the atoms of the target most.

    Parameters
    ----------
    each
        (n, 3N, 3N) eV/Å².
    reference
        (3N, 3N) eV/Å², whose modes are followed.
    sheet
        The cell.
    target
        Atoms, window and count.

    Returns
    -------
    (n, count) THz: the root of ⟨e|D|e⟩ with each dynamical matrix D and the modes e of the reference, so that modes that cross are
    not exchanged; negative where imaginary.
    """
    mean = cell_modes(reference, sheet)
    inside = (mean.frequencies[0] >= target.window[0]) & (mean.frequencies[0] <= target.window[1])
    weights = np.where(inside, _weights(mean, sheet, target)[0], -1.0)
    chosen = np.argsort(-weights)[: min(target.count, int(inside.sum()))]
    vectors = mean.vectors[0].real[:, chosen]
    masses = np.repeat(sheet.get_masses(), 3)
    squares = np.einsum(
        "ik,mij,jk->mk", vectors, each / np.sqrt(np.outer(masses, masses)), vectors, optimize=True
    )
    return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR)


def force_constants(potential: Potential, sheet: Atoms) -> FloatArray:
    """Compute the force constants of a cell by central differences.

    Parameters
    ----------
    potential
        The force field.
    sheet
        The cell.

    Returns
    -------
    (3N, 3N) eV/Å², symmetric.
    """
    forces = np.array([one.forces.ravel() for one in potential.evaluate(displaced(sheet), stress=False)])
    rows = (forces[1::2] - forces[::2]) / (2 * STEP)
    return np.asarray((rows + rows.T) / 2)


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
