"""The second derivatives from which a quasi-Newton relaxation starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.data import covalent_radii
from ase.filters import UnitCellFilter
from ase.neighborlist import neighbor_list

from flatforce.models import load
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import Relaxation
from flatforce.properties.spring_hessian import (
    DECAY,
    MAX_LENGTH,
    MIN_CURVATURE,
    STIFFNESS,
    TRANSVERSE,
    spring_hessian,
)
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

STEP = 1e-4
"""Å, displacement of the differences."""


def spring_energy(start: Atoms, moved: Atoms) -> float:
    """Energy of springs that are at rest in the start; each pair is listed twice."""
    radii = covalent_radii[start.numbers]
    first, second, lengths, vectors, images = neighbor_list(
        "ijdDS", start, MAX_LENGTH * 2 * float(radii.max())
    )
    sums = radii[first] + radii[second]
    near = lengths < MAX_LENGTH * sums
    now = moved.positions[second] - moved.positions[first] + images @ moved.cell.array
    stiffness = STIFFNESS / sums**2 * np.exp(-DECAY * (lengths / sums - 1))
    along = (1 - TRANSVERSE) * (np.linalg.norm(now, axis=1) - lengths) ** 2
    across = TRANSVERSE * ((now - vectors) ** 2).sum(axis=1)
    return float((stiffness * (along + across))[near].sum() / 4)


def test_it_is_the_second_derivative_of_springs_in_the_coordinates_of_the_filter(unit: Atoms) -> None:
    sheet = rattle_positions(unit, amplitude=0.05, rng=np.random.default_rng(3))
    hessian = spring_hessian(sheet, relax_cell=True)
    n_atoms = len(sheet)
    in_plane = [*range(3 * n_atoms), *(3 * n_atoms + 3 * i + j for i in range(2) for j in range(2))]

    def energy(displacement: FloatArray) -> float:
        moved = sheet.copy()
        coordinates = UnitCellFilter(moved)
        coordinates.set_positions(coordinates.get_positions() + displacement.reshape(-1, 3))
        return spring_energy(sheet, moved)

    rng = np.random.default_rng(4)
    for _ in range(6):
        direction = np.zeros(3 * n_atoms + 9)
        direction[in_plane] = rng.normal(size=len(in_plane))
        curvature = (energy(STEP * direction) + energy(-STEP * direction)) / STEP**2
        expected = direction @ hessian @ direction - MIN_CURVATURE * direction @ direction
        assert curvature > MIN_CURVATURE
        assert curvature == pytest.approx(expected, rel=1e-4)


def test_strains_out_of_the_plane_are_coupled_to_nothing(unit: Atoms) -> None:
    hessian = spring_hessian(unit, relax_cell=True)
    for component in (2, 5, 6, 7, 8):
        row = hessian[9 + component].copy()
        row[9 + component] -= MIN_CURVATURE
        assert not row.any()
    assert spring_hessian(unit, relax_cell=False) == pytest.approx(hessian[:9, :9])
    assert np.linalg.eigvalsh(hessian).min() >= MIN_CURVATURE - 1e-9


def test_a_supercell_is_as_soft_as_its_primitive_cell(unit: Atoms) -> None:
    """The same strain costs the same energy per atom, also where atoms interact with their own images."""
    strain = np.zeros(18)
    strain[9] = strain[13] = 1.0  # in units of the number of atoms
    primitive = strain @ spring_hessian(unit, relax_cell=True) @ strain - 2 * MIN_CURVATURE
    double = np.zeros(27)
    double[18] = double[22] = 1.0
    supercell = double @ spring_hessian(unit.repeat((2, 1, 1)), relax_cell=True) @ double - 2 * MIN_CURVATURE
    assert 6 * supercell == pytest.approx(3 * primitive)


def test_it_saves_most_of_the_steps(unit: Atoms) -> None:
    wse2 = load("mace:wse2-pbe", device="cpu")
    sheet = rattle_positions(
        apply_strain(unit, xx=0.03, yy=-0.01), amplitude=0.05, rng=np.random.default_rng(5)
    )
    results = {}
    for name in ("FIRE", "BFGS"):
        settings = {"optimizer": name, "max_force": 0.005, "max_stress": 0.02}
        (results[name],) = relax_many(wse2, [sheet], RelaxConfig.parse(settings))
    fire, bfgs = results["FIRE"], results["BFGS"]
    assert isinstance(fire, Relaxation)
    assert isinstance(bfgs, Relaxation)
    assert fire.converged
    assert bfgs.converged
    assert 4 * bfgs.n_steps < fire.n_steps
    assert bfgs.energy == pytest.approx(fire.energy, abs=2e-5)
