"""Energies of species, by which force fields and DFT codes of different references are brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


def fit_energies(
    frames: Sequence[Atoms], energies: Sequence[float], species: Sequence[str]
) -> dict[str, float]:
    """Fit energies of species to those of frames, by least squares of the energy per atom.

    Parameters
    ----------
    frames
        Structures.
    energies
        (F) eV.
    species
        Those that may occur.

    Returns
    -------
    Species → eV, the smallest that fit; 0 for a species that does not occur.
    """
    counts = np.array([[frame.get_chemical_symbols().count(s) for s in species] for frame in frames], float)
    size = counts.sum(axis=1, keepdims=True)
    fitted, *_ = np.linalg.lstsq(counts / size, np.asarray(energies) / size[:, 0], rcond=None)
    return dict(zip(species, fitted.tolist(), strict=True))
