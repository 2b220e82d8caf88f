"""Interface to phonopy: supercells and forces of displaced supercells."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from flatforce.core.errors import GeometryError
from flatforce.core.files import write_atomically
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, remaining, silent
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

SYMPREC = 1e-4
"""Å, symmetry tolerance given to phonopy; it may be tight, since the structures have been symmetrised."""

CHUNK_ATOMS = 5000
"""Number of atoms whose forces go into one file: some seconds of work on one core, which an interruption may lose."""


def in_circle_radius(atoms: Atoms) -> float:
    """Compute the radius of the largest in-plane circle that fits into the cell.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    Radius in Å; a √3 / 4 · n for an n × n hexagonal cell.
    """
    return float(area(atoms) / atoms.cell.lengths()[:2].max() / 2)


def check_supercell(atoms: Atoms, cutoff: float, *, name: str = "The supercell") -> None:
    """Raise an error if a supercell is too small for force constants.

    Parameters
    ----------
    atoms
        A supercell.
    cutoff
        Å, cutoff of the force field.
    name
        What the message calls the supercell.

    Raises
    ------
    GeometryError
        If the radius of its in-circle is smaller than the cutoff.
    """
    radius = in_circle_radius(atoms)
    if radius < cutoff:
        raise GeometryError(
            f"{name} is too small: its in-circle has a radius of {radius:.2f} Å.",
            why=f"the cutoff of the force field is {cutoff:.2f} Å, so that an atom would interact with its own images",
            fix="choose a larger one: --supercell N M",
        )


def make_phonopy(cell: Atoms, repeats: tuple[int, int]) -> Phonopy:
    """Create a phonopy object for a supercell of a sheet.

    Parameters
    ----------
    cell
        A sheet with vacuum; phonopy takes it as the primitive cell, with its axes.
    repeats
        Repetitions n, m of the cell along its two in-plane lattice vectors.

    Returns
    -------
    The phonopy object, without force constants.
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
    """Convert a cell of phonopy to ASE.

    Parameters
    ----------
    cell
        A cell of phonopy.

    Returns
    -------
    The same cell with three periodic axes.
    """
    return Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, masses=cell.masses, pbc=True)


def displaced_forces(
    potential: Potential, cells: list[Atoms], *, scratch: Path, progress: Progress = silent
) -> FloatArray:
    """Evaluate displaced supercells in chunks, each stored in one file.

    Parameters
    ----------
    potential
        The force field.
    cells
        Displaced supercells with the same number of atoms.
    scratch
        Folder of the chunks; those stored there for the same force field and cells are read back.
    progress
        Called after each chunk.

    Returns
    -------
    (n, N, 3) eV/Å, forces on the N atoms of each of the n supercells.
    """
    chunk_size = max(1, CHUNK_ATOMS // len(cells[0]))
    key = hash_value([potential.spec, *(hash_structure(cell) for cell in cells)])
    forces, start, n_computed = [], time.perf_counter(), 0
    n_stored = chunk_size * sum(
        (scratch / _chunk_name(key, first)).is_file() for first in range(0, len(cells), chunk_size)
    )
    for first in range(0, len(cells), chunk_size):
        path = scratch / _chunk_name(key, first)
        chunk = cells[first : first + chunk_size]
        if path.is_file():
            forces.append(np.load(path))
        else:
            predictions = potential.evaluate(chunk, stress=False)
            forces.append(np.array([prediction.forces for prediction in predictions]))
            write_atomically(path, partial(_save_array, forces[-1]))
            n_computed += len(chunk)
        left = remaining(time.perf_counter() - start, n_computed, len(cells) - n_stored)
        progress(first + len(chunk), len(cells), f"displacements{left}")
    return np.concatenate(forces)


def _chunk_name(key: str, first: int) -> str:
    return f"forces-{key[:10]}-{first:05d}.npy"


def _save_array(array: FloatArray, path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, array)
