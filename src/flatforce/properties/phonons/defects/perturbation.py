"""The perturbation of the dynamical matrix of a sheet by a defect, site by site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.units import FREQUENCY_FACTOR

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.embedded_defect import EmbeddedDefect
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.structures.defects import DefectCell


def perturbation(
    defect: EmbeddedDefect,
    required: IntArray,
    *,
    decoupled_frequency: float,
    tolerance: float,
) -> tuple[IntArray, FloatArray]:
    """Subtract the pristine dynamical matrix from that of the defect.

    Parameters
    ----------
    defect
        The defect in a large supercell.
    required
        (K,) sites that are included, changed or not.
    decoupled_frequency
        THz, frequency of sites that are decoupled from the lattice.
    tolerance
        eV/Å²; pairs of sites whose force constants change by less are neglected.

    Returns
    -------
    (S,) sites of the pristine supercell, with added atoms numbered on after them, and (3S, 3S) V in eV/Å²/amu.
    """
    cell = defect.cell
    rows, columns, blocks = _changed_blocks(defect, tolerance)
    count, total = len(cell.pristine), _number_of_sites(cell)
    sites = np.unique(np.concatenate([rows, columns, cell.vacant, required, np.arange(count, total)]))
    index = np.full(total, -1)
    index[sites] = np.arange(len(sites))
    by_site = np.zeros((len(sites), 3, len(sites), 3))
    by_site[index[rows], :, index[columns], :] = blocks
    matrix: FloatArray = by_site.reshape(3 * len(sites), 3 * len(sites))
    square = decoupled_frequency**2 / FREQUENCY_FACTOR**2
    for site in index[cell.vacant]:
        matrix[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] += square * np.eye(3)
    for site in index[count:total]:
        matrix[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] -= square * np.eye(3)
    return sites, (matrix + matrix.T) / 2


def _changed_blocks(defect: EmbeddedDefect, tolerance: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of sites whose force constants change by more than the tolerance: rows, columns, and changes in eV/Å²/amu."""
    constants, cell, host = defect.force_constants, defect.cell, defect.host
    count, total = len(cell.pristine), _number_of_sites(cell)
    site_of = site_indices(cell)
    pristine = host.constants(count_repeats(cell, host))
    pristine_masses = np.ones(total)
    pristine_masses[:count] = cell.pristine.get_masses()
    defect_masses = pristine_masses.copy()
    defect_masses[site_of] = cell.atoms.get_masses()
    first, second = (site_of[atoms] for atoms in constants.pairs)
    defect_root = np.sqrt(defect_masses[first] * defect_masses[second])
    pristine_first, pristine_second = pristine.pairs
    pristine_root = np.sqrt(pristine_masses[pristine_first] * pristine_masses[pristine_second])
    numbers = np.concatenate([first * total + second, pristine_first * total + pristine_second])
    pairs, index = np.unique(numbers, return_inverse=True)
    changes = [
        constants.blocks / defect_root[:, None, None],
        -(pristine.blocks / pristine_root[:, None, None]),
    ]
    blocks = np.zeros((len(pairs), 3, 3))
    np.add.at(blocks, index, np.concatenate(changes))
    rows, columns = pairs // total, pairs % total
    root = np.sqrt(defect_masses[rows] * defect_masses[columns])
    changed = np.abs(blocks).max(axis=(1, 2)) * root > tolerance
    return rows[changed], columns[changed], blocks[changed]


def lattice_coordinates(sites: IntArray, cell: DefectCell, host: Host) -> IntArray:
    """Find the lattice coordinates of sites, relative to the cell of the defect.

    Parameters
    ----------
    sites
        (S,) sites of the pristine supercell.
    cell
        The supercell.
    host
        The pristine sheet.

    Returns
    -------
    (S, 3) indices of the cell along both lattice vectors, counted from the defect, and of the sublattice.

    Raises
    ------
    GeometryError
        If the sites extend over the border of the supercell.
    """
    basis, repeats = len(host.primitive), count_repeats(cell, host)
    cells = sites // basis
    centre = cell.centre @ np.linalg.inv(host.primitive.cell.array)
    offsets = np.column_stack([cells // repeats, cells % repeats]) - np.floor(centre[:2]).astype(int)
    offsets = (offsets + repeats // 2) % repeats - repeats // 2
    if len(offsets) and np.abs(offsets).max() > (repeats - 1) // 2 - 1:
        raise GeometryError(
            "The region that the defect changes extends over the border of the supercell.",
            fix="embed in a larger one, such as --embed 60, or choose a smaller radius of exact rows",
        )
    return np.column_stack([offsets, sites % basis])


def site_indices(cell: DefectCell) -> IntArray:
    """Find the site of each atom of a defect cell.

    Parameters
    ----------
    cell
        A supercell with a defect.

    Returns
    -------
    (N,) site of each atom; added atoms are numbered on after the sites of the pristine supercell.
    """
    site_of = cell.site_of.copy()
    added = site_of < 0
    site_of[added] = len(cell.pristine) + np.arange(int(added.sum()))
    return site_of


def _number_of_sites(cell: DefectCell) -> int:
    return max(len(cell.pristine), int(site_indices(cell).max()) + 1)


def count_repeats(cell: DefectCell, host: Host) -> int:
    """Count the primitive cells along each side of a supercell.

    Parameters
    ----------
    cell
        The supercell.
    host
        The pristine sheet.

    Returns
    -------
    n of the n × n supercell.
    """
    repeats: int = round(np.sqrt(len(cell.pristine) / len(host.primitive)))
    return repeats
