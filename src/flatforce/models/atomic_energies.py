"""Energies of the elements, by which energies of force fields and DFT codes with different references are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


def fit_energies(
    frames: Sequence[Atoms], energies: Sequence[float], species: Sequence[str]
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

    Returns
    -------
    Element → energy in eV, the solution of smallest norm; 0 for an element that does not occur.
    """
    counts = np.array(
        [[frame.get_chemical_symbols().count(symbol) for symbol in species] for frame in frames], float
    )
    n_atoms = counts.sum(axis=1, keepdims=True)
    species_energies, *_ = np.linalg.lstsq(counts / n_atoms, np.asarray(energies) / n_atoms[:, 0], rcond=None)
    return dict(zip(species, species_energies.tolist(), strict=True))
