"""The seam to phonopy: supercells and displaced cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from flatforce.core.errors import GeometryError
from flatforce.core.files import write_atomically
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

SYMPREC = 1e-4
"""Å, phonopy's tolerance: the structures given to it have been symmetrised."""

CHUNK_ATOMS = 5000
"""Atoms whose forces are computed between two files on disk: seconds of work on one core."""


def in_circle_radius(atoms: Atoms) -> float:
    """Return the radius of the largest circle in the cell.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    Å; a √3 / 4 · n for an n × n hexagonal cell.
    """
    return float(area(atoms) / atoms.cell.lengths()[:2].max() / 2)


def check_size(atoms: Atoms, cutoff: float) -> None:
    """Refuse a supercell that is too small for force constants.

    Parameters
    ----------
    atoms
        A supercell.
    cutoff
        Å, of the force field.

    Raises
    ------
    GeometryError
        If its in-circle is smaller than the cutoff.
    """
    radius = in_circle_radius(atoms)
    if radius < cutoff:
        raise GeometryError(
            f"The supercell is too small: its in-circle has a radius of {radius:.2f} Å.",
            why=f"the force field reaches {cutoff:.2f} Å a layer, and an atom would meet its own images",
            fix="take a larger supercell",
        )


def make_phonopy(cell: Atoms, repeats: tuple[int, int]) -> Phonopy:
    """Hand a sheet to phonopy.

    Parameters
    ----------
    cell
        A sheet with vacuum; it counts as primitive as it is, and keeps its axes.
    repeats
        n, m of the supercell.

    Returns
    -------
    The phonopy object.
    """
    unit = PhonopyAtoms(
        symbols=cell.get_chemical_symbols(),
        cell=cell.cell.array,
        scaled_positions=cell.get_scaled_positions(),
        masses=cell.get_masses(),
    )
    return Phonopy(
        unit,
        supercell_matrix=np.diag([*repeats, 1]),
        primitive_matrix="P",
        symprec=SYMPREC,
    )


def to_ase(cell: PhonopyAtoms) -> Atoms:
    """Turn phonopy's cell into ASE's.

    Parameters
    ----------
    cell
        Phonopy's cell.

    Returns
    -------
    The same with three periodic axes.
    """
    return Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, masses=cell.masses, pbc=True)


def displaced_forces(
    potential: Potential, cells: list[Atoms], *, scratch: Path, progress: Progress = silent
) -> FloatArray:
    """Evaluate displaced supercells, a file of forces a chunk.

    Parameters
    ----------
    potential
        The force field.
    cells
        Displaced supercells of equal size.
    scratch
        Where the chunks stand; those found of the same force field and cells are not computed again.
    progress
        Told after each chunk.

    Returns
    -------
    (n, N, 3) eV/Å.
    """
    step = max(1, CHUNK_ATOMS // len(cells[0]))
    key = hash_value([potential.spec, *(hash_structure(cell) for cell in cells)])
    parts = []
    for first in range(0, len(cells), step):
        path = scratch / f"forces-{key[:10]}-{first:05d}.npy"
        chunk = cells[first : first + step]
        if path.is_file():
            parts.append(np.load(path))
        else:
            found = np.array([one.forces for one in potential.evaluate(chunk, stress=False)])
            write_atomically(path, _saver(found))
            parts.append(found)
        progress(first + len(chunk), len(cells), "displacements")
    return np.concatenate(parts)


def _saver(array: FloatArray) -> Any:
    def save(path: Path) -> None:
        with path.open("wb") as stream:
            np.save(stream, array)

    return save
