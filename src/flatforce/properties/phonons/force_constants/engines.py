"""Force constants of phonopy's supercell, by whichever engine is cheaper for the force field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from phonopy.harmonic.force_constants import compact_fc_to_full_fc

from flatforce.core.errors import ConfigError
from flatforce.core.progress import Progress, silent
from flatforce.models.dispersion import range_hint
from flatforce.properties.phonons.force_constants.finite_displacements import (
    SYMPREC,
    displaced_forces,
    to_ase,
)
from flatforce.properties.phonons.force_constants.local_rows import (
    LocalRows,
    force_constants_by_symmetry,
    irreducible_atoms,
    local_rows,
)
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import (
    SumRuleResiduals,
    enforce_sum_rules,
    sum_rule_residuals,
)
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.phonons.config import Engine


@dataclass(frozen=True)
class EngineReport:
    """How force constants were computed."""

    engine: str
    """The engine, and the reason for it."""
    residual_force: float
    """eV/Å, largest force component on the undisplaced supercell."""
    n_rows: int
    """Number of atoms whose rows were computed; symmetry gives the others."""
    n_displacements: int
    """Number of displaced supercells; 0 for rows."""
    row_check_difference: float | None
    """eV/Å², largest difference between a local row and the same row computed on the whole cell; None where no row was
    checked."""


def fill_force_constants(
    phonon: Phonopy,
    potential: Potential,
    *,
    engine: Engine,
    displacement: float,
    scratch: Path,
    progress: Progress = silent,
) -> EngineReport:
    """Compute all force constants of a supercell.

    Parameters
    ----------
    phonon
        The phonopy object; its force constants are set, for all pairs.
    potential
        The force field.
    engine
        How they are computed.
    displacement
        Å, length of finite displacements.
    scratch
        Folder of the parts computed so far; an interrupted run continues from it.
    progress
        Called after each part.

    Returns
    -------
    How the force constants were computed.

    Raises
    ------
    ConfigError
        If rows are requested of a force field whose interaction range is unknown.
    """
    forces = potential.evaluate([to_ase(phonon.supercell)], stress=False)[0].forces
    residual_force = float(np.abs(forces).max())
    if engine != "displacements":
        rows = _fill_by_rows(phonon, potential, scratch, progress)
        if rows is not None:
            description = f"rows of {len(rows.centres)} atoms: {rows.method}"
            return EngineReport(description, residual_force, len(rows.centres), 0, rows.check_difference)
        if engine == "rows":
            raise ConfigError(
                f"The interaction range of {potential.spec} is unknown.",
                why="rows of force constants are computed from the atoms within that range",
                fix=f"set engine: displacements, or {range_hint(potential.spec)}",
            )
    n_atoms, n_cells = _fill_by_displacements(phonon, potential, forces, displacement, scratch, progress)
    reason = (
        "as requested"
        if engine == "displacements"
        else f"the interaction range of {potential.spec} is unknown"
    )
    return EngineReport(f"{n_cells} finite displacements: {reason}", residual_force, n_atoms, n_cells, None)


def apply_sum_rules(
    phonon: Phonopy, *, enforce: bool, huang: bool
) -> tuple[SumRuleResiduals, SumRuleResiduals]:
    """Measure how well the sum rules hold, and enforce them.

    Parameters
    ----------
    phonon
        The phonopy object; its force constants, for all pairs, are replaced.
    enforce
        Whether the force constants are corrected.
    huang
        Whether the Huang conditions are among the rules.

    Returns
    -------
    Residuals of the rules before and after the correction.
    """
    dense = np.asarray(phonon.force_constants)
    constants = SparseForceConstants.from_dense(to_ase(phonon.supercell), dense)
    residuals_before = sum_rule_residuals(constants)
    if enforce:
        constants = enforce_sum_rules(constants, huang=huang)
        phonon.force_constants = constants.dense()
    return residuals_before, sum_rule_residuals(constants)


def _fill_by_rows(
    phonon: Phonopy, potential: Potential, scratch: Path, progress: Progress
) -> LocalRows | None:
    """Compute rows of one atom of each orbit; None if the interaction range is unknown."""
    cell = to_ase(phonon.supercell)
    if len(phonon.primitive) == len(cell):
        symmetry = find_symmetry(cell, symprec=SYMPREC)
        rows = local_rows(potential, cell, irreducible_atoms(symmetry), scratch=scratch, progress=progress)
        if rows is not None:
            phonon.force_constants = force_constants_by_symmetry(cell, rows, symmetry).dense()
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
    undisplaced_forces: FloatArray,
    displacement: float,
    scratch: Path,
    progress: Progress,
) -> tuple[int, int]:
    """Compute forces of displaced supercells; return how many atoms were displaced, in how many supercells."""
    phonon.generate_displacements(distance=displacement)
    cells = [to_ase(cell) for cell in phonon.supercells_with_displacements or [] if cell is not None]
    forces = displaced_forces(potential, cells, scratch=scratch, progress=progress)
    phonon.forces = forces - undisplaced_forces
    phonon.produce_force_constants(show_drift=False)
    displaced_atoms = {entry["number"] for entry in phonon.dataset["first_atoms"]}  # type: ignore[index,typeddict-item]  # set by generate_displacements
    return len(displaced_atoms), len(phonon.supercells_with_displacements or [])
