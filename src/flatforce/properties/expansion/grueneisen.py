"""Grüneisen parameters of the modes of a sheet, and the expansion that follows from them.

With the Helmholtz free energy F(A, T) = E(A) + Σ F_ν(ω_ν(A), T), the area at zero tension shifts by

    ΔA/A = Σ γ_ν E_ν(T) / (A B),     α = ∂ ln a/∂T = Σ γ_ν c_ν(T) / (2 A B),     γ_ν = −∂ ln ω_ν / ∂ ln A,

to first order, with the mean energy E_ν and the heat capacity c_ν of each mode, and the area modulus B = ∂τ/∂ ln A of the tension τ
(Mounet and Marzari, Phys. Rev. B 71, 205214, 2005, for areas). The derivative is that of the dynamical matrix at zero strain, so that it exists
for flexural waves too, which are imaginary in a compressed sheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.units import BOLTZMANN, FREQUENCY_FACTOR, HBAR

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray

MIN_FREQUENCY: Final = 1e-3
"""THz, below which a mode counts as a rigid translation or is unstable."""


def mode_parameters(
    matrices: FloatArray, stretched: FloatArray, compressed: FloatArray, *, log_area: float
) -> tuple[FloatArray, FloatArray]:
    """Compute frequencies and Grüneisen parameters by perturbation theory.

    Parameters
    ----------
    matrices
        (Q, M, M) eV/Å²/amu, dynamical matrices at zero strain.
    stretched
        (Q, M, M) the same of the stretched sheet.
    compressed
        (Q, M, M) the same of the compressed sheet.
    log_area
        Difference of ln A between the two strained sheets.

    Returns
    -------
    (Q, M) THz, imaginary ones negative; (Q, M) Grüneisen parameters with respect to the area, NaN where the frequency is below
    0.001 THz.
    """
    squares, vectors = np.linalg.eigh(matrices)
    slopes = np.einsum(
        "qmk,qmn,qnk->qk", vectors.conj(), (stretched - compressed) / log_area, vectors, optimize=True
    ).real
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    with np.errstate(divide="ignore", invalid="ignore"):
        parameters = np.where(frequencies > MIN_FREQUENCY, -slopes / (2 * squares), np.nan)
    return frequencies, parameters


def mean_energy(frequencies: FloatArray, temperature: float, *, classical: bool = False) -> FloatArray:
    """Compute the mean energy of harmonic modes.

    Parameters
    ----------
    frequencies
        THz, of any shape.
    temperature
        K.
    classical
        Whether each mode has k_B T, as in molecular dynamics.

    Returns
    -------
    eV, energy of each mode with its zero-point energy, of the same shape.
    """
    if classical:
        return np.full(np.shape(frequencies), BOLTZMANN * temperature)
    quantum = HBAR * np.asarray(frequencies) / FREQUENCY_FACTOR
    if temperature == 0:
        return np.asarray(quantum / 2)
    return np.asarray(quantum / 2 / np.tanh(quantum / (2 * BOLTZMANN * temperature)))


def heat_capacity(frequencies: FloatArray, temperature: float) -> FloatArray:
    """Compute the heat capacity of harmonic modes.

    Parameters
    ----------
    frequencies
        THz, of any shape.
    temperature
        K.

    Returns
    -------
    eV/K, of the same shape; zero at 0 K.
    """
    if temperature == 0:
        return np.zeros(np.shape(frequencies))
    half = HBAR * np.asarray(frequencies) / FREQUENCY_FACTOR / (2 * BOLTZMANN * temperature)
    return np.asarray(BOLTZMANN * (half / np.sinh(np.minimum(half, 350.0))) ** 2)


def area_shift(
    frequencies: FloatArray,
    parameters: FloatArray,
    *,
    temperature: float,
    rigidity: float,
    classical: bool = False,
) -> float:
    """Compute the relative change of the area by vibrations.

    Parameters
    ----------
    frequencies
        (Q, M) THz, of a primitive cell.
    parameters
        (Q, M) Grüneisen parameters; NaN leaves a mode out.
    temperature
        K.
    rigidity
        eV, area of the primitive cell times its area modulus, A B.
    classical
        Whether each mode has k_B T, as in molecular dynamics.

    Returns
    -------
    ΔA/A, with zero-point motion unless it is classical.
    """
    energies = mean_energy(frequencies, temperature, classical=classical)
    return float(np.nansum(parameters * energies) / len(frequencies) / rigidity)


def linear_expansion(
    frequencies: FloatArray, parameters: FloatArray, *, temperature: float, rigidity: float
) -> float:
    """Compute the coefficient of linear thermal expansion.

    Parameters
    ----------
    frequencies
        (Q, M) THz, of a primitive cell.
    parameters
        (Q, M) Grüneisen parameters; NaN leaves a mode out.
    temperature
        K.
    rigidity
        eV, area of the primitive cell times its area modulus, A B.

    Returns
    -------
    1/K, half of the expansion of the area.
    """
    capacity = heat_capacity(frequencies, temperature)
    return float(np.nansum(parameters * capacity) / len(frequencies) / (2 * rigidity))


def long_wave_rest(
    *, temperature: float, bending: float, young: float, longest: float
) -> tuple[float, float]:
    """Estimate what flexural waves longer than those of the mesh contribute.

    Harmonic flexural waves have γ = −B/(2 κ q²), so that their sum diverges as a logarithm for long waves; it ends where their coupling to
    stretching stiffens them, at q* = √(3 k_B T Y / (16 π κ²)) (Le Doussal and Radzihovsky, Phys. Rev. Lett. 69, 1209, 1992).

    Parameters
    ----------
    temperature
        K.
    bending
        eV, bending rigidity κ.
    young
        eV/Å², Young's modulus of the sheet.
    longest
        1/Å, smallest wave number of the mesh.

    Returns
    -------
    1/K, their linear expansion −k_B/(8 π κ) ln(q_mesh/q*), zero where the mesh holds all of them; and q* in 1/Å.
    """
    crossover = float(np.sqrt(3 * BOLTZMANN * temperature * young / (16 * np.pi)) / bending)
    if crossover >= longest:
        return 0.0, crossover
    return float(-BOLTZMANN / (8 * np.pi * bending) * np.log(longest / crossover)), crossover
