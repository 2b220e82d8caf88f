"""Energies of the elements, by which energies of force fields and DFT codes with different references are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray


def fit_energies(
    frames: Sequence[Atoms], energies: Sequence[float], species: Sequence[str], *, min_singular: float = 0.0
) -> dict[str, float]:
    """Fit energies of the elements to those of frames, by least squares of the energy per atom.

    Parameters
    ----------
    frames
        F structures.
    energies
        (F,) eV, energy of each structure.
    species
        Chemical symbols of the elements that occur.
    min_singular
        Fraction of the largest singular value of the compositions below which one is left out, since the compositions do not
        determine that combination of energies.

    Returns
    -------
    Element → energy in eV, the solution of smallest norm; 0 for an element that does not occur.
    """
    n_atoms = np.array([len(frame) for frame in frames])
    species_energies, *_ = np.linalg.lstsq(
        compositions(frames, species), np.asarray(energies) / n_atoms, rcond=min_singular or None
    )
    return dict(zip(species, species_energies.tolist(), strict=True))


def compositions(frames: Sequence[Atoms], species: Sequence[str]) -> FloatArray:
    """Compute the fraction of each element in each frame.

    Parameters
    ----------
    frames
        F structures.
    species
        Chemical symbols.

    Returns
    -------
    (F, len(species)), dimensionless.
    """
    counts = [[frame.get_chemical_symbols().count(symbol) for symbol in species] for frame in frames]
    fractions: FloatArray = np.array(counts, float) / np.array([[len(frame)] for frame in frames])
    return fractions
