"""How a defect changes rows of force constants, and the force constants with these changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.local_rows import LocalRows
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.structures.defects import DefectCell


@dataclass(frozen=True)
class RowChange:
    """Difference of an exact row of force constants from the pristine one."""

    centre: int
    """The atom whose row this is."""
    atoms: IntArray
    """(M,) atoms whose force constants with the centre change."""
    blocks: FloatArray
    """(M, 3, 3) eV/Å², the changes."""

    @property
    def norm(self) -> float:
        """eV/Å², Frobenius norm of the change."""
        return float(np.linalg.norm(self.blocks))


def row_changes(defect: DefectCell, host: Host, repeats: int, exact: LocalRows) -> list[RowChange]:
    """Subtract the pristine rows from exact ones, over the atoms of the defect cell.

    Parameters
    ----------
    defect
        The defect in an n × n supercell.
    host
        The pristine sheet.
    repeats
        n of the supercell.
    exact
        Rows of the defect cell.

    Returns
    -------
    For each exact row its difference in eV/Å² from the pristine one, in the order of `exact`.
    """
    atom_at = _atom_on_site(defect)
    changes = []
    for centre, members, blocks in zip(exact.centres, exact.atoms, exact.blocks, strict=True):
        row = np.zeros((len(defect.atoms), 3, 3))
        row[members] = blocks
        site = int(defect.site_of[centre])
        if site >= 0:
            sublattice = site % len(host.primitive)
            atoms = atom_at[host.members(np.array([site]), sublattice, repeats)[0]]
            np.subtract.at(row, atoms[atoms >= 0], host.blocks[sublattice][atoms >= 0])
        nonzero = np.flatnonzero(np.abs(row).max(axis=(1, 2)))
        changes.append(RowChange(centre, nonzero, row[nonzero]))
    return changes


def add_row_changes(
    defect: DefectCell, pristine: SparseForceConstants, changes: Sequence[RowChange]
) -> SparseForceConstants:
    """Add the changes of rows to the pristine force constants of the same supercell.

    Parameters
    ----------
    defect
        The defect in the supercell.
    pristine
        Force constants of the pristine supercell.
    changes
        Changes of rows; a pair whose two atoms both have one gets the mean of both.

    Returns
    -------
    Force constants of the defect cell, as a symmetric matrix.
    """
    atom_at = _atom_on_site(defect)
    sites = pristine.pairs
    rows, columns = atom_at[sites[0]], atom_at[sites[1]]
    occupied = (rows >= 0) & (columns >= 0)
    first, second, blocks = [rows[occupied]], [columns[occupied]], [pristine.blocks[occupied]]
    has_change: BoolArray = np.zeros(len(defect.atoms), dtype=bool)
    has_change[[change.centre for change in changes]] = True
    for change in changes:
        weighted = np.where(has_change[change.atoms], 0.5, 1.0)[:, None, None] * change.blocks
        centres = np.full(len(change.atoms), change.centre)
        first += [centres, change.atoms]
        second += [change.atoms, centres]
        blocks += [weighted, weighted.transpose(0, 2, 1)]
    return SparseForceConstants.from_blocks(
        defect.atoms, np.concatenate(first), np.concatenate(second), np.concatenate(blocks)
    ).symmetrise()


def truncation_error(changes: Sequence[RowChange], inside: IntArray) -> float:
    """Estimate what is neglected beyond the radius of exact rows.

    Parameters
    ----------
    changes
        Changes of the rows just beyond that radius.
    inside
        Atoms within the radius, whose pairs are exact already.

    Returns
    -------
    eV/Å², largest component of the changes of pairs that are not exact; NaN without any row.
    """
    return max(
        (float(np.abs(change.blocks[~np.isin(change.atoms, inside)]).max()) for change in changes),
        default=float("nan"),
    )


def _atom_on_site(defect: DefectCell) -> IntArray:
    """(S,) atom on each site of the pristine supercell; -1 on a vacant one."""
    atom_at = np.full(len(defect.pristine), -1)
    on_site = defect.site_of >= 0
    atom_at[defect.site_of[on_site]] = np.flatnonzero(on_site)
    return atom_at
