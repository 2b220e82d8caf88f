"""Data of the page's 3D view: atoms, bonds and the modes that it moves."""

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

BOND = 1.15
"""Bonds reach this many times the sum of the covalent radii, as in ASE's and Avogadro's pictures."""


def scene(arrays: dict[str, NDArray[Any]], modes: list[dict[str, Any]]) -> dict[str, Any]:
    """Collect what the viewer draws, the defect in the middle of the cell.

    Parameters
    ----------
    arrays
        Of a `defect phonons` folder.
    modes
        Its localised modes, in the order of `mode_vectors`.

    Returns
    -------
    Plain values: positions (Å, about the centre), species, bonds, displacements of each mode, largest 1.
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
    """Pairs within the cell; those through its border would cross the picture."""
    cutoffs = natural_cutoffs(atoms, mult=BOND)
    i, j, shift = neighbor_list("ijS", atoms, cutoffs)
    inside = (shift == 0).all(axis=1) & (i < j)
    symbols = np.array(atoms.get_chemical_symbols())
    unlike = symbols[i] != symbols[j]
    keep = inside & unlike if unlike.any() else inside
    return [[int(a), int(b)] for a, b in zip(i[keep], j[keep], strict=True)]


def _rounded(values: FloatArray, digits: int) -> list[Any]:
    plain: list[Any] = np.round(values, digits).tolist()
    return plain


def _hex(rgb: FloatArray) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
