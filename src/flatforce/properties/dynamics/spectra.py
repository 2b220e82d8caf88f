"""Vibrational spectra of trajectories: density of states of the velocities, and spectral energy density at wave vectors.

Velocities are Fourier transformed over the whole trajectory with a Hann window. By equipartition, the spectrum of √m v is proportional to the
density of states of harmonic vibrations (Dickey and Paskin, Phys. Rev. 188, 1407, 1969); resolved by wave vector, it is the spectral
energy density (Thomas, Turney, Iutzi, Amon and McGaughey, Phys. Rev. B 81, 081411, 2010).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import periodogram

from flatforce.properties.dynamics.samples import Samples, long_enough
from flatforce.properties.phonons.spectra.band_path import standard_path

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

ATOMS_AT_A_TIME: Final = 256
"""Atoms whose velocities are in memory together."""

MIN_FRAMES: Final = 16
"""Fewer frames give no spectrum."""

FS_TO_THZ: Final = 1e3
"""1/fs in THz."""


def vibrational_dos(
    samples: list[Samples],
    masses: FloatArray,
    weights: FloatArray,
    *,
    broadening: float,
) -> tuple[FloatArray, FloatArray]:
    """Compute densities of states from velocities.

    Parameters
    ----------
    samples
        Trajectories of the same sheet at one temperature.
    masses
        (N) amu.
    weights
        (G, N) weight of each atom in each density of states.
    broadening
        THz, standard deviation of the Gaussian.

    Returns
    -------
    (F) THz, frequencies; (G, F) states/THz. The integral over all frequencies is three times the sum of the weights.
    """
    samples = long_enough(samples, MIN_FRAMES)
    if not samples:
        return np.zeros(0), np.zeros((len(weights), 0))
    n_fft = max(len(trajectory.read("time")) for trajectory in samples)
    power, frequency = None, np.zeros(0)
    for trajectory in samples:
        interval = _interval(trajectory)
        for atoms, velocities in trajectory.blocks_of_atoms("velocities", ATOMS_AT_A_TIME):
            frequency, spectra = periodogram(
                velocities, fs=1 / interval, window="hann", detrend=False, axis=0, nfft=n_fft
            )
            by_atom = (masses[atoms] * spectra.sum(axis=2)) @ weights[:, atoms].T
            power = by_atom if power is None else power + by_atom
    assert power is not None  # noqa: S101  # there is at least one atom
    return normalised(frequency * FS_TO_THZ, power.T, 3 * weights.sum(axis=1), broadening)


def normalised(
    frequency: FloatArray, power: FloatArray, integrals: FloatArray, broadening: float
) -> tuple[FloatArray, FloatArray]:
    """Broaden spectra and scale them to their number of states.

    Parameters
    ----------
    frequency
        (F) THz, evenly spaced from zero.
    power
        (G, F) spectra in any unit.
    integrals
        (G) number of states of each.
    broadening
        THz, standard deviation of the Gaussian.

    Returns
    -------
    (F) THz; (G, F) states/THz.
    """
    spacing = frequency[1] - frequency[0]
    smooth = gaussian_filter1d(power, broadening / spacing, axis=1, mode="reflect")
    areas = smooth.sum(axis=1) * spacing
    return frequency, smooth * np.divide(integrals, areas, out=np.zeros_like(areas), where=areas > 0)[:, None]


def path_phases(primitive: Atoms, supercell: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """List the wave vectors of a supercell that lie on the band path, and the phase of each atom.

    Parameters
    ----------
    primitive
        The cell that was repeated.
    supercell
        Repetitions.

    Returns
    -------
    (Q) 1/Å, positions on the path, and (Q, N) complex phases exp(−i q·R); both empty for a cell that was not repeated.
    """
    n, m = supercell
    if n * m == 1:
        return np.zeros(0), np.zeros((0, len(primitive)), dtype=complex)
    path = standard_path(primitive.cell.array)
    reciprocal = np.linalg.inv(primitive.cell.array[:2, :2]).T
    shifts = np.array([(i, j) for i in range(n) for j in range(m)])
    positions, fractions, walked = [], [], 0.0
    for start, end in zip(path.points[:-1, :2], path.points[1:, :2], strict=True):
        length = float(np.linalg.norm((end - start) @ reciprocal))
        for fraction in np.linspace(0, 1, 4 * n * m + 1):
            q = start + fraction * (end - start)
            counts = q * [n, m]
            if np.abs(counts - np.round(counts)).max() < 1e-9:
                positions.append(walked + fraction * length)
                fractions.append(q)
        walked += length
    phases = np.exp(-2j * np.pi * np.array(fractions) @ shifts.T)
    return np.array(positions), np.repeat(phases, len(primitive), axis=1)


def spectral_energy_density(
    samples: list[Samples],
    masses: FloatArray,
    phases: FloatArray,
    basis: IntArray,
    *,
    broadening: float,
) -> tuple[FloatArray, FloatArray]:
    """Compute the spectral energy density at wave vectors that fit into the supercell.

    Parameters
    ----------
    samples
        Trajectories of the same supercell at one temperature.
    masses
        (N) amu.
    phases
        (Q, N) complex, exp(−i q·R) with the lattice vector R of the primitive cell of each atom.
    basis
        (N) int, index of the equivalent atom of the primitive cell.
    broadening
        THz, standard deviation of the Gaussian.

    Returns
    -------
    (F) THz; (Q, F) 1/THz, normalised to the number of modes at each wave vector.
    """
    total, frequency = None, np.zeros(0)
    samples = long_enough(samples, MIN_FRAMES)
    n_fft = max(len(trajectory.read("time")) for trajectory in samples)
    for trajectory in samples:
        amplitude = np.zeros(
            (len(trajectory.read("time")), len(phases), int(basis.max()) + 1, 3), dtype=complex
        )
        for atoms, velocities in trajectory.blocks_of_atoms("velocities", ATOMS_AT_A_TIME):
            weighted = velocities * np.sqrt(masses[atoms])[:, None]
            for site in np.unique(basis[atoms]):
                member = basis[atoms] == site
                amplitude[:, :, site] += np.einsum(
                    "tnx,qn->tqx", weighted[:, member], phases[:, atoms][:, member], optimize=True
                )
        frequency, spectra = periodogram(
            amplitude,
            fs=1 / _interval(trajectory),
            window="hann",
            detrend=False,
            axis=0,
            nfft=n_fft,
            return_onesided=False,
        )
        positive = frequency >= 0
        # a wave with frequency −ω at q is the wave with ω at −q: both belong to the branch
        folded = spectra[positive].copy()
        folded[1:] += spectra[~positive][::-1][: len(folded) - 1]
        frequency = frequency[positive]
        power = folded.sum(axis=(2, 3))
        total = power if total is None else total + power
    assert total is not None  # noqa: S101  # there is at least one trajectory
    modes = np.full(len(phases), 3.0 * (int(basis.max()) + 1))
    return normalised(frequency * FS_TO_THZ, total.T, modes, broadening)


def _interval(trajectory: Samples) -> float:
    """Return the time between two frames, fs."""
    times = trajectory.read("time")
    return float(times[1] - times[0])
