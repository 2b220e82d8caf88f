"""The state of one trajectory of molecular dynamics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase import units

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

CHAIN_LENGTH = 3
"""Thermostats of a Nosé–Hoover chain; three make even a harmonic sheet ergodic (Martyna, Klein and Tuckerman, J. Chem. Phys. 97, 2635, 1992)."""


@dataclass(kw_only=True)
class MovingSheet:
    """One sheet that moves: everything that the next time step depends on."""

    atoms: Atoms
    """The current structure."""
    temperature: float
    """K, of the thermostat; without a thermostat, of the initial velocities."""
    velocities: FloatArray
    """(N, 3) Å per ASE time unit."""
    rng: np.random.Generator
    """Generator of the random forces."""
    chain: FloatArray = field(default_factory=lambda: np.zeros(CHAIN_LENGTH))
    """(CHAIN_LENGTH) 1/ASE time unit, velocities of a Nosé–Hoover chain; unused by other thermostats."""
    kinetic_temperature: list[float] = field(default_factory=list)
    """K, instantaneous temperature after each step."""
    tension: list[float] = field(default_factory=list)
    """N/m, membrane tension after each step."""
    steps: int = 0
    """Number of time steps done so far."""

    @property
    def masses(self) -> FloatArray:
        """(N, 1) amu."""
        return np.asarray(self.atoms.get_masses()[:, None])

    @property
    def degrees_of_freedom(self) -> int:
        """Number of velocity components that are free: the sheet as a whole does not drift."""
        return max(3 * (len(self.atoms) - 1), 1)

    @property
    def kinetic_energy(self) -> float:
        """Kinetic energy of all atoms (eV)."""
        return 0.5 * float((self.masses * self.velocities**2).sum())

    def remove_drift(self) -> None:
        """Bring the centre of mass to rest."""
        masses = self.masses
        self.velocities = self.velocities - (masses * self.velocities).sum(axis=0) / masses.sum()


def thermal_velocities(atoms: Atoms, temperature: float, rng: np.random.Generator) -> FloatArray:
    """Draw velocities from the Maxwell–Boltzmann distribution, without total momentum.

    Parameters
    ----------
    atoms
        The structure.
    temperature
        K.
    rng
        Generator of random numbers.

    Returns
    -------
    (N, 3) Å per ASE time unit.
    """
    masses = atoms.get_masses()[:, None]
    velocities = np.sqrt(units.kB * temperature / masses) * rng.normal(size=(len(atoms), 3))
    return np.asarray(velocities - (masses * velocities).sum(axis=0) / masses.sum())
