"""Huang–Rhys factors of an electronic transition at a defect.

One Lanczos chain from f = M^-1/2 F gives the spectral function, where F are the forces of the excited state in the relaxed
geometry of the ground state; no normal mode is needed. The force constants of both states are assumed to be equal. Sources:
A. Alkauskas et al., New J. Phys. 16, 073026 (2014); Y. Jin et al., Phys. Rev. Mater. 5, 084603 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR, HBAR
from flatforce.properties.phonons.spectra.lanczos import lanczos

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants

MIN_FREQUENCY: Final = 0.02
"""THz. Nodes below this are rigid translations, and long waves that the finite cell does not describe."""

MAX_NET_FORCE: Final = 1e-3
"""Largest component of the net force, relative to the norm of all forces."""


@dataclass(frozen=True)
class HuangRhysFactors:
    """Coupling of each vibration to the electronic transition."""

    energy: FloatArray
    """(K,) eV, vibrational energy ħω of each Lanczos node."""
    factor: FloatArray
    """(K,) partial Huang–Rhys factor of each node, dimensionless."""
    omitted_relaxation_energy: float
    """eV, relaxation energy of the nodes below `MIN_FREQUENCY`, which are not included."""

    @property
    def total(self) -> float:
        """Total Huang–Rhys factor S, the mean number of emitted phonons at zero temperature."""
        return float(self.factor.sum())

    @property
    def relaxation_energy(self) -> float:
        """Relaxation energy in eV, Σ S ħω = ½ F Φ⁻¹ F."""
        return float((self.factor * self.energy).sum())

    def spectral_function(self, grid: FloatArray, broadening: float) -> FloatArray:
        """Broaden the partial factors to the electron–phonon spectral function S(ħω).

        Parameters
        ----------
        grid
            (G) eV, vibrational energies.
        broadening
            eV, standard deviation of the Gaussian.

        Returns
        -------
        (G) 1/eV, spectral function; its integral is the total Huang–Rhys factor.
        """
        gaussians = np.exp(-0.5 * ((grid[:, None] - self.energy) / broadening) ** 2)
        spectrum: FloatArray = gaussians @ self.factor / (broadening * np.sqrt(2 * np.pi))
        return spectrum


def huang_rhys_factors(
    constants: SparseForceConstants, forces: FloatArray, *, steps: int = 200, progress: Progress = silent
) -> HuangRhysFactors:
    """Compute partial Huang–Rhys factors, S(ħω) = ⟨f|δ(ω − √D)|f⟩ / (2 ħ ω³).

    Parameters
    ----------
    constants
        Force constants of the ground state.
    forces
        (N, 3) eV/Å, forces of the excited state in the relaxed geometry of the ground state. If the displacement ΔR of the
        minimum is known instead, they are Φ ΔR.
    steps
        Number of steps of the Lanczos chain.
    progress
        Called after each step.

    Returns
    -------
    The partial factor of each Lanczos node.

    Raises
    ------
    DataError
        If the number of forces is not the number of atoms, or the net force is not zero.
    """
    if forces.shape != constants.atoms.positions.shape:
        raise DataError(
            f"There are forces on {len(forces)} atoms, but force constants of {len(constants.atoms)} atoms.",
            fix="pass forces in the order of the atoms of the force constants",
        )
    net, norm = float(np.abs(forces.sum(axis=0)).max()), float(np.linalg.norm(forces))
    if norm == 0 or net > MAX_NET_FORCE * norm:
        raise DataError(
            "The net force of the excited state is not zero.",
            why=f"the net force is {net:.2g} eV/Å, the norm of the forces {norm:.2g} eV/Å",
            fix="pass the difference of the forces of excited and ground state in one geometry, and subtract its mean: "
            "remove_mean: true in the settings",
        )
    start = (forces / np.sqrt(constants.atoms.get_masses())[:, None]).reshape(-1, 1)
    frequencies, weights = lanczos(constants.dynamical_matrix(), start, steps, progress=progress).nodes(0)
    fast = frequencies > MIN_FREQUENCY
    omega = frequencies / FREQUENCY_FACTOR
    slow = ~fast & (np.abs(omega) > 0)
    omitted = float((weights[slow] / (2 * omega[slow] ** 2)).sum()) if slow.any() else 0.0
    return HuangRhysFactors(HBAR * omega[fast], weights[fast] / (2 * HBAR * omega[fast] ** 3), omitted)


def distribute_forces(forces: FloatArray, small_atom: IntArray) -> FloatArray:
    """Transfer forces from the relaxed small cell to the large cell in which it is embedded.

    Parameters
    ----------
    forces
        (n, 3) eV/Å, forces on the atoms of the small cell.
    small_atom
        (N,) index of the atom of the small cell that each atom of the large cell corresponds to; -1 outside the small cell.

    Returns
    -------
    (N, 3) eV/Å. An atom on the border of the small cell corresponds to several atoms of the large cell, among which its force
    is divided equally.
    """
    embedded = small_atom >= 0
    copies = np.bincount(small_atom[embedded], minlength=len(forces))
    distributed = np.zeros((len(small_atom), 3))
    distributed[embedded] = (forces / copies[:, None])[small_atom[embedded]]
    return distributed
