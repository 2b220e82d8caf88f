"""Whether a structure is an isolated sheet of bound atoms: the one place where a structure that a user gives is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np
from ase.data import covalent_radii

from flatforce.core.errors import GeometryError
from flatforce.structures.contacts import MAX_CONTACT, MIN_CONTACT, closest_contact, has_bond, shortest_period
from flatforce.structures.orientation import MIN_GAP, vacuum_gaps
from flatforce.structures.sheet import area, as_slab, cell_height, check_sheet, thickness

if TYPE_CHECKING:
    from ase import Atoms

IMAGE_GAP: Final = 20.0
"""Å, vacuum in which contacts are searched, so that none is found with the next image along the normal."""

CHECK_UNITS: Final = "check that cell and positions are in Å, and that the cell is that of the sheet"


def check_isolated_sheet(atoms: Atoms) -> None:
    """Raise an error for a structure that is not an isolated sheet of bound atoms.

    Bilayers and thicker sheets, ribbons and torn sheets pass, if there is vacuum along the third lattice vector.

    Parameters
    ----------
    atoms
        A structure that a user gave.

    Raises
    ------
    GeometryError
        If it is not a sheet normal to its third lattice vector, is a crystal or has no vacuum, has two atoms at one place, or is a
        molecule or atoms too far apart to be bound.
    """
    _check_no_crystal(atoms)
    check_sheet(atoms)
    _check_vacuum(atoms)
    slab = as_slab(atoms, gap=IMAGE_GAP)
    check_contacts(slab)
    _check_bonds(slab)


def check_contacts(atoms: Atoms) -> None:
    """Raise an error for a structure with two atoms on top of one another.

    Parameters
    ----------
    atoms
        A structure of any dimensionality.

    Raises
    ------
    GeometryError
        If two atoms are nearer than `MIN_CONTACT` times the sum of their covalent radii.
    """
    contact = closest_contact(atoms, limit=MIN_CONTACT)
    if contact is None:
        return
    distance = contact.describe(atoms)
    raise GeometryError(
        f"{distance[0].upper()}{distance[1:]}.",
        why=f"that is {contact.relative:.2f} of the sum of their covalent radii, and {MIN_CONTACT:g} is the least that is accepted",
        fix="correct the structure, and check that lengths are in Å and that the file holds each atom once",
    )


def gap_along_normal(atoms: Atoms) -> float:
    """Compute the vacuum between a sheet and its periodic image.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    Å, widest gap between nuclei along the third lattice vector; infinite where the cell is not periodic along it.
    """
    height = cell_height(atoms)
    return height - thickness(atoms) if atoms.pbc[2] and height > 0 else float("inf")


def _check_no_crystal(atoms: Atoms) -> None:
    """Name a crystal as one, however its cell lies."""
    is_solid = (
        len(atoms) > 0
        and area(atoms) > 1e-3
        and atoms.pbc.all()
        and atoms.cell.rank == 3
        and np.isfinite(atoms.positions).all()
    )
    if is_solid and vacuum_gaps(atoms).max() < MIN_GAP:
        _raise_crystal("normal of any two lattice vectors", float(vacuum_gaps(atoms).max()))


def _check_vacuum(atoms: Atoms) -> None:
    gap = gap_along_normal(atoms)
    if gap >= MIN_GAP:
        return
    gaps = vacuum_gaps(atoms)
    axes = np.flatnonzero(gaps[:2] > MIN_GAP).tolist()
    if axes:
        raise GeometryError(
            "The vacuum of the sheet is not along its third lattice vector.",
            why=f"the gap along it is {gap:.2f} Å, that along vector {axes[0] + 1} is {gaps[axes[0]]:.2f} Å",
            fix="turn the structure so that the vacuum is along vector 3 and the sheet lies in the xy plane",
        )
    _raise_crystal("third lattice vector", gap)


def _raise_crystal(axis: str, gap: float) -> NoReturn:
    raise GeometryError(
        "The structure is a crystal, or a sheet without vacuum.",
        why=f"the widest gap between atoms along the {axis} is {gap:.2f} Å; less than {MIN_GAP:g} Å cannot be distinguished from "
        "the gap of a layered crystal",
        fix="give one layer, or a few, in a cell with vacuum (atoms.center(vacuum=8, axis=2) in ASE); if the cell of a sheet is only too "
        'low, declare it not periodic along vector 3: pbc="T T F" in an extended XYZ file',
    )


def _check_bonds(slab: Atoms) -> None:
    if not has_bond(slab):
        raise GeometryError(
            "No two atoms are near enough to be bound.",
            why=f"no atom is within {MAX_CONTACT:g} times the sum of covalent radii of another, periodic images included; the shortest "
            f"lattice vector in the plane is {shortest_period(slab):.4g} Å",
            fix=CHECK_UNITS,
        )
    gaps = vacuum_gaps(slab)[:2]
    if (gaps > max(MIN_GAP, 2 * MAX_CONTACT * float(covalent_radii[slab.numbers].max()))).all():
        raise GeometryError(
            "The structure is a molecule or a cluster, not a sheet.",
            why=f"there is vacuum along both in-plane lattice vectors: {gaps[0]:.4g} and {gaps[1]:.4g} Å",
            fix=CHECK_UNITS,
        )
