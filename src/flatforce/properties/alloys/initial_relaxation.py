"""Initial relaxation by a force field, with second derivatives, from which DFT needs few steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.filters import FrechetCellFilter

from flatforce.core.files import write_arrays
from flatforce.core.hashing import hash_file, hash_structure, hash_value
from flatforce.models.calculator import SheetCalculator
from flatforce.models.spec import kind_of, model_files
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.structures.sheet import IN_PLANE

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.reference.config import LabelRelaxation

MIN_CURVATURE = 6.0
"""Least curvature along any direction, in eV/Å². Softer directions, such as rigid shifts and unstable modes, are treated as
if they were this stiff."""

STEP = 0.01
"""Displacement of the central differences that give the second derivatives, in Å."""

MAX_STEPS = 300
"""Largest number of steps; a sheet that fails to relax starts where it is."""


def relax_initially(
    sheet: Atoms, potential: Potential, target: LabelRelaxation, *, folder: Path
) -> tuple[Atoms, FloatArray]:
    """Relax a sheet with a force field; the result is cached, so that a resumed run starts from the same numbers.

    Parameters
    ----------
    sheet
        A sheet with three periodic axes.
    potential
        The force field.
    target
        Convergence criteria of the relaxation by labels.
    folder
        Folder of the cache.

    Returns
    -------
    The relaxed sheet, and its (d, d) second derivatives in eV/Å²: in the coordinates of ASE's `FrechetCellFilter`, or in
    the positions if the cell is fixed. Every direction is at least as stiff as `MIN_CURVATURE`.
    """
    files = [hash_file(path) for path in model_files(potential.spec)] or [potential.spec]
    key = hash_value([hash_structure(sheet), kind_of(potential.spec), files, target.model_dump(mode="json")])
    cached = folder / "initial" / f"{key}.npz"
    if not cached.is_file():
        settings = RelaxConfig(
            max_force=target.max_force,
            max_stress=target.max_stress,
            max_steps=MAX_STEPS,
            relax_cell=target.relax_cell,
        )
        (relaxation,) = relax_many(potential, [sheet], settings)
        start = sheet.copy()
        if not isinstance(relaxation, FailedRelaxation):
            start.set_cell([*relaxation.atoms.cell.array[:2].tolist(), sheet.cell.array[2].tolist()])
            start.positions = relaxation.atoms.positions
            start.positions[:, 2] += sheet.positions[:, 2].mean() - start.positions[:, 2].mean()
        curvature = _second_derivatives(start, potential, relax_cell=target.relax_cell)
        write_arrays(cached, {"positions": start.positions, "cell": start.cell.array, "curvature": curvature})
    with np.load(cached) as stored:
        start = sheet.copy()
        start.set_cell(stored["cell"])
        start.positions = stored["positions"]
        return start, np.asarray(stored["curvature"])


def _second_derivatives(sheet: Atoms, potential: Potential, *, relax_cell: bool) -> FloatArray:
    """Return (d, d) second derivatives in eV/Å², with eigenvalues of at least `MIN_CURVATURE`."""
    atoms = sheet.copy()
    atoms.calc = SheetCalculator(potential)
    coordinates = FrechetCellFilter(atoms, mask=list(IN_PLANE)) if relax_cell else atoms
    start = np.array(coordinates.get_positions())
    rows = []
    for component in np.ndindex(start.shape):
        forces = []
        for sign in (1.0, -1.0):
            displaced = start.copy()
            displaced[component] += sign * STEP
            coordinates.set_positions(displaced)
            forces.append(np.array(coordinates.get_forces()).ravel())
        rows.append((forces[1] - forces[0]) / (2 * STEP))
    matrix = (np.array(rows) + np.array(rows).T) / 2
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(np.abs(values), MIN_CURVATURE)) @ vectors.T)
