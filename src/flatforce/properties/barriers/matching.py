"""Which atom of the start becomes which atom of the end, and whether both are the same structure by symmetry."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.geometry import find_mic
from scipy.optimize import linear_sum_assignment

from flatforce.core.errors import GeometryError
from flatforce.structures.sheet import unwrapped_heights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

CELL_TOLERANCE: Final = 1e-3
"""Å, largest difference between in-plane lattice vectors that are the same: files round them."""

SAME_TOLERANCE: Final = 0.2
"""Å. If no atom moves farther, both ends are one minimum."""

DISTANCE_TOLERANCE: Final = 0.02
"""Å, largest difference between sorted distances of two relaxed structures that symmetry makes equal."""


def match_ends(start: Atoms, end: Atoms, *, keep_order: bool) -> Atoms:
    """Order the atoms of the end as those of the start, each at its nearest image.

    Parameters
    ----------
    start
        First structure.
    end
        Last structure, in the same cell.
    keep_order
        Whether the order of the atoms is kept.

    Returns
    -------
    The atoms of the end in the order, the cell and near the positions of those of the start; the sheet as a whole has not moved.

    Raises
    ------
    GeometryError
        If composition or cell differ, or the order is kept and the elements are in another one.
    """
    _check_same_atoms(start, end)
    first, last = _unwrapped(start), _unwrapped(end)
    order = np.arange(len(start))
    if keep_order:
        if (start.numbers != end.numbers).any():
            raise GeometryError(
                "The atoms of the end are in another order than those of the start.",
                why="keep_order is set, and the elements of atoms with the same index differ",
                fix="leave keep_order out, or order the atoms of one file as in the other",
            )
    else:
        for number in np.unique(start.numbers):
            of_start, of_end = np.flatnonzero(start.numbers == number), np.flatnonzero(end.numbers == number)
            steps = last.positions[of_end][None] - first.positions[of_start][:, None]
            _, lengths = find_mic(steps.reshape(-1, 3), first.cell, first.pbc)
            rows, columns = linear_sum_assignment(lengths.reshape(len(of_start), -1) ** 2)
            order[of_start[rows]] = of_end[columns]
    matched = start.copy()
    steps = displacements(first.positions, last.positions[order], first)
    matched.positions = start.positions + steps - np.median(steps, axis=0)
    return matched


def _unwrapped(atoms: Atoms) -> Atoms:
    """Return a copy that no cell boundary cuts, whatever the height of its cell, periodic in its plane alone."""
    copy = atoms.copy()
    copy.positions[:, 2] = unwrapped_heights(atoms)
    copy.positions[:, 2] -= np.median(copy.positions[:, 2])
    copy.pbc = (True, True, False)
    return copy


def _check_same_atoms(start: Atoms, end: Atoms) -> None:
    ours, others = Counter(start.get_chemical_symbols()), Counter(end.get_chemical_symbols())
    if ours != others:
        raise GeometryError(
            f"No atom of the end can be assigned to each atom of the start: they are {start.get_chemical_formula()} and "
            f"{end.get_chemical_formula()}.",
            why="a path needs the same atoms at both ends",
            fix="give two structures of the same composition, such as a vacancy at two sites of one supercell",
        )
    difference = float(np.abs(start.cell.array[:2] - end.cell.array[:2]).max())
    if difference > CELL_TOLERANCE:
        raise GeometryError(
            f"The cells of start and end differ by {difference:.3g} Å.",
            why="a path is computed in one cell",
            fix="relax one of them with its cell, and the other one in that cell: flatforce relax --no-relax-cell",
        )


def displacements(first: FloatArray, second: FloatArray, cell_of: Atoms) -> FloatArray:
    """Compute the shortest steps from positions to others.

    Parameters
    ----------
    first
        (N, 3) Å.
    second
        (N, 3) Å.
    cell_of
        Structure whose cell and periodic axes count.

    Returns
    -------
    (N, 3) Å, for each atom the step to the nearest image.
    """
    steps, _ = find_mic(second - first, cell_of.cell, cell_of.pbc)
    return np.asarray(steps)


def moving_atom(start: Atoms, end: Atoms) -> tuple[int, float]:
    """Find the atom that moves farthest.

    Parameters
    ----------
    start
        First structure.
    end
        Last structure, matched.

    Returns
    -------
    Index of the atom, and the length of its step in Å.
    """
    lengths = np.linalg.norm(displacements(start.positions, end.positions, start), axis=1)
    return int(lengths.argmax()), float(lengths.max())


def are_equivalent(first: Atoms, second: Atoms) -> bool:
    """Tell whether two structures in one cell are the same up to symmetry and the order of atoms.

    Parameters
    ----------
    first
        A structure.
    second
        Another one, of the same composition.

    Returns
    -------
    True if the sorted distances between the atoms of each pair of elements are equal within `DISTANCE_TOLERANCE`.
    """
    return all(
        np.abs(ours - others).max(initial=0.0) < DISTANCE_TOLERANCE
        for ours, others in zip(_distances(first), _distances(second), strict=True)
    )


def _distances(atoms: Atoms) -> list[FloatArray]:
    """For each pair of elements the sorted distances to nearest images in Å."""
    lengths = atoms.get_all_distances(mic=True)
    elements = np.unique(atoms.numbers)
    return [
        np.sort(lengths[np.ix_(atoms.numbers == element, atoms.numbers == partner)], axis=None)
        for k, element in enumerate(elements)
        for partner in elements[k:]
    ]
