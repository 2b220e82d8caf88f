"""Vibrations that go with an electronic transition of a defect: Huang–Rhys factors and the line shape.

One Lanczos chain from f = M^-1/2 F gives the spectral function, F being the forces of the excited state on the atoms of
the ground state's geometry; no mode is needed. Equal curvatures of both states are assumed. Sources: A. Alkauskas et al.,
New J. Phys. 16, 073026 (2014); Y. Jin et al., Phys. Rev. Mater. 5, 084603 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import BOLTZMANN, FREQUENCY_FACTOR, HBAR
from flatforce.properties.phonons.spectra.lanczos import lanczos

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants

SLOWEST: Final = 0.02
"""THz. Slower nodes are rigid motion, which a finite cell holds at zero, and long waves that it cannot."""

NET_FORCE: Final = 1e-3
"""Largest net force, in units of the norm of all forces."""

PADDING: Final = 4
"""Times the range of energies that the Fourier transform spans, lest the tails fold back."""


@dataclass(frozen=True)
class HuangRhysFactors:
    """How strongly each vibration is driven by the transition."""

    energy: FloatArray
    """(K,) eV, ħω of each node."""
    factor: FloatArray
    """(K,) partial Huang–Rhys factors."""
    left_out: float
    """eV, relaxation energy of the nodes that are too slow."""

    @property
    def total(self) -> float:
        """S, the mean number of quanta."""
        return float(self.factor.sum())

    @property
    def relaxation_energy(self) -> float:
        """eV, Σ S ħω = ½ F Φ⁻¹ F."""
        return float((self.factor * self.energy).sum())

    def spectral_function(self, grid: FloatArray, broadening: float) -> FloatArray:
        """Broaden the partial factors.

        Parameters
        ----------
        grid
            (G) eV.
        broadening
            eV, standard deviation of the Gaussian.

        Returns
        -------
        (G) 1/eV; the integral is S.
        """
        gaussians = np.exp(-0.5 * ((grid[:, None] - self.energy) / broadening) ** 2)
        found: FloatArray = gaussians @ self.factor / (broadening * np.sqrt(2 * np.pi))
        return found


def huang_rhys_factors(
    constants: SparseForceConstants, forces: FloatArray, *, steps: int = 200, progress: Progress = silent
) -> HuangRhysFactors:
    """Compute partial Huang–Rhys factors, S(ħω) = ⟨f|δ(ω − √D)|f⟩ / (2 ħ ω³).

    Parameters
    ----------
    constants
        Force constants of the ground state.
    forces
        (N, 3) eV/Å, of the excited state in the relaxed geometry of the ground state; for a displacement ΔR of the
        minimum, Φ ΔR.
    steps
        Of the Lanczos chain.
    progress
        Told after each step.

    Returns
    -------
    The factors.

    Raises
    ------
    DataError
        If the forces do not belong to the cell, or push it as a whole.
    """
    if forces.shape != constants.atoms.positions.shape:
        raise DataError(
            f"There are forces on {len(forces)} atoms, and force constants of {len(constants.atoms)}.",
            fix="give forces in the order of the cell of the force constants",
        )
    net, norm = float(np.abs(forces.sum(axis=0)).max()), float(np.linalg.norm(forces))
    if norm == 0 or net > NET_FORCE * norm:
        raise DataError(
            "The forces of the excited state push the cell as a whole.",
            why=f"their sum is {net:.2g} eV/Å, their norm {norm:.2g} eV/Å",
            fix="take the difference of excited and ground state in one geometry, and remove the mean",
        )
    start = (forces / np.sqrt(constants.atoms.get_masses())[:, None]).reshape(-1, 1)
    frequencies, weights = lanczos(constants.dynamical(), start, steps, progress=progress).nodes(0)
    fast = frequencies > SLOWEST
    omega = frequencies / FREQUENCY_FACTOR
    slow = ~fast & (np.abs(omega) > 0)
    left_out = float((weights[slow] / (2 * omega[slow] ** 2)).sum()) if slow.any() else 0.0
    return HuangRhysFactors(HBAR * omega[fast], weights[fast] / (2 * HBAR * omega[fast] ** 3), left_out)


def distribute_forces(forces: FloatArray, small_atom: IntArray) -> FloatArray:
    """Carry forces over from the cell that was relaxed to the one it is embedded in.

    Parameters
    ----------
    forces
        (n, 3) eV/Å, on the smaller cell.
    small_atom
        (N,) atom of the smaller cell that each atom stands for; -1 beyond its border.

    Returns
    -------
    (N, 3) eV/Å. An atom on the border stands at several places, which share its force.
    """
    there = small_atom >= 0
    shares = np.bincount(small_atom[there], minlength=len(forces))
    found = np.zeros((len(small_atom), 3))
    found[there] = (forces / shares[:, None])[small_atom[there]]
    return found


def emission_line_shape(factors: HuangRhysFactors, energy: FloatArray, *, temperature: float, width: float) -> FloatArray:
    """Compute the emission line shape by the generating function.

    Parameters
    ----------
    factors
        Partial Huang–Rhys factors.
    energy
        (G) eV, evenly spaced by less than a sixth of the width; counted from the zero-phonon line towards lower photon
        energies, E_ZPL − E.
    temperature
        K.
    width
        eV, full width at half maximum of the zero-phonon line, a Lorentzian.

    Returns
    -------
    (G) 1/eV; the integral over all energies is 1.

    Raises
    ------
    DataError
        If the grid is too coarse for the width.
    """
    step = float(energy[1] - energy[0])
    if step > width / 6:
        raise DataError(
            f"The energies are {step:.2g} eV apart, the line is {width:.2g} eV wide.",
            fix="give a finer grid, or a wider line",
        )
    count = 2 ** int(np.ceil(np.log2(PADDING * len(energy))))
    time = np.arange(count // 2) * 2 * np.pi / (count * step)
    exponent = -width / 2 * time + 1j * energy[0] * time
    for quantum, factor, number in zip(
        factors.energy, factors.factor, bose_einstein(factors.energy, temperature), strict=True
    ):
        emitted = (number + 1) * np.exp(-1j * quantum * time)
        exponent = exponent + factor * (emitted + number * np.exp(1j * quantum * time) - 2 * number - 1)
    generating = np.exp(exponent)
    generating[0] /= 2
    found: FloatArray = np.fft.ifft(generating, count).real * count * time[1] / np.pi
    return found[: len(energy)]


def bose_einstein(energy: FloatArray, temperature: float) -> FloatArray:
    """Bose–Einstein occupation.

    Parameters
    ----------
    energy
        eV.
    temperature
        K.

    Returns
    -------
    Mean number of quanta.
    """
    if temperature <= 0:
        return np.zeros_like(energy)
    found: FloatArray = 1 / np.expm1(energy / (BOLTZMANN * temperature))
    return found
