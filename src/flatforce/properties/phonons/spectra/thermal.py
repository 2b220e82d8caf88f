"""Free energy and mean-square displacements of harmonic modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.units import BOLTZMANN, FREQUENCY_FACTOR, HBAR

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.modes import ModeSet

RIGID: Final = 1e-3
"""THz. Modes below are the rigid translations, with no free energy of vibration."""

CUTOFF: Final = 0.1
"""THz. Slower modes are left out of displacements: those of a free sheet grow with the cell, and with a lower cutoff.
Compare them only between defect and pristine sheet, at one cutoff and size."""

TEMPERATURES: Final = np.arange(0.0, 1001.0, 50.0)
"""K."""


def free_energy(modes: ModeSet, temperatures: FloatArray) -> FloatArray:
    """Sum the Helmholtz free energy of all modes but the rigid ones.

    Parameters
    ----------
    modes
        Of a supercell.
    temperatures
        (T,) K.

    Returns
    -------
    (T,) eV per supercell, zero-point energy included.
    """
    quantum = HBAR * modes.frequencies / FREQUENCY_FACTOR
    weight = modes.weights[:, None] * (modes.frequencies > RIGID)
    found = np.empty(len(temperatures))
    for k, temperature in enumerate(temperatures):
        energy = quantum / 2
        if temperature > 0:
            heat = BOLTZMANN * temperature
            energy = energy + heat * np.log1p(-np.exp(-np.maximum(quantum, 1e-12) / heat))
        found[k] = (weight * energy).sum()
    return found


def mean_square_displacements(modes: ModeSet, masses: FloatArray, temperatures: FloatArray) -> FloatArray:
    """Sum (ħ/2mω) coth(ħω/2kT) |e|² over all modes above the cutoff.

    Parameters
    ----------
    modes
        Of a supercell.
    masses
        (N,) amu.
    temperatures
        (T,) K.

    Returns
    -------
    (T, N, 3) Å².
    """
    kept = modes.frequencies > CUTOFF
    omega = np.where(kept, modes.frequencies, 1.0) / FREQUENCY_FACTOR
    squares = np.abs(modes.vectors) ** 2
    found = np.empty((len(temperatures), len(masses), 3))
    for k, temperature in enumerate(temperatures):
        coth = 1.0 if temperature == 0 else 1 / np.tanh(HBAR * omega / (2 * BOLTZMANN * temperature))
        amplitude = modes.weights[:, None] * kept * HBAR / (2 * omega) * coth
        found[k] = np.einsum("qcm,qm->c", squares, amplitude).reshape(-1, 3) / masses[:, None]
    return found
