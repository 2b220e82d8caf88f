"""Second derivatives of a sheet as a network of springs would have them, from which a quasi-Newton relaxation starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import csr_array, diags_array

from flatforce.structures.neighbour_graph import build_neighbour_graph

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

STIFFNESS: Final = 35.0
"""eV. Force constant of a spring times the square of the sum of the covalent radii, at a length of that sum: it gives W–Se bonds 8 and
C–C bonds 20 eV/Å². A factor of two either way costs one or two steps more (validation/spring_hessian.py)."""

DECAY: Final = 5.0
"""Decrease of a force constant with the relative length of its spring: exp(−5 (r / sum of radii − 1))."""

TRANSVERSE: Final = 0.15
"""Force constant across a spring over that along it: bonds resist bending less than stretching."""

MAX_LENGTH: Final = 1.7
"""Length of the longest springs over the sum of the covalent radii."""

MIN_CURVATURE: Final = 1.5
"""eV/Å², added to every direction: springs do not resist rigid shifts and rotations."""


def spring_hessian(sheet: Atoms, *, relax_cell: bool) -> FloatArray:
    """Compute the second derivatives of springs between neighbours.

    Parameters
    ----------
    sheet
        A sheet with three periodic axes.
    relax_cell
        Whether the cell is relaxed in its plane too.

    Returns
    -------
    (d, d) eV/Å², positive definite: in the 3 N positions, or in the 3 N + 9 coordinates of ASE's `UnitCellFilter`, whose
    out-of-plane strains are not coupled to anything.
    """
    n_atoms = len(sheet)
    radii = covalent_radii[sheet.numbers]
    graph = build_neighbour_graph(sheet, MAX_LENGTH * 2 * float(radii.max()))
    once = graph.sender <= graph.receiver  # each pair is listed twice
    first, second, shift = graph.sender[once], graph.receiver[once], graph.shift[once]
    vectors = sheet.positions[second] - sheet.positions[first] + shift
    lengths = np.linalg.norm(vectors, axis=1)
    sums = radii[first] + radii[second]
    near = lengths < MAX_LENGTH * sums
    first, second, vectors, lengths, sums = (
        values[near] for values in (first, second, vectors, lengths, sums)
    )
    stiffness = STIFFNESS / sums**2 * np.exp(-DECAY * (lengths / sums - 1))
    stiffness[first == second] /= 2  # an atom and its image: both directions are listed
    jacobian = _jacobian(n_atoms, (first, second), vectors, relax_cell=relax_cell)
    rows = np.repeat(np.arange(len(first)), 3)
    directions = csr_array(
        ((vectors / lengths[:, None]).ravel(), (rows, np.arange(3 * len(first)))),
        shape=(len(first), 3 * len(first)),
    )
    along = diags_array(np.sqrt((1 - TRANSVERSE) * stiffness)) @ directions @ jacobian
    in_all_directions = diags_array(np.sqrt(TRANSVERSE * stiffness).repeat(3)) @ jacobian
    hessian: FloatArray = (along.T @ along + in_all_directions.T @ in_all_directions).toarray()
    hessian[np.diag_indices_from(hessian)] += MIN_CURVATURE
    return hessian


def _jacobian(
    n_atoms: int, pairs: tuple[IntArray, IntArray], vectors: FloatArray, *, relax_cell: bool
) -> csr_array:
    """Return (3 S, d) changes of the vectors of S springs with the coordinates."""
    first, second = pairs
    rows = np.arange(3 * len(first)).reshape(-1, 3)
    axes = np.arange(3)
    entries = [
        (rows, 3 * first[:, None] + axes, np.full(rows.shape, -1.0)),
        (rows, 3 * second[:, None] + axes, np.full(rows.shape, 1.0)),
    ]
    if relax_cell:  # F, times the number of atoms, of which only the part in the plane moves a spring
        for i, j in np.ndindex(2, 2):
            columns = np.full(len(first), 3 * n_atoms + 3 * i + j)
            entries.append((rows[:, i], columns, vectors[:, j] / n_atoms))
    row, column, value = (np.concatenate([np.ravel(entry[k]) for entry in entries]) for k in range(3))
    shape = (3 * len(first), 3 * n_atoms + (9 if relax_cell else 0))
    return csr_array((value, (row, column)), shape=shape)  # entries of one place are added
