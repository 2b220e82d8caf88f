"""What a defect changes in the dynamical matrix of a sheet, site by site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.units import FREQUENCY_FACTOR

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell


def perturbation(
    constants: SparseForceConstants,
    cell: DefectCell,
    host: Host,
    near: IntArray,
    *,
    parked: float,
    tolerance: float,
) -> tuple[IntArray, FloatArray]:
    """Take the pristine dynamical matrix from that of the defect.

    Parameters
    ----------
    constants
        Of the defect in a large supercell.
    cell
        That supercell.
    host
        The pristine sheet.
    near
        (K,) sites that are taken in, changed or not.
    parked
        THz, where loose sites are put.
    tolerance
        eV/Å²; sites that change by less are left out.

    Returns
    -------
    (S,) sites of the pristine supercell, added atoms numbered on beyond them, and (3S, 3S) V in eV/Å²/amu.
    """
    count = len(cell.pristine)
    place = site_indices(cell)
    total = max(count, int(place.max()) + 1)
    size = round(np.sqrt(count / len(host.primitive)))
    pristine = host.constants(size)
    masses = np.ones(total)
    masses[:count] = cell.pristine.get_masses()
    changed = masses.copy()
    changed[place] = cell.atoms.get_masses()
    first, second = constants.pairs
    before = pristine.pairs
    plus = constants.blocks / np.sqrt(changed[place[first]] * changed[place[second]])[:, None, None]
    minus = pristine.blocks / np.sqrt(masses[before[0]] * masses[before[1]])[:, None, None]
    places = np.concatenate([place[first] * total + place[second], before[0] * total + before[1]])
    pairs, which = np.unique(places, return_inverse=True)
    blocks = np.zeros((len(pairs), 3, 3))
    np.add.at(blocks, which, np.concatenate([plus, -minus]))
    rows, columns = pairs // total, pairs % total
    weight = np.sqrt(changed[rows] * changed[columns])
    kept = np.abs(blocks).max(axis=(1, 2)) * weight > tolerance
    rows, columns, blocks = rows[kept], columns[kept], blocks[kept]
    vacant = cell.vacant
    sites = np.unique(np.concatenate([rows, columns, vacant, near, np.arange(count, total)]))
    local = np.full(total, -1)
    local[sites] = np.arange(len(sites))
    whole = np.zeros((len(sites), 3, len(sites), 3))
    whole[local[rows], :, local[columns], :] = blocks
    matrix: FloatArray = whole.reshape(3 * len(sites), 3 * len(sites))
    square = parked**2 / FREQUENCY_FACTOR**2
    for site in local[vacant]:
        matrix[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] += square * np.eye(3)
    for site in local[count:total]:
        matrix[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] -= square * np.eye(3)
    return sites, (matrix + matrix.T) / 2


def lattice_coordinates(sites: IntArray, cell: DefectCell, host: Host) -> IntArray:
    """Say where sites lie on the lattice.

    Parameters
    ----------
    sites
        (S,) of the pristine supercell.
    cell
        The supercell.
    host
        The pristine sheet.

    Returns
    -------
    (S, 3) cell x, cell y and sublattice, cells counted from the defect.

    Raises
    ------
    GeometryError
        If they reach over the border of the supercell.
    """
    basis = len(host.primitive)
    size = round(np.sqrt(len(cell.pristine) / basis))
    cells = sites // basis
    centre = cell.centre @ np.linalg.inv(host.primitive.cell.array)
    at = np.column_stack([cells // size, cells % size]) - np.floor(centre[:2]).astype(int)
    at = (at + size // 2) % size - size // 2
    if len(at) and np.abs(at).max() > (size - 1) // 2 - 1:
        raise GeometryError(
            "What the defect changes reaches over the border of the supercell.",
            fix="embed in a larger one, or take a smaller radius",
        )
    return np.column_stack([at, sites % basis])


def site_indices(cell: DefectCell) -> IntArray:
    """Tell the site of each atom.

    Parameters
    ----------
    cell
        A supercell with a defect.

    Returns
    -------
    (N,) site of each atom, added atoms numbered on beyond the sites.
    """
    site_of = cell.site_of.copy()
    added = site_of < 0
    site_of[added] = len(cell.pristine) + np.arange(int(added.sum()))
    return site_of
