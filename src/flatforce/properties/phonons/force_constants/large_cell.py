"""Geometry of an embedding: the relaxed defect of a small cell, placed in a large one, and its site symmetry there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

from flatforce.core.errors import GeometryError
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.structures.defects import DefectCell

IMAGES: Final = np.array([[a, b, 0] for a in (-1, 0, 1) for b in (-1, 0, 1)])
"""Lattice vectors to the cells in which the nearest image may lie."""

SITE_TOLERANCE: Final = 1e-3
"""Å. A site of the small cell and one of the large cell that are this close are the same site."""

BORDER_WIDTH: Final = 3.0
"""Å. Width of the outermost ring of the small cell, whose mean displacement defines the origin of all displacements."""


@dataclass(frozen=True)
class RelaxedCell:
    """A defect in a supercell that has been relaxed, and that is small beside the one in which it is embedded."""

    primitive: Atoms
    """The relaxed primitive cell of the pristine sheet."""
    cell: DefectCell
    """The defect cell before its relaxation."""
    atoms: Atoms
    """The same atoms after it."""


@dataclass(frozen=True)
class LargeCell:
    """A relaxed defect in a large supercell."""

    cell: DefectCell
    """The large cell; its atoms are relaxed near the defect."""
    small_atom: IntArray
    """(N,) atom of the smaller cell that each atom corresponds to; -1 beyond the border of the smaller cell."""
    border_shift: float
    """Å, largest displacement of an atom at the border of the small cell; displacements beyond are neglected."""

    @cached_property
    def vectors(self) -> FloatArray:
        """(N, 3) Å, vector from the defect to the nearest image of each atom."""
        atoms = self.cell.atoms
        return nearest_vectors(atoms.positions, self.cell.centre, atoms.cell.array)

    @cached_property
    def lateral(self) -> FloatArray:
        """(N,) Å, in-plane distance of each atom from the defect."""
        distances: FloatArray = np.linalg.norm(self.vectors[:, :2], axis=1)
        return distances


@dataclass(frozen=True)
class SiteGroup:
    """Symmetry operations about a defect in a large cell."""

    rotations: list[FloatArray]
    """(3, 3) Cartesian rotation of each operation."""
    permutations: list[IntArray]
    """(N,) for each operation, image of each atom; beyond the region that is mapped, the atom itself."""


def place_relaxed_defect(large: DefectCell, small: RelaxedCell) -> LargeCell:
    """Displace the atoms of a large cell as the relaxation has displaced those of a small one.

    Parameters
    ----------
    large
        The defect in the large cell, not relaxed.
    small
        The small cell, relaxed.

    Returns
    -------
    The large cell, relaxed near the defect.

    Raises
    ------
    GeometryError
        If the sites of the small cell are not among those of the large one.
    """
    shift, border_shift = _displacements(small.cell, small.atoms)
    images, lateral = _images(small.cell.atoms.positions, small.cell.centre, small.atoms.cell.array)
    nearest = lateral.min(axis=1)
    # at the border of the small cell, several images are equally near
    small_atom, image = np.nonzero(lateral < nearest[:, None] + SITE_TOLERANCE)
    atoms = large.atoms.copy()
    tree = cKDTree(nearest_vectors(atoms.positions, large.centre, atoms.cell.array))
    distance, index = tree.query(images[small_atom, image])
    if distance.max() > SITE_TOLERANCE or len(set(index.tolist())) != len(index):
        raise GeometryError(
            "The relaxed cell does not fit into the large one.",
            why="its sites are not among those of the large cell",
            fix="build both from the same relaxed primitive cell",
        )
    atoms.positions[index] += shift[small_atom]
    small_atom_of = np.full(len(atoms), -1)
    small_atom_of[index] = small_atom
    return LargeCell(replace(large, atoms=atoms), small_atom_of, border_shift)


def site_group(relaxed: Atoms, large: Atoms, vectors: FloatArray, radius: float) -> SiteGroup:
    """Find the symmetry operations of a small cell that keep the defect in its place, and how they act in a large cell.

    Parameters
    ----------
    relaxed
        The relaxed small cell.
    large
        The large cell.
    vectors
        (N, 3) Å, from the defect to each atom of the large cell.
    radius
        Å, in-plane radius of the region that is mapped onto itself.

    Returns
    -------
    The operations; the identity alone where the region extends over the border of the large cell.
    """
    symmetry = find_symmetry(relaxed)
    lateral = np.linalg.norm(vectors[:, :2], axis=1)
    identity = np.arange(len(vectors))
    shortest = np.linalg.norm(np.delete(IMAGES, 4, axis=0) @ large.cell.array, axis=1).min()
    if radius > shortest / 2:
        return SiteGroup([np.eye(3)], [identity])
    tree = cKDTree(vectors)
    inner = np.flatnonzero(lateral <= radius)
    rotations, permutations = [], []
    for rotation in symmetry.cartesian_rotations(relaxed.cell.array):
        distance, image = tree.query(vectors[inner] @ rotation.T)
        if distance.max() > SITE_TOLERANCE:  # this operation moves the defect
            continue
        permutation = identity.copy()
        permutation[inner] = image
        rotations.append(rotation)
        permutations.append(permutation)
    return SiteGroup(rotations, permutations)


def nearest_vectors(positions: FloatArray, centre: FloatArray, cell: FloatArray) -> FloatArray:
    """Find the vector from a point to the nearest in-plane image of each position.

    Parameters
    ----------
    positions
        (N, 3) Å.
    centre
        (3,) Å.
    cell
        (3, 3) Å.

    Returns
    -------
    (N, 3) Å, from the centre.
    """
    images, lateral = _images(positions, centre, cell)
    nearest: FloatArray = images[np.arange(len(images)), lateral.argmin(axis=1)]
    return nearest


def _images(positions: FloatArray, centre: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Vectors from a point to nine images of each position, (N, 9, 3) Å, and their in-plane lengths, (N, 9) Å."""
    offset = (positions - centre) @ np.linalg.inv(cell)
    offset[:, :2] -= np.round(offset[:, :2])
    images = (offset @ cell)[:, None] + IMAGES @ cell
    return images, np.linalg.norm(images[..., :2], axis=-1)


def _displacements(small: DefectCell, relaxed: Atoms) -> tuple[FloatArray, float]:
    """Displacement of each atom, (N, 3) Å, relative to the mean of those at the border, and the largest of the latter."""
    cell = relaxed.cell.array
    shift = (relaxed.positions - small.atoms.positions) @ np.linalg.inv(cell)
    shift[:, :2] -= np.round(shift[:, :2])
    shift = shift @ cell
    _, lateral = _images(small.atoms.positions, small.centre, cell)
    nearest = lateral.min(axis=1)
    border = nearest > nearest.max() - BORDER_WIDTH
    shift -= shift[border].mean(axis=0)
    return shift, float(np.linalg.norm(shift[border], axis=1).max())
