"""Formation energies of a table by a force field, for each kind of input, and their cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.io import read

from flatforce.core.files import write_arrays
from flatforce.data.frame_files import write_frames
from flatforce.properties.alloys.energies import energies_by_model
from flatforce.properties.alloys.predictors import RELAXED_BY_DFT
from flatforce.properties.alloys.relative_energies import energies_on_lattice, relative_to_end_members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.config import AlloyEnergyConfig
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice

INPUTS = {"ideal": "ideal lattice", "self": "relaxed by the force field", "dft": RELAXED_BY_DFT}
"""Key → input of a force field. The last one is not available for a new ordering, and is marked so."""


@dataclass(frozen=True)
class ForceFieldEnergies:
    """Formation energies of a table by a force field, for each kind of input."""

    energies: Mapping[str, FloatArray]
    """Key of `INPUTS` → (n,) formation energies in meV per site; NaN where the force field failed."""
    relaxed: Sequence[Atoms]
    """Sheets that the force field relaxed, in the order of the rows."""


def force_field_energies(
    lattice: AlloyLattice,
    table: AlloyTable,
    potential: Potential,
    config: AlloyEnergyConfig,
    *,
    scratch: Path | None = None,
) -> ForceFieldEnergies:
    """Compute the formation energies of a table by a force field.

    Parameters
    ----------
    lattice
        The alloy.
    table
        The table.
    potential
        The force field.
    config
        Settings of its relaxations.
    scratch
        Folder of the state of an interrupted run, which continues from it; None to keep nothing.

    Returns
    -------
    Energies for each kind of input, and the sheets that it relaxed.
    """
    results = energies_by_model(lattice, table.orderings, potential, config, scratch=scratch)
    total_energies = {
        "ideal": _evaluate_energies(potential, table.orderings),
        "self": energies_on_lattice(lattice, results, max_distance=config.max_distance),
        "dft": _evaluate_energies(potential, table.relaxed),
    }
    return ForceFieldEnergies(
        {key: relative_to_end_members(table, energies) for key, energies in total_energies.items()},
        [_without_labels(result.relaxed) for result in results],
    )


def _evaluate_energies(potential: Potential, sheets: Sequence[Atoms]) -> FloatArray:
    predictions = potential.evaluate(list(sheets), stress=False)
    return np.array([prediction.energy for prediction in predictions])


def _without_labels(sheet: Atoms) -> Atoms:
    return Atoms(sheet.symbols, positions=sheet.positions, cell=sheet.cell, pbc=True)


def write_force_field_energies(folder: Path, energies: ForceFieldEnergies) -> None:
    """Write formation energies of a force field to a cache.

    Parameters
    ----------
    folder
        Folder of the cache.
    energies
        What is written.
    """
    write_frames(folder / "relaxed.extxyz", energies.relaxed)
    write_arrays(folder / "energies.npz", dict(energies.energies))


def read_force_field_energies(folder: Path) -> ForceFieldEnergies | None:
    """Read formation energies of a force field from a cache.

    Parameters
    ----------
    folder
        Folder of the cache.

    Returns
    -------
    The energies; None if there are none.
    """
    path = folder / "energies.npz"
    if not path.is_file():
        return None
    with np.load(path) as stored:
        energies = {key: np.asarray(stored[key]) for key in INPUTS}
    return ForceFieldEnergies(energies, read(folder / "relaxed.extxyz", ":"))
