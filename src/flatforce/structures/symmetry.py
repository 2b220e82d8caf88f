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
"""Å, tolerance for a structure that has been symmetrised."""

RELAXED_SYMPREC = 0.03
"""Å, tolerance that finds the intended symmetry of a structure relaxed to 1e-2 eV/Å or better."""


CELL_STRAIN = 1e-3
"""Largest strain by which an operation may change the cell: less is noise of a relaxation, more is meant."""


@dataclass(frozen=True)
class Symmetry:
    """Space-group operations as they act on one structure."""

    rotations: IntArray
    """(n, 3, 3) in lattice coordinates."""
    translations: FloatArray
    """(n, 3) in lattice coordinates."""
    permutations: IntArray
    """(n, N): operation k carries atom i onto atom permutations[k, i]."""
    international: str
    number: int
    point_group: str

    @property
    def pure_translations(self) -> int:
        """How many primitive cells the cell holds."""
        identity = np.eye(3, dtype=self.rotations.dtype)
        return int((self.rotations == identity).all(axis=(1, 2)).sum())

    def turns(self, cell: FloatArray) -> list[FloatArray]:
        """Turn the rotations into Cartesian ones.

        Parameters
        ----------
        cell
            (3, 3) Å, rows are lattice vectors.

        Returns
        -------
        (3, 3) of each operation.
        """
        inverse = np.linalg.inv(cell)
        return [np.asarray(cell.T @ rotation @ inverse.T) for rotation in self.rotations]


def find_symmetry(atoms: Atoms, *, symprec: float = SYMPREC, cell_strain: float = CELL_STRAIN) -> Symmetry:
    """Find the symmetry of a sheet, operations that move it along its normal left out.

    Parameters
    ----------
    atoms
        A sheet.
    symprec
        Å, tolerance.
    cell_strain
        Largest strain by which an operation may change the cell.

    Returns
    -------
    The operations.

    Raises
    ------
    GeometryError
        If spglib finds none.
    """
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    data = spglib.get_symmetry_dataset(cell, symprec=symprec)
    if data is None:
        raise GeometryError("The symmetry of the structure was not found.", fix="are two atoms at one place?")
    rotations = np.asarray(data.rotations, dtype=np.int64)
    keep = [_is_of_a_sheet(r, atoms.cell.array, cell_strain) for r in rotations]
    rotations, translations = rotations[keep], np.asarray(data.translations, dtype=float)[keep]
    permutations = np.array(
        [_permutation(atoms, r, t, symprec) for r, t in zip(rotations, translations, strict=True)]
    )
    return Symmetry(
        rotations, translations, permutations, data.international, int(data.number), data.pointgroup
    )


def _is_of_a_sheet(rotation: IntArray, cell: FloatArray, strain: float) -> bool:
    """Whether an operation keeps the normal apart from the plane, and lengths as they are."""
    if rotation[2, :2].any() or rotation[:2, 2].any():
        return False
    turned = np.linalg.inv(cell) @ rotation.T @ cell
    return bool(np.abs(turned @ turned.T - np.eye(3)).max() < 2 * strain)


def _permutation(atoms: Atoms, rotation: IntArray, translation: FloatArray, symprec: float) -> IntArray:
    fractional = atoms.get_scaled_positions()
    images = fractional @ rotation.T + translation
    found = np.empty(len(atoms), dtype=np.int64)
    for species in np.unique(atoms.numbers):
        members = np.flatnonzero(atoms.numbers == species)
        offset = images[members][:, None, :] - fractional[members][None, :, :]
        offset -= np.round(offset)
        distance = np.linalg.norm(offset @ atoms.cell.array, axis=-1)
        nearest = distance.argmin(axis=1)
        if len(set(nearest.tolist())) != len(members) or distance.min(axis=1).max() > 10 * symprec:
            raise GeometryError(
                "A symmetry operation does not map the atoms onto each other.",
                fix="use a smaller symmetry tolerance",
            )
        found[members] = members[nearest]
    return found


def equivalent_sites(atoms: Atoms, *, symprec: float = SYMPREC) -> IntArray:
    """Name for each atom the first atom that symmetry makes equal to it.

    Parameters
    ----------
    atoms
        A sheet.
    symprec
        Å, tolerance.

    Returns
    -------
    (N,) indices.
    """
    first: IntArray = find_symmetry(atoms, symprec=symprec).permutations.min(axis=0)
    return first


def centre_on_symmetric_site(atoms: Atoms, *, symprec: float = SYMPREC) -> Atoms:
    """Put the atom of highest site symmetry at the origin of the plane.

    Codes that know rotations about the origin alone then find the whole point group.

    Parameters
    ----------
    atoms
        A sheet.
    symprec
        Å, tolerance.

    Returns
    -------
    A copy, shifted in its plane.
    """
    permutations = find_symmetry(atoms, symprec=symprec).permutations
    kept = (permutations == np.arange(len(atoms))).sum(axis=0)
    fractional = atoms.get_scaled_positions(wrap=False)
    fractional[:, :2] -= fractional[int(kept.argmax()), :2]
    copy = atoms.copy()
    copy.set_scaled_positions(fractional)
    return copy


def symmetrise(atoms: Atoms, symmetry: Symmetry) -> Atoms:
    """Project positions and cell on the symmetry that they nearly have.

    Parameters
    ----------
    atoms
        A sheet.
    symmetry
        The operations, as found with a loose tolerance.

    Returns
    -------
    A copy that has the symmetry to round-off.
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
    left, _, right = np.linalg.svd(new.T @ old)
    turned: FloatArray = new @ (left @ right)
    return turned
