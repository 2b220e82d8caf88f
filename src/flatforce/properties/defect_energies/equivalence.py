"""Equivalent defects in a sheet, and how far apart the parts of a complex are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.structures.defect_notation import parse_defect
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from flatforce.structures.defects import DefectCell


def count_equivalent(cell: DefectCell, size: int) -> float:
    """Count the equivalent defects in a primitive cell, by the space group of the pristine supercell.

    Parameters
    ----------
    cell
        The defect.
    size
        Primitive cells of its supercell along each lattice vector.

    Returns
    -------
    Number of equivalent defects in a primitive cell; one that breaks the lattice of the supercell may have less than one.
    """
    symmetry = find_symmetry(cell.pristine, symprec=RELAXED_SYMPREC)
    facings = _facings(cell)
    parts = [(part.kind, part.symbol) for part in parse_defect(cell.name)]
    images = {
        frozenset(
            (int(permutation[site]), *part, facing * int(rotation[2, 2]))
            for site, part, facing in zip(cell.sites, parts, facings, strict=True)
        )
        for permutation, rotation in zip(symmetry.permutations, symmetry.rotations, strict=True)
    }
    return len(images) / size**2


def _facings(cell: DefectCell) -> list[int]:
    """Return 1 for an adatom above its site, −1 for one below, 0 for all other parts."""
    adatoms = iter(cell.atoms.positions[cell.site_of < 0])
    facings = []
    for part, site in zip(parse_defect(cell.name), cell.sites, strict=True):
        above = next(adatoms)[2] - cell.pristine.positions[site, 2] if part.kind == "adatom" else 0.0
        facings.append(int(np.sign(above)))
    return facings


def largest_separation(cell: DefectCell) -> float:
    """Measure how far apart the parts of a complex are.

    Parameters
    ----------
    cell
        The defect.

    Returns
    -------
    Å, largest distance between two sites of the defect; 0 for a point defect.
    """
    sites = list(cell.sites)
    if len(sites) < 2:
        return 0.0
    distances = [cell.pristine.get_distances(site, sites, mic=True).max() for site in sites]
    return float(max(distances))
