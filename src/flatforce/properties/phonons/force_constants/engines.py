"""Force constants of phonopy's supercell by the engine that is cheapest for the force field at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from phonopy.harmonic.force_constants import compact_fc_to_full_fc

from flatforce.core.errors import ConfigError
from flatforce.core.progress import Progress, silent
from flatforce.properties.phonons.force_constants.local_rows import Rows, irreducible, local_rows, spread_by_symmetry
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import Residuals, enforce_sum_rules, residuals
from flatforce.properties.phonons.force_constants.finite_displacements import SYMPREC, displaced_forces, to_ase
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

Engine: TypeAlias = Literal["auto", "rows", "displacements"]
"""Local rows, finite displacements of the whole cell, or rows where the reach of the force field is known."""


@dataclass(frozen=True)
class Filled:
    """How force constants were obtained."""

    engine: str
    """Which, and why."""
    force_at_rest: float
    """eV/Å, largest force on the undisplaced supercell."""
    n_rows: int
    """Atoms whose rows were computed; symmetry gives the others."""
    n_displacements: int
    """Displaced supercells; 0 for rows."""
    difference: float | None
    """eV/Å², largest difference of a local row from the same computed on the whole cell."""


def fill_force_constants(
    phonon: Phonopy,
    potential: Potential,
    *,
    engine: Engine,
    displacement: float,
    scratch: Path,
    progress: Progress = silent,
) -> Filled:
    """Compute all force constants of a supercell.

    Parameters
    ----------
    phonon
        The phonopy object; its force constants are set, all pairs.
    potential
        The force field.
    engine
        Which way.
    displacement
        Å, of finite displacements.
    scratch
        Folder of what has been computed so far; a killed run goes on from it.
    progress
        Told after each part.

    Returns
    -------
    How it was done.

    Raises
    ------
    ConfigError
        If rows are asked of a force field whose reach is not known.
    """
    forces = potential.evaluate([to_ase(phonon.supercell)], stress=False)[0].forces
    at_rest = float(np.abs(forces).max())
    if engine != "displacements":
        rows = _fill_by_rows(phonon, potential, scratch, progress)
        if rows is not None:
            why = f"rows of {len(rows.centres)} atoms: {rows.how}"
            return Filled(why, at_rest, len(rows.centres), 0, rows.largest_difference)
        if engine == "rows":
            raise ConfigError(
                f"The reach of {potential.spec} is not known.",
                fix="set engine: displacements, or tell the cutoff",
            )
    _fill_by_displacements(phonon, potential, forces, displacement, scratch, progress)
    moved = {one["number"] for one in phonon.dataset["first_atoms"]}  # type: ignore[index,typeddict-item]  # set by generate_displacements
    count = len(phonon.supercells_with_displacements or [])
    why = "as asked" if engine == "displacements" else f"the reach of {potential.spec} is not known"
    return Filled(f"{count} finite displacements: {why}", at_rest, len(moved), count, None)


def apply_rules(phonon: Phonopy, *, enforce: bool, huang: bool) -> tuple[Residuals, Residuals]:
    """Measure how well the sum rules hold, and enforce them.

    Parameters
    ----------
    phonon
        The phonopy object; its force constants, all pairs, are replaced.
    enforce
        Whether they are corrected.
    huang
        Whether the Huang conditions are among the rules.

    Returns
    -------
    Residuals before and after.
    """
    dense = np.asarray(phonon.force_constants)
    constants = SparseForceConstants.from_dense(to_ase(phonon.supercell), dense)
    raw = residuals(constants)
    if enforce:
        constants = enforce_sum_rules(constants, huang=huang)
        phonon.force_constants = constants.dense()
    return raw, residuals(constants)


def _fill_by_rows(phonon: Phonopy, potential: Potential, scratch: Path, progress: Progress) -> Rows | None:
    cell = to_ase(phonon.supercell)
    if len(phonon.primitive) == len(cell):
        symmetry = find_symmetry(cell, symprec=SYMPREC)
        rows = local_rows(potential, cell, irreducible(symmetry), scratch=scratch, progress=progress)
        if rows is not None:
            phonon.force_constants = spread_by_symmetry(cell, rows, symmetry).dense()
        return rows
    centres = [int(i) for i in phonon.primitive.p2s_map]
    rows = local_rows(potential, cell, centres, scratch=scratch, progress=progress)
    if rows is not None:
        compact = np.zeros((len(centres), len(cell), 3, 3))
        for k, (members, blocks) in enumerate(zip(rows.atoms, rows.blocks, strict=True)):
            compact[k, members] = blocks
        phonon.force_constants = compact_fc_to_full_fc(phonon.primitive, compact)
    return rows


def _fill_by_displacements(
    phonon: Phonopy,
    potential: Potential,
    at_rest: FloatArray,
    displacement: float,
    scratch: Path,
    progress: Progress,
) -> None:
    phonon.generate_displacements(distance=displacement)
    cells = [to_ase(one) for one in phonon.supercells_with_displacements or [] if one is not None]
    phonon.forces = displaced_forces(potential, cells, scratch=scratch, progress=progress) - at_rest
    phonon.produce_force_constants(show_drift=False)
