"""The property that frames are selected for, and its change by each unknown weight of the linear surrogate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.surrogate import STEP, displace_atoms
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.spectra.modes import ModeSet, gaussian_dos, site_weights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.active.surrogate import Surrogate
    from flatforce.active.target_config import TargetConfig
    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

POINTS: Final = 240
"""Number of frequencies at which the spectrum is evaluated."""


def property_response(
    potential: Potential,
    surrogate: Surrogate,
    sheet: Atoms,
    target: TargetConfig,
    pristine: Atoms | None = None,
) -> FloatArray:
    """Compute the change of the property by each direction of the surrogate.

    Parameters
    ----------
    potential
        The force field, whose force constants the directions change.
    surrogate
        The linear surrogate, with its K directions.
    sheet
        The relaxed cell.
    target
        The property.
    pristine
        The pristine sheet, for a formation energy.

    Returns
    -------
    (K, G) states/THz for `ldos`, (K, count) THz for `modes`, or (K, 1) eV for `formation_energy`: the energy of the cell less that
    of a pristine sheet of the same area; the chemical potentials are taken as known.
    """
    if target.kind == "formation_energy" and pristine is not None:
        area, pristine_area = (abs(np.linalg.det(atoms.cell.array[:2, :2])) for atoms in (sheet, pristine))
        return np.asarray(
            (surrogate.energy(sheet) - area / pristine_area * surrogate.energy(pristine))[:, None]
        )
    reference = force_constants(potential, sheet)
    changed = reference + surrogate.force_constants(sheet)
    if target.kind == "modes":
        return local_frequencies(changed, reference, sheet, target) - local_frequencies(
            reference[None], reference, sheet, target
        )
    reference_spectrum = _spectrum(reference, sheet, target)
    return np.array([_spectrum(constants, sheet, target) - reference_spectrum for constants in changed])


def local_frequencies(
    matrices: FloatArray, reference: FloatArray, sheet: Atoms, target: TargetConfig
) -> FloatArray:
    """Compute the frequencies of the modes with the largest projection onto the atoms of the target.

    Parameters
    ----------
    matrices
        (n, 3N, 3N) eV/Å², force constants.
    reference
        (3N, 3N) eV/Å², force constants whose eigenvectors are used.
    sheet
        The cell.
    target
        Atoms, frequency window and number of modes.

    Returns
    -------
    (n, count) THz: the square root of ⟨e|D|e⟩ with each dynamical matrix D and the eigenvectors e of the reference, so that modes that
    cross are not exchanged; negative for imaginary frequencies.
    """
    modes = cell_modes(reference, sheet)
    in_window = (modes.frequencies[0] >= target.window[0]) & (modes.frequencies[0] <= target.window[1])
    weights = np.where(in_window, _weights(modes, sheet, target)[0], -1.0)
    selected = np.argsort(-weights)[: min(target.count, int(in_window.sum()))]
    vectors = modes.vectors[0].real[:, selected]
    masses = np.repeat(sheet.get_masses(), 3)
    squares = np.einsum(
        "ik,mij,jk->mk", vectors, matrices / np.sqrt(np.outer(masses, masses)), vectors, optimize=True
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
    forces = np.array(
        [prediction.forces.ravel() for prediction in potential.evaluate(displace_atoms(sheet), stress=False)]
    )
    rows = (forces[1::2] - forces[::2]) / (2 * STEP)
    return np.asarray((rows + rows.T) / 2)


def cell_modes(force_constants: FloatArray, sheet: Atoms) -> ModeSet:
    """Diagonalise the dynamical matrix at Γ of the cell.

    Parameters
    ----------
    force_constants
        (3N, 3N) eV/Å².
    sheet
        The cell.

    Returns
    -------
    Its modes; frequencies in THz, negative for imaginary ones.
    """
    masses = np.repeat(sheet.get_masses(), 3)
    values, vectors = np.linalg.eigh(force_constants / np.sqrt(np.outer(masses, masses)))
    frequencies = np.sign(values) * np.sqrt(np.abs(values)) * FREQUENCY_FACTOR
    return ModeSet(frequencies[None], vectors[None].astype(complex), np.ones(1))


def _spectrum(force_constants: FloatArray, sheet: Atoms, target: TargetConfig) -> FloatArray:
    modes = cell_modes(force_constants, sheet)
    grid = np.linspace(*target.window, POINTS)
    return gaussian_dos(modes.frequencies, _weights(modes, sheet, target), grid, target.broadening)


def _weights(modes: ModeSet, sheet: Atoms, target: TargetConfig) -> FloatArray:
    atoms = np.array(target.atoms or range(len(sheet)), dtype=int)
    return np.asarray(site_weights(modes)[:, :, atoms].sum(axis=2))
