"""Second derivatives of a sheet as a network of springs would have them, from which a quasi-Newton relaxation starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import covalent_radii

from flatforce.structures.neighbour_graph import build_neighbour_graph

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

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
    # a spring's vector changes by `jacobian` times the change of the coordinates, and its energy by the square of that
    jacobian = np.zeros((len(first), 3, 3 * n_atoms + (9 if relax_cell else 0)))
    springs = np.arange(len(first))
    for axis in range(3):
        jacobian[springs, axis, 3 * first + axis] -= 1.0
        jacobian[springs, axis, 3 * second + axis] += 1.0
        if relax_cell and axis < 2:
            jacobian[:, axis, 3 * n_atoms + 3 * axis : 3 * n_atoms + 3 * axis + 2] = vectors[:, :2] / n_atoms
    directions = vectors / lengths[:, None]
    along = np.einsum("sa,sad->sd", directions, jacobian) * np.sqrt((1 - TRANSVERSE) * stiffness)[:, None]
    flat = (jacobian * np.sqrt(TRANSVERSE * stiffness)[:, None, None]).reshape(-1, jacobian.shape[2])
    hessian: FloatArray = along.T @ along + flat.T @ flat
    hessian[np.diag_indices_from(hessian)] += MIN_CURVATURE
    return hessian
