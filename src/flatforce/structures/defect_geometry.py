"""Sites of a sheet and of its supercells, and parts of defects that are placed on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.structures.sheet import unwrapped_heights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.structures.defect_notation import PointDefect, Side

VACUUM = 15.0
"""Å, vacuum of a sheet whose symmetry is determined: files come with any vacuum, or with none."""

MIDDLE_TOLERANCE = 0.3
"""Å. An atom nearer to the mid-plane than this is in the middle, else at the top or bottom: half a weak buckling."""

UP, DOWN, IN_PLANE = 1, -1, 0
"""Side that an adatom faces; `IN_PLANE` for a vacancy or a substitution."""


@dataclass(frozen=True)
class Placement:
    """A part of a defect at a site of the infinite sheet."""

    part: PointDefect
    basis: int
    """Index of the atom in the primitive cell."""
    cell: tuple[int, int]
    """Lattice vectors from the first primitive cell."""
    facing: int = IN_PLANE
    """1 for an adatom above the sheet, -1 for one below, 0 for a vacancy or a substitution."""


@dataclass(frozen=True)
class Arrangement:
    """Placements of one part that symmetry makes equal, given the parts before it."""

    distances: tuple[float, ...]
    """Å, distance of its site to the site of each part before."""
    placements: list[Placement]


def sides(atoms: Atoms) -> list[Side]:
    """Say for each atom whether it is above, in, or below the mid-plane.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    (N,) for each atom whether it lies above, in, or below the mid-plane.
    """
    heights = unwrapped_heights(atoms)
    middle = (heights.max() + heights.min()) / 2
    return [
        "middle" if abs(z - middle) < MIDDLE_TOLERANCE else "top" if z > middle else "bottom" for z in heights
    ]


def central_order(pristine: Atoms) -> list[int]:
    """Order the sites of a supercell by their in-plane distance to its centre.

    Parameters
    ----------
    pristine
        The supercell.

    Returns
    -------
    (N,) indices; among equals the highest is first.
    """
    lateral = central_distances(pristine)
    order: list[int] = np.lexsort(
        (np.arange(len(pristine)), -pristine.positions[:, 2].round(3), lateral.round(4))
    ).tolist()
    return order


def central_distances(pristine: Atoms) -> FloatArray:
    """Return the in-plane distance of each site to the centre of a supercell.

    Parameters
    ----------
    pristine
        The supercell.

    Returns
    -------
    (N,) Å, in-plane distance of each site from the centre of the supercell.
    """
    offset = pristine.get_scaled_positions()[:, :2] - np.array([0.5, 0.5])
    offset -= np.round(offset)
    distances: FloatArray = np.linalg.norm(offset @ pristine.cell.array[:2, :2], axis=1)
    return distances


def overlaps(placed: Placement, others: Sequence[Placement], repeats: tuple[int, int] | None = None) -> bool:
    """Say whether a part is at the place of another.

    Parameters
    ----------
    placed
        The part.
    others
        The others.
    repeats
        Supercell whose periodic images count; None for the infinite sheet.

    Returns
    -------
    An adatom overlaps an adatom only, a vacancy or a substitution one of these.
    """
    return any(
        (placed.basis, placed.facing) == (other.basis, other.facing)
        and (
            placed.cell == other.cell
            if repeats is None
            else not np.mod(np.subtract(placed.cell, other.cell), repeats).any()
        )
        for other in others
    )
