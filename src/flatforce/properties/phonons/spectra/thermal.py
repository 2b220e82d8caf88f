"""Free energy and mean-square displacements of harmonic modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.units import BOLTZMANN, FREQUENCY_FACTOR, HBAR

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.modes import ModeSet

MIN_VIBRATION: Final = 1e-3
"""THz. Modes below this are the rigid translations, which have no vibrational free energy."""

MIN_DISPLACEMENT_FREQUENCY: Final = 0.1
"""THz. Modes below this are excluded from mean-square displacements, which diverge for a free-standing sheet with increasing
supercell size and decreasing cutoff. Compare only displacements of one supercell size and one cutoff."""

TEMPERATURES: Final = np.arange(0.0, 1001.0, 50.0)
"""K, temperatures at which thermal properties are stored."""


def free_energy(modes: ModeSet, temperatures: FloatArray) -> FloatArray:
    """Compute the vibrational Helmholtz free energy, rigid translations excluded.

    Parameters
    ----------
    modes
        Phonon modes of a supercell.
    temperatures
        (T,) K.

    Returns
    -------
    (T,) eV per supercell, zero-point energy included.
    """
    quantum = HBAR * modes.frequencies / FREQUENCY_FACTOR
    weight = modes.weights[:, None] * (modes.frequencies > MIN_VIBRATION)
    free_energies = np.empty(len(temperatures))
    for k, temperature in enumerate(temperatures):
        energy = quantum / 2
        if temperature > 0:
            thermal_energy = BOLTZMANN * temperature
            energy = energy + thermal_energy * np.log1p(-np.exp(-np.maximum(quantum, 1e-12) / thermal_energy))
        free_energies[k] = (weight * energy).sum()
    return free_energies


def mean_square_displacements(modes: ModeSet, masses: FloatArray, temperatures: FloatArray) -> FloatArray:
    """Compute mean-square displacements, Σ (ħ/2mω) coth(ħω/2kT) |e|² over all modes above the cutoff frequency.

    Parameters
    ----------
    modes
        Phonon modes of a supercell.
    masses
        (N,) amu.
    temperatures
        (T,) K.

    Returns
    -------
    (T, N, 3) Å², mean-square displacement of each atom along each Cartesian axis.
    """
    included = modes.frequencies > MIN_DISPLACEMENT_FREQUENCY
    omega = np.where(included, modes.frequencies, 1.0) / FREQUENCY_FACTOR
    squares = np.abs(modes.vectors) ** 2
    displacements = np.empty((len(temperatures), len(masses), 3))
    for k, temperature in enumerate(temperatures):
        coth = 1.0 if temperature == 0 else 1 / np.tanh(HBAR * omega / (2 * BOLTZMANN * temperature))
        amplitude = modes.weights[:, None] * included * HBAR / (2 * omega) * coth
        displacements[k] = np.einsum("qcm,qm->c", squares, amplitude).reshape(-1, 3) / masses[:, None]
    return displacements
