"""Formation energies of models, relative to the end members by the same model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import FlatforceError
from flatforce.properties.alloys.mapping import map_to_lattice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.table import AlloyTable, OrderingEnergy
    from flatforce.structures.alloys import AlloyLattice


def energies_on_lattice(
    lattice: AlloyLattice, results: Sequence[OrderingEnergy], *, max_distance: float
) -> FloatArray:
    """Return total energies, with NaN where a sheet is not relaxed or has left the lattice.

    Parameters
    ----------
    lattice
        The alloy.
    results
        Energies of orderings.
    max_distance
        Largest distance of an atom from its site, in Å.

    Returns
    -------
    (n,) total energies of the cells, in eV.
    """
    return np.array(
        [
            result.energy if _is_on_lattice(lattice, result, max_distance=max_distance) else np.nan
            for result in results
        ]
    )


def _is_on_lattice(lattice: AlloyLattice, result: OrderingEnergy, *, max_distance: float) -> bool:
    if result.failure:
        return False
    try:
        return map_to_lattice(lattice, result.relaxed).max_distance <= max_distance
    except FlatforceError:
        return False


def relative_to_end_members(table: AlloyTable, energies: FloatArray) -> FloatArray:
    """Turn total energies of all rows into formation energies, relative to the end members among them.

    Parameters
    ----------
    table
        The table.
    energies
        (n,) total energies of the cells, in eV.

    Returns
    -------
    (n,) formation energies in meV per site.
    """
    per_site = np.array([energy / row.n_sites for energy, row in zip(energies, table.rows, strict=True)])
    pure = np.zeros(len(table.species))
    for energy, row in zip(per_site, table.rows, strict=True):
        if row.end_member:
            pure[int(np.argmax(row.concentrations))] = energy
    return np.asarray(1e3 * (per_site - table.concentrations @ pure))


def relative_to_own_end_members(
    table: AlloyTable, end_rows: Sequence[int], test: IntArray, energies: Sequence[float]
) -> FloatArray:
    """Turn total energies of end members and test rows by one model into formation energies of the test rows.

    Parameters
    ----------
    table
        The table.
    end_rows
        (m,) indices of the rows that are end members.
    test
        (k,) indices of the test rows.
    energies
        (m + k,) total energies of the cells in eV, the end members first.

    Returns
    -------
    (k,) formation energies of the test rows in meV per site.
    """
    rows = [*end_rows, *(int(row) for row in test)]
    per_site = [energy / table.rows[row].n_sites for energy, row in zip(energies, rows, strict=True)]
    pure = {
        int(np.argmax(table.rows[row].concentrations)): energy
        for row, energy in zip(end_rows, per_site[: len(end_rows)], strict=True)
    }
    mixtures = [
        sum(x * pure[species] for species, x in enumerate(table.rows[row].concentrations)) for row in test
    ]
    return np.asarray(1e3 * (np.array(per_site[len(end_rows) :]) - np.array(mixtures)))
