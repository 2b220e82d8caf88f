"""Data of the 3D view on the page: atoms, bonds and the modes that it animates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors
from ase.neighborlist import natural_cutoffs, neighbor_list

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

BOND_FACTOR = 1.15
"""A bond is drawn up to this multiple of the sum of the covalent radii, as ASE and Avogadro do."""


def scene(arrays: dict[str, NDArray[Any]], modes: list[dict[str, Any]]) -> dict[str, Any]:
    """Collect the data that the viewer draws, with the defect in the middle of the cell.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.
    modes
        Its defect modes, in the order of `mode_vectors`.

    Returns
    -------
    Plain values: positions (Å, relative to the centre), symbols, colours, radii (Å), bonds, and the displacements of each mode,
    scaled so that the largest is 1.
    """
    numbers = arrays["numbers"]
    atoms = Atoms(numbers=numbers, positions=arrays["positions"], cell=arrays["lattice"], pbc=(1, 1, 0))
    middle = atoms.cell.array[:2].sum(axis=0) / 2
    atoms.positions += middle - arrays["centre"] * (1, 1, 0)
    atoms.wrap(pbc=(True, True, False))
    centre = np.array([*middle[:2], arrays["positions"][:, 2].mean()])
    vectors = arrays["mode_vectors"] / np.sqrt(atomic_masses[numbers])[None, :, None]
    largest = np.linalg.norm(vectors, axis=2).max(axis=1)[:, None, None]
    return {
        "positions": _rounded(atoms.positions - centre, 3),
        "symbols": [chemical_symbols[z] for z in numbers],
        "colours": {chemical_symbols[z]: _hex(jmol_colors[z]) for z in set(numbers.tolist())},
        "radii": {chemical_symbols[z]: float(covalent_radii[z]) for z in set(numbers.tolist())},
        "bonds": _bonds(atoms),
        "modes": [
            {"frequency": mode["frequency"], "vectors": _rounded(vector, 3)}
            for mode, vector in zip(modes, vectors / largest, strict=True)
        ],
    }


def _bonds(atoms: Atoms) -> list[list[int]]:
    """List the bonds inside the cell; those across its border would cross the whole picture."""
    cutoffs = natural_cutoffs(atoms, mult=BOND_FACTOR)
    i, j, shift = neighbor_list("ijS", atoms, cutoffs)
    inside = (shift == 0).all(axis=1) & (i < j)
    symbols = np.array(atoms.get_chemical_symbols())
    unlike = symbols[i] != symbols[j]
    bonded = inside & unlike if unlike.any() else inside
    return [[int(a), int(b)] for a, b in zip(i[bonded], j[bonded], strict=True)]


def _rounded(values: FloatArray, digits: int) -> list[Any]:
    plain: list[Any] = np.round(values, digits).tolist()
    return plain


def _hex(rgb: FloatArray) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb)
