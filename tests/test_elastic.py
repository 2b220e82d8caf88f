"""Elastic constants against analytic springs, energies, symmetry and phonons; bending against tubes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

import flatforce as ff
from flatforce.core.errors import GeometryError
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models import Potential
from flatforce.properties.elasticity.config import ElasticConfig
from flatforce.properties.elasticity.result import Elasticity
from flatforce.properties.elasticity.run import elastic_constants
from flatforce.properties.elasticity.stiffness import (
    christoffel_velocities,
    deformation,
    moduli_by_direction,
    second_piola_kirchhoff,
)
from flatforce.properties.elasticity.tubes import fit_rigidity, rectangular_vectors, roll_up
from flatforce.structures.sheet import area
from flatforce.structures.strain import apply_strain

SIGMA, EPSILON = 2.5, 0.4
LENNARD_JONES = (
    f"ase:ase.calculators.lj:LennardJones?sigma={SIGMA}&epsilon={EPSILON}&rc=4.0&cutoff=4.0&elements=Cu"
)
"""Nearest neighbours alone: the second ones of the relaxed layer are 4.86 Å away."""

STIFF = ElasticConfig(bending="none", strain=0.004, nonlinear=True)


def triangular(a: float) -> Atoms:
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 20]]
    return Atoms("Cu", positions=[[0, 0, 10]], cell=cell, pbc=True)


@pytest.fixture(scope="module")
def layer() -> Atoms:
    return triangular(2 ** (1 / 6) * SIGMA)


@pytest.fixture(scope="module")
def pairs() -> Potential:
    return ff.load(LENNARD_JONES)


@pytest.fixture(scope="module")
def of_layer(pairs: Potential, layer: Atoms, tmp_path_factory: pytest.TempPathFactory) -> Elasticity:
    return elastic_constants(pairs, layer, STIFF, scratch=tmp_path_factory.mktemp("layer"))


@pytest.fixture(scope="module")
def wse2() -> Atoms:
    return ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True, max_stress=0.002).atoms


@pytest.fixture(scope="module")
def of_wse2(wse2: Atoms) -> Any:
    return ff.elastic("mace:wse2-pbe", wse2, bending="none", nonlinear=True)


def test_triangular_springs_have_their_analytic_constants(of_layer: Elasticity) -> None:
    spring = 72 * EPSILON / (2 ** (1 / 3) * SIGMA**2)  # eV/Å², second derivative at the minimum
    shear = np.sqrt(3) / 4 * spring * EV_PER_A2_IN_N_PER_M  # Lamé constants λ = μ = √3 k / 4
    expected = shear * np.array([[3, 1, 0], [1, 3, 0], [0, 0, 1]])
    assert shear > 10
    np.testing.assert_allclose(of_layer.stiffness, expected, atol=2e-4 * shear)
    np.testing.assert_allclose(of_layer.clamped, expected, atol=2e-4 * shear)  # one atom: nothing relaxes
    assert of_layer.metrics["youngs_modulus_x"] == pytest.approx(8 / 3 * shear, rel=1e-3)
    assert of_layer.metrics["poisson_ratio_xy"] == pytest.approx(1 / 3, abs=1e-3)


def test_constants_are_derivatives_of_the_energy(
    of_layer: Elasticity, pairs: Potential, layer: Atoms
) -> None:
    step = 0.006

    def energy(strain: float) -> float:
        gradient = deformation("xx", strain)
        cell = apply_strain(layer, xx=gradient[0, 0] - 1, yy=gradient[1, 1] - 1)
        return float(pairs.evaluate(cell).energy / area(layer) * EV_PER_A2_IN_N_PER_M)

    values = {k: energy(k * step) for k in range(-3, 4)}
    second = (values[1] - 2 * values[0] + values[-1]) / step**2
    third = (
        (values[-3] - values[3]) / 8 + (values[2] - values[-2]) - 13 / 8 * (values[1] - values[-1])
    ) / step**3
    assert of_layer.stiffness[0, 0] == pytest.approx(second, rel=2e-3)
    assert third < -5 * second  # bonds soften
    assert of_layer.third_order["C111"] == pytest.approx(third, rel=5e-3)


def test_stress_of_a_rotated_deformation_is_the_same() -> None:
    """The second Piola–Kirchhoff stress does not know of rotations: F → R F, σ → R σ Rᵀ."""
    stress = np.array([[1.0, 0.3], [0.3, -0.5]])
    gradient = deformation("xy", 0.05) @ deformation("xx", 0.02)
    angle = 0.4
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = second_piola_kirchhoff(rotation @ stress @ rotation.T, rotation @ gradient)
    np.testing.assert_allclose(turned, second_piola_kirchhoff(stress, gradient), atol=1e-12)
    assert not np.allclose(turned, [1.0, -0.5, 0.3], atol=0.02)


@pytest.mark.parametrize(("pattern", "index"), [("xx", (0, 0)), ("yy", (1, 1)), ("xy", (0, 1))])
def test_deformation_has_the_strain_that_was_asked_for(pattern: str, index: tuple[int, int]) -> None:
    gradient = deformation(pattern, 0.06)
    strain = (gradient.T @ gradient - np.eye(2)) / 2
    expected = np.zeros((2, 2))
    expected[index] = expected[index[::-1]] = 0.03 if pattern == "xy" else 0.06
    np.testing.assert_allclose(strain, expected, atol=1e-14)
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-14)  # no rotation


def test_hexagonal_sheet_is_isotropic_in_its_plane(of_wse2: Any) -> None:
    stiffness = of_wse2.stiffness
    assert stiffness[1, 1] == pytest.approx(stiffness[0, 0], rel=1e-3)
    assert stiffness[2, 2] == pytest.approx((stiffness[0, 0] - stiffness[0, 1]) / 2, rel=2e-3)
    assert np.abs(stiffness[:2, 2]).max() < 0.05
    assert np.ptp(of_wse2.youngs_modulus) < 0.3
    clamped = of_wse2.clamped_stiffness
    assert clamped[2, 2] == pytest.approx((clamped[0, 0] - clamped[0, 1]) / 2, rel=2e-3)
    assert np.linalg.eigvalsh(clamped - stiffness).min() > 1.0  # ions that relax can only soften a sheet


def test_third_order_constants_of_a_hexagonal_sheet_obey_their_relation(of_wse2: Any) -> None:
    constants = of_wse2.metrics
    expected = constants["C111"] - constants["C222"] + constants["C112"]
    assert constants["C111"] < -1000
    assert abs(constants["C111"] - constants["C222"]) > 100  # x and y differ to this order
    assert constants["C122"] == pytest.approx(expected, abs=10)


@pytest.mark.slow
def test_sound_of_strains_is_that_of_phonons(wse2: Atoms) -> None:
    of_wse2: Any = ff.elastic("mace:wse2-pbe", wse2, supercell=(6, 6))
    assert of_wse2.metrics["velocity_la"] > 1.4 * of_wse2.metrics["velocity_ta"]
    assert of_wse2.metrics["velocity_difference"] < 0.01
    assert of_wse2.metrics["bending_rigidity_x"] == pytest.approx(
        of_wse2.metrics["bending_rigidity_y"], rel=0.01
    )


def test_moduli_follow_the_crystal_when_it_is_turned() -> None:
    stiffness = np.array([[100.0, 20.0, 0.0], [20.0, 50.0, 0.0], [0.0, 0.0, 25.0]])
    angle = np.radians(25.0)
    c, s = np.cos(angle), np.sin(angle)
    # the strain along the turned axes, engineering shear
    transform = np.array(
        [[c * c, s * s, c * s], [s * s, c * c, -c * s], [-2 * c * s, 2 * c * s, c * c - s * s]]
    )
    turned = transform.T @ stiffness @ transform
    first = moduli_by_direction(stiffness, np.array([0.0, 0.7]))
    second = moduli_by_direction(turned, np.array([0.0, 0.7]) + angle)
    np.testing.assert_allclose(second, first, rtol=1e-12)
    assert abs(first[0][0] - first[0][1]) > 10
    waves = christoffel_velocities(stiffness, 1e-6, np.array([1.0, 0.0]))
    np.testing.assert_allclose(waves, np.sqrt([25.0 / 1e-6, 100.0 / 1e-6]))


def test_unstable_layer_says_so(pairs: Potential, tmp_path: Path) -> None:
    """Bonds that are longer than the inflection point of their energy pull less when they are stretched."""
    stretched = triangular(1.32 * SIGMA)  # the inflection is at 1.24 σ
    result = elastic_constants(pairs, stretched, ElasticConfig(bending="none"), scratch=tmp_path)
    assert result.min_stiffness < 0
    assert "unstable" in result.problems[0]
    assert "youngs_modulus_x" not in result.metrics
    assert "membrane stress" in result.notes[0]


def test_tube_keeps_the_lengths_of_its_middle_surface(wse2: Atoms) -> None:
    tube = roll_up(wse2, 30.0, around=1, vacuum=8.0)
    assert tube.n_cells * len(wse2) == len(tube.atoms)
    middle = tube.atoms[tube.atoms.symbols == "W"]
    radii = np.linalg.norm(middle.positions[:, 1:] - middle.positions[:, 1:].mean(axis=0), axis=1)
    np.testing.assert_allclose(radii, tube.radius, rtol=1e-9)
    shortest = np.sort(middle.get_all_distances(mic=True) + 1e3 * np.eye(len(middle)), axis=1)[:, 0]
    assert 0 < wse2.cell.lengths()[0] - shortest.min() < 0.02  # chords are a little shorter than arcs
    assert abs(tube.radius - 30.0) < wse2.cell.lengths()[0]
    inner = roll_up(wse2, 30.0, around=1, inward=True, vacuum=8.0)
    assert not np.allclose(inner.atoms.positions, tube.atoms.positions)


def test_rectangle_of_any_cell(wse2: Atoms) -> None:
    vectors = rectangular_vectors(wse2.cell.array)
    plane = vectors @ wse2.cell.array[:2, :2]
    assert abs(plane[0] @ plane[1]) < 1e-6
    assert round(np.linalg.det(vectors)) == 2
    skewed = wse2.copy()
    skewed.set_cell([[3.3, 0, 0], [0.31, 3.7, 0], [0, 0, 20]], scale_atoms=True)
    with pytest.raises(GeometryError, match="rectangular"):
        rectangular_vectors(skewed.cell.array)
    with pytest.raises(GeometryError, match="too narrow"):
        roll_up(wse2, 2.0, around=1, vacuum=8.0)


def test_fit_of_tubes_finds_rigidity_and_spontaneous_curvature() -> None:
    radii = np.array([12.0, 16.0, 22.0])
    kappa, curvature = 9.0, 0.004
    even = kappa / 2 / radii**2 + 30 / radii**4
    assert fit_rigidity(radii, even) == pytest.approx((kappa, 0.0))
    both, signs = np.tile(radii, 2), np.repeat([1.0, -1.0], 3)
    energies = np.tile(even, 2) - signs * kappa * curvature / both
    assert fit_rigidity(both, energies, signs=list(signs)) == pytest.approx((kappa, curvature))


@pytest.mark.slow
def test_bending_of_tubes_is_that_of_the_flexural_branch(wse2: Atoms) -> None:
    metrics = ff.elastic("mace:wse2-pbe", wse2, bending="both", supercell=(6, 6)).metrics
    assert metrics["bending_rigidity_tubes"] == pytest.approx(metrics["bending_rigidity_y"], rel=0.03)
    assert metrics["spontaneous_curvature"] == 0.0
