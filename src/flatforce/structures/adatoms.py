"""Heights of adatoms as they are built, and adatoms that would be on top of another added atom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from flatforce.structures.contacts import MIN_BOND
from flatforce.structures.defect_geometry import IN_PLANE
from flatforce.structures.sheet import unwrapped_heights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.structures.defect_geometry import Placement
    from flatforce.structures.defect_lattice import Lattice


def adatom_height(primitive: Atoms, basis: int, symbol: str, *, facing: int) -> float:
    """Compute the height at which an adatom is built.

    Parameters
    ----------
    primitive
        Primitive cell of the sheet.
    basis
        Index of the atom above or below which it sits.
    symbol
        Species of the adatom.
    facing
        1 for an adatom above the sheet, -1 for one below.

    Returns
    -------
    Å, on the scale of `unwrapped_heights`: the sum of the covalent radii of adatom and site above the highest atom (below the lowest)
    that is nearer than this sum in the plane, periodic images included.
    """
    heights = unwrapped_heights(primitive)
    bond = covalent_radius(symbol) + covalent_radius(primitive.symbols[basis])
    lateral = _lateral_distances(primitive, basis, farthest=bond)
    return facing * float(max(facing * heights[lateral < bond]) + bond)


def is_crowded(
    lattice: Lattice, placed: Placement, others: Sequence[Placement], repeats: tuple[int, int]
) -> bool:
    """Tell whether an adatom would be on top of another adatom or of a substitution.

    Parameters
    ----------
    lattice
        The sheet.
    placed
        A part at its site.
    others
        Parts that have their sites.
    repeats
        Supercell whose periodic images count.

    Returns
    -------
    True if one of the two is an adatom and they are nearer than `MIN_BOND` times the sum of their covalent radii.
    """
    added = placed.part.symbol
    return any(
        lattice.distance(other, placed, repeats)
        < MIN_BOND * (covalent_radius(other.part.symbol) + covalent_radius(added))
        for other in others
        if added is not None and other.part.symbol is not None and {other.facing, placed.facing} != {IN_PLANE}
    )


def covalent_radius(symbol: str) -> float:
    """Look up a covalent radius.

    Parameters
    ----------
    symbol
        An element.

    Returns
    -------
    Å, covalent radius of the element as tabulated in ASE (Cordero et al. 2008).
    """
    return float(covalent_radii[atomic_numbers[symbol]])


def _lateral_distances(primitive: Atoms, basis: int, *, farthest: float) -> FloatArray:
    """(N,) Å, in-plane distance of a site to the nearest image of each atom, exact up to the farthest that matters."""
    vectors = primitive.cell.array[:2, :2]
    heights = abs(np.linalg.det(vectors)) / np.linalg.norm(vectors[::-1], axis=1)
    reach = np.ceil(farthest / heights).astype(int) + 1
    cells = np.array(list(product(*(range(-n, n + 1) for n in reach.tolist()))))
    fractional = primitive.get_scaled_positions(wrap=False)[:, :2]
    steps = fractional - fractional[basis]
    steps -= np.round(steps)
    distances: FloatArray = np.linalg.norm((steps[:, None] + cells) @ vectors, axis=2).min(axis=1)
    return distances
