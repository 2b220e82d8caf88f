"""Space-group symmetry of a sheet, by spglib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import spglib

from flatforce.core.errors import GeometryError

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

SYMPREC = 1e-4
"""Å, symmetry tolerance for a structure that has been symmetrised."""

RELAXED_SYMPREC = 0.03
"""Å, symmetry tolerance that finds the intended symmetry of a structure relaxed to 1e-2 eV/Å or better."""

MAX_CELL_STRAIN = 1e-3
"""Largest strain by which an operation may change the cell: a smaller one is noise of a relaxation, a larger one is intended."""


@dataclass(frozen=True)
class Symmetry:
    """Space-group operations as they act on one structure."""

    rotations: IntArray
    """(n, 3, 3) rotations in units of the lattice vectors."""
    translations: FloatArray
    """(n, 3) translations in units of the lattice vectors."""
    permutations: IntArray
    """(n, N) operation k maps atom i onto atom permutations[k, i]."""
    international: str
    """International (Hermann–Mauguin) symbol of the space group."""
    number: int
    """Number of the space group in the International Tables."""
    point_group: str
    """International symbol of the point group."""

    @property
    def pure_translations(self) -> int:
        """Number of primitive cells that the cell holds."""
        identity = np.eye(3, dtype=self.rotations.dtype)
        return int((self.rotations == identity).all(axis=(1, 2)).sum())

    def cartesian_rotations(self, cell: FloatArray) -> list[FloatArray]:
        """Convert the rotations to Cartesian coordinates.

        Parameters
        ----------
        cell
            (3, 3) Å, rows are lattice vectors.

        Returns
        -------
        For each operation its (3, 3) orthogonal matrix.
        """
        inverse = np.linalg.inv(cell)
        return [np.asarray(cell.T @ rotation @ inverse.T) for rotation in self.rotations]


def symmetry_dataset(atoms: Atoms, *, symprec: float = SYMPREC) -> spglib.SpglibDataset | None:
    """Ask spglib for the symmetry of a structure.

    Parameters
    ----------
    atoms
        The structure.
    symprec
        Å, symmetry tolerance.

    Returns
    -------
    The dataset of spglib, or None if it finds no symmetry, as where two atoms have the same position.
    """
    spglib.error.OLD_ERROR_HANDLING = False  # spglib raises, as it will by default; phonopy sets the same
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    try:
        return spglib.get_symmetry_dataset(cell, symprec=symprec)
    except spglib.error.SpglibError:
        return None


def find_symmetry(
    atoms: Atoms, *, symprec: float = SYMPREC, cell_strain: float = MAX_CELL_STRAIN
) -> Symmetry:
    """Find the symmetry operations of a sheet that keep its plane.

    Parameters
    ----------
    atoms
        A sheet.
    symprec
        Å, symmetry tolerance.
    cell_strain
        Largest strain by which an operation may change the cell.

    Returns
    -------
    The symmetry operations, with their permutations of the atoms.

    Raises
    ------
    GeometryError
        If spglib finds no symmetry, or an operation does not map the atoms onto each other.
    """
    data = symmetry_dataset(atoms, symprec=symprec)
    if data is None:
        raise GeometryError(
            "spglib finds no symmetry operations of the structure.",
            why="two atoms may have the same position, or the symmetry tolerance may be too large",
            fix="remove duplicate atoms, or pass a smaller symprec",
        )
    rotations = np.asarray(data.rotations, dtype=np.int64)
    keeps_plane = [_keeps_plane(r, atoms.cell.array, cell_strain) for r in rotations]
    rotations = rotations[keeps_plane]
    translations = np.asarray(data.translations, dtype=float)[keeps_plane]
    permutations = np.array(
        [_permutation(atoms, r, t, symprec) for r, t in zip(rotations, translations, strict=True)]
    )
    return Symmetry(
        rotations, translations, permutations, data.international, int(data.number), data.pointgroup
    )


def _keeps_plane(rotation: IntArray, cell: FloatArray, strain: float) -> bool:
    """Whether an operation maps the plane onto itself and preserves lengths."""
    if rotation[2, :2].any() or rotation[:2, 2].any():
        return False
    cartesian = np.linalg.inv(cell) @ rotation.T @ cell
    return bool(np.abs(cartesian @ cartesian.T - np.eye(3)).max() < 2 * strain)


def _permutation(atoms: Atoms, rotation: IntArray, translation: FloatArray, symprec: float) -> IntArray:
    fractional = atoms.get_scaled_positions()
    images = fractional @ rotation.T + translation
    permutation = np.empty(len(atoms), dtype=np.int64)
    for species in np.unique(atoms.numbers):
        members = np.flatnonzero(atoms.numbers == species)
        offset = images[members][:, None, :] - fractional[members][None, :, :]
        offset -= np.round(offset)
        distance = np.linalg.norm(offset @ atoms.cell.array, axis=-1)
        nearest = distance.argmin(axis=1)
        if len(set(nearest.tolist())) != len(members) or distance.min(axis=1).max() > 10 * symprec:
            raise GeometryError(
                "A symmetry operation does not map the atoms onto each other.",
                fix="pass a smaller symprec",
            )
        permutation[members] = members[nearest]
    return permutation


def equivalent_sites(atoms: Atoms, *, symprec: float = SYMPREC) -> IntArray:
    """Find for each atom the first atom that is symmetry-equivalent to it.

    Parameters
    ----------
    atoms
        A sheet.
    symprec
        Å, symmetry tolerance.

    Returns
    -------
    (N,) indices of the representative atoms.
    """
    first: IntArray = find_symmetry(atoms, symprec=symprec).permutations.min(axis=0)
    return first


def centre_on_symmetric_site(atoms: Atoms, *, symprec: float = SYMPREC) -> Atoms:
    """Move the atom of highest site symmetry to the origin of the plane.

    Programs that consider only rotations about the origin then find the full point group.

    Parameters
    ----------
    atoms
        A sheet.
    symprec
        Å, symmetry tolerance.

    Returns
    -------
    A copy whose atoms are shifted in the plane.
    """
    permutations = find_symmetry(atoms, symprec=symprec).permutations
    site_symmetry = (permutations == np.arange(len(atoms))).sum(axis=0)
    fractional = atoms.get_scaled_positions(wrap=False)
    fractional[:, :2] -= fractional[int(site_symmetry.argmax()), :2]
    copy = atoms.copy()
    copy.set_scaled_positions(fractional)
    return copy


def symmetrise(atoms: Atoms, symmetry: Symmetry) -> Atoms:
    """Project positions and cell onto the symmetry that they have approximately.

    Parameters
    ----------
    atoms
        A sheet.
    symmetry
        The symmetry operations, as found with a loose tolerance.

    Returns
    -------
    A copy that has the symmetry within round-off.
    """
    rotations = symmetry.rotations.astype(float)
    metric = atoms.cell.array @ atoms.cell.array.T
    mean_metric = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    fractional = atoms.get_scaled_positions(wrap=False)
    total = np.zeros_like(fractional)
    for r, t, permutation in zip(rotations, symmetry.translations, symmetry.permutations, strict=True):
        image = fractional @ r.T + t
        total[permutation] += image - np.round(image - fractional[permutation])
    copy = atoms.copy()
    copy.set_cell(_cell_from_metric(mean_metric, atoms.cell.array), scale_atoms=False)
    copy.set_scaled_positions(total / len(rotations))
    return copy


def _cell_from_metric(metric: FloatArray, old: FloatArray) -> FloatArray:
    new = np.linalg.cholesky(metric)
    left_vectors, _, right_vectors = np.linalg.svd(new.T @ old)
    rotated: FloatArray = new @ (left_vectors @ right_vectors)
    return rotated
