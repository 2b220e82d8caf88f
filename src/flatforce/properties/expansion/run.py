"""Quasi-harmonic thermal expansion: force constants of the sheet, stretched and compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import GeometryError, ModelError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models.slab import pad_vacuum
from flatforce.properties.elasticity.bending import flexural_rigidity
from flatforce.properties.expansion.grueneisen import mode_parameters
from flatforce.properties.expansion.result import Expansion
from flatforce.properties.phonons.force_constants.engines import apply_sum_rules, fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import (
    check_supercell,
    make_phonopy,
    to_ase,
)
from flatforce.properties.phonons.pristine import mesh_points
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.sheet import area
from flatforce.structures.strain import apply_strain
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.properties.expansion.config import ExpansionConfig

TEMPERATURE_STEP: Final = 10.0
"""K."""


def thermal_expansion(
    potential: Potential,
    atoms: Atoms,
    config: ExpansionConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Expansion:
    """Compute lattice constant and thermal expansion against temperature.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A relaxed primitive cell.
    config
        Settings.
    scratch
        Folder of the force constants computed so far; an interrupted run goes on from it.
    progress
        Called after each row or chunk of displacements.

    Returns
    -------
    Lattice constant, expansion, and Grüneisen parameters by mode.

    Raises
    ------
    GeometryError
        If the structure is not a primitive cell.
    ModelError
        If the force field gives no stress.
    """
    sheet = pad_vacuum(atoms, potential.cutoff)
    symmetry = find_symmetry(sheet, symprec=RELAXED_SYMPREC)
    if symmetry.pure_translations > 1:
        raise GeometryError(
            "The structure is not a primitive cell.",
            why="the modes of a supercell are counted more than once",
            fix="pass the primitive cell, and choose the supercell with --supercell N M",
        )
    if not has_isotropic_plane(symmetry.rotations):
        raise GeometryError(
            "The sheet is not isotropic in its plane.",
            why="one area modulus and one expansion belong to a sheet with a rotation axis of 60, 90 or 120 degrees",
            fix="run molecular dynamics at constant tension: flatforce md --ensemble npt",
        )
    settings = RelaxConfig(
        max_force=config.max_force, max_steps=config.max_steps, relax_cell=False, optimizer="LBFGS"
    )
    cells, tensions = [], []
    for strain in (0.0, config.strain, -config.strain):
        run = relax(potential, apply_strain(sheet, xx=strain, yy=strain), settings)
        if not run.converged:
            raise ModelError(
                f"The ions did not relax at a strain of {strain:+.3f}.",
                why=f"the largest force is {run.max_force:.2g} eV/Å after {run.n_steps} steps",
                fix="raise max_force, or lower strain",
            )
        if not np.isfinite(run.membrane_stress).all():
            raise ModelError(
                "The force field gives no stress.",
                why="the area modulus is a derivative of the stress",
                fix="use a force field with stresses",
            )
        cells.append(run.atoms)
        tensions.append(float(np.trace(run.membrane_stress)) / 2 / EV_PER_A2_IN_N_PER_M)
    phonons = [
        _force_constants(potential, cell, config, scratch=scratch / name, progress=progress)
        for cell, name in zip(cells, ("relaxed", "stretched", "compressed"), strict=True)
    ]
    points = _mesh(np.asarray(phonons[0].primitive.cell), config.mesh)
    matrices = [_matrices(phonon, points) for phonon in phonons]
    log_area = float(np.log(area(cells[1]) / area(cells[2])))
    frequencies, parameters = mode_parameters(*matrices, log_area=log_area)
    modulus = (tensions[1] - tensions[2]) / log_area
    reciprocal = np.linalg.inv(cells[0].cell.array[:2, :2]).T * 2 * np.pi
    return Expansion(
        frequencies=frequencies,
        parameters=parameters,
        points=points,
        wave_numbers=np.linalg.norm(_nearest(points[:, :2]) @ reciprocal, axis=1),
        lattice=cells[0].cell.lengths()[:2],
        area=area(cells[0]),
        modulus=modulus,
        bending=flexural_rigidity(phonons[0], cells[0]),
        residual_tension=tensions[0] * EV_PER_A2_IN_N_PER_M,
        temperatures=np.arange(0.0, config.t_max + TEMPERATURE_STEP / 2, TEMPERATURE_STEP),
    )


def has_isotropic_plane(rotations: IntArray) -> bool:
    """Tell whether second-rank properties of a sheet are the same in all directions of its plane.

    Parameters
    ----------
    rotations
        (n, 3, 3) operations of its space group in units of the lattice vectors.

    Returns
    -------
    True if one of them rotates the plane by 60, 90 or 120 degrees, whether or not it exchanges the faces.
    """
    plane = rotations[:, :2, :2]
    determinant = plane[:, 0, 0] * plane[:, 1, 1] - plane[:, 0, 1] * plane[:, 1, 0]
    trace = plane[:, 0, 0] + plane[:, 1, 1]
    return bool(((determinant == 1) & (np.abs(trace) <= 1)).any())


def _force_constants(
    potential: Potential, cell: Atoms, config: ExpansionConfig, *, scratch: Path, progress: Progress
) -> Phonopy:
    phonon = make_phonopy(cell, config.supercell)
    check_supercell(to_ase(phonon.supercell), potential.cutoff)
    fill_force_constants(
        phonon,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    apply_sum_rules(phonon, enforce=True, huang=scratch.name == "relaxed")
    return phonon


def _mesh(cell: FloatArray, count: int) -> FloatArray:
    """(Q, 3) q points of a Γ-centred mesh, in units of the reciprocal lattice vectors."""
    first, second = mesh_points(cell, count)
    return np.array([(i / first, j / second, 0.0) for i in range(first) for j in range(second)])


def _nearest(points: FloatArray) -> FloatArray:
    """Bring q points close to Γ; of a skewed zone, the shortest image may be another, which only rounds a cut-off."""
    return np.asarray(points - np.round(points))


def _matrices(phonon: Phonopy, points: FloatArray) -> FloatArray:
    solution = phonon.run_qpoints(points, with_dynamical_matrices=True)
    return np.asarray(solution.dynamical_matrices)
