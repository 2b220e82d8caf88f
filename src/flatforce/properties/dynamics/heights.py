"""Ripples of a sheet: fluctuations out of plane, and the bending rigidity that they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.dynamics.samples import Samples

MAX_WAVE_NUMBER: Final = 0.35
"""1/Å, up to which the height spectrum is fitted: waves of 18 Å, long against the thickness of a sheet."""

MIN_WAVES: Final = 3
"""Wave vectors below it that a fit needs, not all of one length."""


@dataclass(frozen=True)
class HeightSpectrum:
    """Correlation of the heights of a sheet."""

    wave_numbers: FloatArray
    """(Q) 1/Å, in ascending order."""
    correlation: FloatArray
    """(Q) Å², ⟨|h_q|²⟩ with h_q = Σ_j h_j exp(−i q·r_j) / N."""
    rigidity: float
    """eV, κ = k_B T / (A q⁴ ⟨|h_q|²⟩), its mean over the long waves; NaN where the cell holds too few of them."""
    rigidity_error: float
    """eV, standard error of that mean."""


def wave_vectors(cell: FloatArray, repeats: int) -> tuple[FloatArray, FloatArray]:
    """List the wave vectors that fit into a supercell, one of each pair q, −q.

    Parameters
    ----------
    cell
        (2, 2) Å, rows are lattice vectors of the supercell.
    repeats
        Largest number of waves along a lattice vector.

    Returns
    -------
    (Q, 2) 1/Å, wave vectors without zero; (Q) 1/Å, their lengths, in ascending order.
    """
    steps = range(-repeats, repeats + 1)
    counts = np.array([(n, m) for n in steps for m in steps if (n, m) > (0, 0)])
    vectors = 2 * np.pi * counts @ np.linalg.inv(cell).T
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.argsort(lengths, kind="stable")
    return vectors[order], lengths[order]


def height_spectrum(
    samples: list[Samples], atoms: IntArray, *, temperature: float, repeats: int
) -> HeightSpectrum:
    """Compute the correlation of heights, and the bending rigidity of its long waves.

    In the harmonic approximation of a free sheet, ⟨|h_q|²⟩ = k_B T / (A κ q⁴) (Nelson and Peliti, J. Phys. France 48, 1085, 1987).

    Parameters
    ----------
    samples
        Trajectories at one temperature.
    atoms
        Indices of the atoms whose heights are taken, such as those of the middle plane.
    temperature
        K.
    repeats
        Primitive cells along the shorter side of the supercell.

    Returns
    -------
    The spectrum, averaged over time and trajectories.
    """
    cells = np.concatenate([trajectory.read("cell") for trajectory in samples])
    cell = cells.mean(axis=0)
    surface = abs(float(np.linalg.det(cell)))
    vectors, lengths = wave_vectors(cell, max(1, repeats // 2))
    power = np.zeros(len(vectors))
    n_frames = 0
    for trajectory in samples:
        positions = trajectory.read("positions", atoms)
        plane, heights = positions[..., :2].mean(axis=0), positions[..., 2]
        heights = heights - heights.mean(axis=1, keepdims=True)
        amplitudes = heights @ np.exp(-1j * plane @ vectors.T) / plane.shape[0]
        power += (np.abs(amplitudes) ** 2).sum(axis=0)
        n_frames += len(positions)
    correlation = power / max(n_frames, 1)
    long = (lengths < MAX_WAVE_NUMBER) & (correlation > 0)
    if int(long.sum()) < MIN_WAVES or np.ptp(lengths[long]) < 1e-3:
        return HeightSpectrum(lengths, correlation, float("nan"), float("nan"))
    # the exponential distribution of |h_q|² has its mean as standard deviation: the inverse of the mean of the products is unbiased
    softness = surface * lengths[long] ** 4 * correlation[long] / (units.kB * temperature)
    mean = float(softness.mean())
    error = float(softness.std(ddof=1) / np.sqrt(len(softness)))
    return HeightSpectrum(lengths, correlation, 1 / mean, error / mean**2)
