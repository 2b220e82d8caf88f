"""Which axis of a cell holds the vacuum, and the same structure with that axis third."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

MIN_GAP = 5.0
"""Å. A gap between layers of nuclei that is wider is vacuum: layered crystals have less than 4 Å."""

PLANAR_TILT = 0.02
"""Tangent of the largest tilt of the in-plane vectors out of the plane that counts as round-off of a relaxation."""


@dataclass(frozen=True)
class Orientation:
    """How a structure was turned."""

    axis: int
    """The vacuum axis that it had."""
    rotation: FloatArray
    """(3, 3), rows: x' = x @ rotation.T."""


def vacuum_gaps(atoms: Atoms) -> FloatArray:
    """Measure the widest gap along the normal of each pair of lattice vectors.

    Parameters
    ----------
    atoms
        A structure with a cell.

    Returns
    -------
    (3) Å.
    """
    fractional = np.sort(np.mod(atoms.get_scaled_positions(wrap=False), 1.0), axis=0)
    closed = np.concatenate([fractional, fractional[:1] + 1.0])
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    widest: FloatArray = np.diff(closed, axis=0).max(axis=0) * heights
    return widest


def orient_sheet(atoms: Atoms) -> tuple[Atoms, Orientation] | None:
    """Turn a sheet so that its vacuum lies along axis 2 and z.

    Parameters
    ----------
    atoms
        A structure.

    Returns
    -------
    A copy, its third vector normal to the other two and arrays of vectors untouched, and how it was turned; None
    for what is no sheet: no axis with vacuum, or more than one.
    """
    if atoms.cell.rank < 3:
        return None
    empty = np.flatnonzero(vacuum_gaps(atoms) > MIN_GAP)
    if len(empty) != 1:
        return None
    axis = int(empty[0])
    cell = np.roll(atoms.cell.array, 2 - axis, axis=0)
    normal = np.cross(cell[0], cell[1])
    normal /= np.linalg.norm(normal)
    x = cell[0] / np.linalg.norm(cell[0])
    rotation = np.array([x, np.cross(normal, x), normal])
    if axis == 2 and np.abs(normal - (0, 0, 1)).max() < PLANAR_TILT:
        rotation = np.eye(3) if np.allclose(normal, (0, 0, 1), atol=1e-9) else _smallest_turn(normal)
    turned = cell @ rotation.T
    turned[:2, 2] = 0.0
    height = turned[2, 2]
    copy = atoms.copy()
    copy.set_cell(np.array([turned[0], turned[1], (0.0, 0.0, height)]), scale_atoms=False)
    copy.positions = atoms.positions @ rotation.T
    copy.pbc = True
    return copy, Orientation(axis, rotation)


def _smallest_turn(normal: FloatArray) -> FloatArray:
    """Turn the normal onto z and the rest as little as possible."""
    z = np.array([0.0, 0.0, 1.0])
    axis = np.cross(normal, z)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn: FloatArray = np.eye(3) + cross + cross @ cross / (1 + normal @ z)
    return turn
