"""Detection of the vacuum axis of a cell, and rotation of the structure so that this axis is the third."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

MIN_GAP = 5.0
"""Å. A wider gap between layers of nuclei counts as vacuum; gaps in layered crystals are below 4 Å."""

PLANAR_TILT = 0.02
"""Tangent of the largest out-of-plane tilt of the in-plane lattice vectors that counts as noise of a relaxation."""


@dataclass(frozen=True)
class Orientation:
    """How a structure was rotated."""

    axis: int
    """Index of the lattice vector along the vacuum in the original structure."""
    rotation: FloatArray
    """(3, 3) rotation matrix R; positions transform as x @ R.T."""
    volume_ratio: float = 1.0
    """Volume of the original cell over that of the new one, by which a stress is multiplied; 0 for a cell that had no volume."""


def vacuum_gaps(atoms: Atoms) -> FloatArray:
    """Compute the widest gap along the normal of each pair of lattice vectors.

    Parameters
    ----------
    atoms
        A structure with a cell.

    Returns
    -------
    (3) Å, entry i belongs to the normal of the other two lattice vectors.
    """
    fractional = np.sort(np.mod(atoms.get_scaled_positions(wrap=False), 1.0), axis=0)
    closed = np.concatenate([fractional, fractional[:1] + 1.0])
    widest: FloatArray = np.diff(closed, axis=0).max(axis=0) * cell_heights(atoms)
    return widest


def cell_heights(atoms: Atoms) -> FloatArray:
    """Compute the heights of a cell over its faces.

    Parameters
    ----------
    atoms
        A structure with a cell.

    Returns
    -------
    (3,) Å, entry i is the distance of the faces that do not hold lattice vector i.
    """
    heights: FloatArray = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    return heights


def is_isolated(atoms: Atoms) -> bool:
    """Tell whether a structure is surrounded by vacuum on all sides.

    Parameters
    ----------
    atoms
        A structure, with a cell or without.

    Returns
    -------
    True for an atom or a molecule in an empty box, or without one.
    """
    return atoms.cell.rank == 0 or (atoms.cell.rank == 3 and bool((vacuum_gaps(atoms) > MIN_GAP).all()))


def orient_sheet(atoms: Atoms) -> tuple[Atoms, Orientation] | None:
    """Rotate a sheet so that its vacuum lies along its third lattice vector and the z axis.

    Parameters
    ----------
    atoms
        A structure.

    Returns
    -------
    A copy whose third lattice vector is normal to the other two, and the rotation; vectors in its arrays, such as forces, are
    not rotated. A ribbon, or a sheet that is torn, has a second axis with vacuum: the axis along which it is thinner is the
    normal. None for a structure that is not a sheet: one without a vacuum axis, or with vacuum along all three.
    """
    if (atoms.pbc.sum() == 2 and atoms.cell.rank >= 2) and (padded := _pad(atoms)) is not atoms:
        oriented = orient_sheet(padded)
        ratio = atoms.get_volume() / padded.get_volume() if atoms.cell.rank == 3 else 0.0
        return oriented and (oriented[0], replace(oriented[1], volume_ratio=ratio))
    if atoms.cell.rank < 3:
        return None
    gaps = vacuum_gaps(atoms)
    empty = np.flatnonzero(gaps > MIN_GAP)
    if len(empty) not in {1, 2}:
        return None
    thickness = cell_heights(atoms) - gaps
    axis = int(empty[np.argmin(thickness[empty])])
    cell = np.roll(atoms.cell.array, 2 - axis, axis=0)
    normal = np.cross(cell[0], cell[1])
    normal /= np.linalg.norm(normal)
    x = cell[0] / np.linalg.norm(cell[0])
    rotation = np.array([x, np.cross(normal, x), normal])
    if axis == 2 and np.abs(normal - (0, 0, 1)).max() < PLANAR_TILT:
        rotation = np.eye(3) if np.allclose(normal, (0, 0, 1), atol=1e-9) else _smallest_rotation(normal)
    rotated = cell @ rotation.T
    rotated[:2, 2] = 0.0
    height = rotated[2, 2]
    copy = atoms.copy()
    copy.set_cell(np.array([rotated[0], rotated[1], (0.0, 0.0, height)]), scale_atoms=False)
    copy.positions = atoms.positions @ rotation.T
    copy.pbc = True
    return copy, Orientation(axis, rotation)


def _pad(atoms: Atoms) -> Atoms:
    """Give a sheet that is periodic along two vectors a third one with vacuum; a cell that has vacuum is returned itself."""
    axis = int(np.flatnonzero(~atoms.pbc)[0])
    if atoms.cell.rank == 3 and vacuum_gaps(atoms)[axis] > MIN_GAP:
        return atoms
    first, second = (atoms.cell[other] for other in ((axis + 1) % 3, (axis + 2) % 3))
    normal = np.cross(first, second)
    if np.linalg.norm(normal) < 1e-6:
        return atoms
    normal /= np.linalg.norm(normal)
    padded = atoms.copy()
    padded.cell[axis] = normal * (np.ptp(atoms.positions @ normal) + 3 * MIN_GAP)
    return padded


def _smallest_rotation(normal: FloatArray) -> FloatArray:
    """Return the rotation by the smallest angle that maps the normal onto z."""
    z = np.array([0.0, 0.0, 1.0])
    axis = np.cross(normal, z)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation: FloatArray = np.eye(3) + cross + cross @ cross / (1 + normal @ z)
    return rotation
