"""A force field's guess of a relaxed sheet and of its second derivatives, from which DFT needs few steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.filters import FrechetCellFilter

from flatforce.core.files import write_arrays
from flatforce.core.hashing import hash_file, hash_structure, hash_value
from flatforce.models.calculator import SheetCalculator
from flatforce.models.spec import model_files
from flatforce.properties.relax import relax_many
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.sheet import IN_PLANE

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.reference.relaxation import LabelRelaxation

LEAST_CURVATURE = 6.0
"""eV/Å². Directions that a force field finds softer than this are stepped along as if they were this stiff; rigid shifts
and sheets that it finds unstable are among them."""

STEP = 0.01
"""Å, of the central differences behind the curvature."""

MAX_STEPS = 300
"""Of the guess; what does not relax by then starts where it is."""


def guess_relaxed(
    sheet: Atoms, potential: Potential, target: LabelRelaxation, *, folder: Path
) -> tuple[Atoms, FloatArray]:
    """Relax a sheet with a force field; kept on disk, so that a run that goes on starts from the same numbers.

    Parameters
    ----------
    sheet
        A sheet with three periodic axes.
    potential
        The force field.
    target
        Where the relaxation by labels will end.
    folder
        Where guesses are kept.

    Returns
    -------
    The sheet, and (d, d) eV/Å², second derivatives in the coordinates of ASE's `FrechetCellFilter`, or of the positions
    if the cell is kept, every direction at least as stiff as `LEAST_CURVATURE`.
    """
    files = [hash_file(one) for one in model_files(potential.spec)] or [potential.spec]
    key = hash_value([hash_structure(sheet), files, target.model_dump(mode="json")])
    path = folder / "guesses" / f"{key}.npz"
    if not path.is_file():
        settings = RelaxConfig(
            max_force=target.max_force,
            max_stress=target.max_stress,
            max_steps=MAX_STEPS,
            relax_cell=target.relax_cell,
        )
        (found,) = relax_many(potential, [sheet], settings)
        start = sheet.copy()
        if not isinstance(found, FailedRelaxation):
            start.set_cell([*found.atoms.cell.array[:2].tolist(), sheet.cell.array[2].tolist()])
            start.positions = found.atoms.positions
            start.positions[:, 2] += sheet.positions[:, 2].mean() - start.positions[:, 2].mean()
        curvature = _curvature(start, potential, relax_cell=target.relax_cell)
        write_arrays(path, {"positions": start.positions, "cell": start.cell.array, "curvature": curvature})
    with np.load(path) as stored:
        start = sheet.copy()
        start.set_cell(stored["cell"])
        start.positions = stored["positions"]
        return start, np.asarray(stored["curvature"])


def _curvature(sheet: Atoms, potential: Potential, *, relax_cell: bool) -> FloatArray:
    atoms = sheet.copy()
    atoms.calc = SheetCalculator(potential)
    moving = FrechetCellFilter(atoms, mask=list(IN_PLANE)) if relax_cell else atoms
    start = np.array(moving.get_positions())
    rows = []
    for place in np.ndindex(start.shape):
        forces = []
        for sign in (1.0, -1.0):
            moved = start.copy()
            moved[place] += sign * STEP
            moving.set_positions(moved)
            forces.append(np.array(moving.get_forces()).ravel())
        rows.append((forces[1] - forces[0]) / (2 * STEP))
    matrix = (np.array(rows) + np.array(rows).T) / 2
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(np.abs(values), LEAST_CURVATURE)) @ vectors.T)
