"""Thermal expansion against modes with known Grüneisen parameters, a free energy, and elastic constants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from scipy.optimize import minimize_scalar

import flatforce as ff
from flatforce.core.arrays import FloatArray
from flatforce.core.errors import GeometryError
from flatforce.core.units import BOLTZMANN, EV_PER_A2_IN_N_PER_M, FREQUENCY_FACTOR, HBAR
from flatforce.properties.expansion.grueneisen import (
    area_shift,
    heat_capacity,
    linear_expansion,
    long_wave_rest,
    mean_energy,
    mode_parameters,
)
from flatforce.properties.expansion.run import has_isotropic_plane
from flatforce.structures.symmetry import find_symmetry

GAMMA = np.array([2.0, -1.5, 0.7])
FREQUENCY = np.array([3.0, 1.2, 8.0])  # THz
RIGIDITY = 40.0  # eV


@pytest.fixture(scope="module")
def rotation() -> FloatArray:
    matrix = np.random.default_rng(0).normal(size=(3, 3)) + 1j * np.random.default_rng(1).normal(size=(3, 3))
    return np.asarray(np.linalg.qr(matrix)[0])


def matrices(rotation: FloatArray, log_area: float) -> FloatArray:
    """Dynamical matrix of modes whose frequencies go as A^−γ."""
    squares = (FREQUENCY / FREQUENCY_FACTOR) ** 2 * np.exp(-2 * GAMMA * log_area)
    return np.asarray((rotation * squares) @ rotation.conj().T)[None]


def test_parameters_of_known_modes(rotation: FloatArray) -> None:
    step = 1e-4
    frequencies, parameters = mode_parameters(
        matrices(rotation, 0.0), matrices(rotation, step), matrices(rotation, -step), log_area=2 * step
    )
    order = np.argsort(FREQUENCY)
    np.testing.assert_allclose(frequencies[0], FREQUENCY[order], rtol=1e-9)
    np.testing.assert_allclose(parameters[0], GAMMA[order], rtol=1e-6)


def test_modes_without_stiffness_are_left_out() -> None:
    matrix = np.diag([0.0, 1.0, -0.5])[None]
    frequencies, parameters = mode_parameters(matrix, 1.01 * matrix, 0.99 * matrix, log_area=0.02)
    assert frequencies[0, 0] < 0
    assert np.isnan(parameters[0, :2]).all()
    assert parameters[0, 2] == pytest.approx(-0.5)


@pytest.mark.parametrize("temperature", [0.0, 80.0, 300.0])
def test_shift_minimises_the_free_energy(temperature: float) -> None:
    """To first order; the modes are those of a primitive cell, the elastic energy is quadratic in ln A."""

    def free_energy(log_area: float) -> float:
        quantum = HBAR * FREQUENCY * np.exp(-GAMMA * log_area) / FREQUENCY_FACTOR
        thermal = 0.0
        if temperature > 0:
            scale = BOLTZMANN * temperature
            thermal = float((scale * np.log1p(-np.exp(-quantum / scale))).sum())
        return RIGIDITY / 2 * log_area**2 + float(quantum.sum()) / 2 + thermal

    exact = minimize_scalar(free_energy, bounds=(-0.02, 0.02), method="bounded", options={"xatol": 1e-10}).x
    shift = area_shift(FREQUENCY[None], GAMMA[None], temperature=temperature, rigidity=RIGIDITY)
    assert abs(exact) > 1e-5
    assert np.log1p(shift) == pytest.approx(exact, rel=0.01)


def test_expansion_is_the_derivative_of_the_area() -> None:
    step = 0.5
    for temperature in (40.0, 300.0):
        later, earlier = (
            area_shift(FREQUENCY[None], GAMMA[None], temperature=temperature + sign * step, rigidity=RIGIDITY)
            for sign in (1, -1)
        )
        slope = (later - earlier) / (2 * step) / 2
        assert linear_expansion(
            FREQUENCY[None], GAMMA[None], temperature=temperature, rigidity=RIGIDITY
        ) == pytest.approx(slope, rel=1e-4)
    assert linear_expansion(FREQUENCY[None], GAMMA[None], temperature=0.0, rigidity=RIGIDITY) == 0


def test_quantum_modes_become_classical_when_hot() -> None:
    hot = 50_000.0
    np.testing.assert_allclose(
        mean_energy(FREQUENCY, hot), mean_energy(FREQUENCY, hot, classical=True), rtol=1e-4
    )
    np.testing.assert_allclose(heat_capacity(FREQUENCY, hot), BOLTZMANN, rtol=1e-4)
    assert heat_capacity(FREQUENCY, 5.0).max() < 0.01 * BOLTZMANN


def test_rest_of_the_long_waves_is_what_a_finer_mesh_adds() -> None:
    """Flexural waves of a free sheet, γ = −B/(2κq²), summed in a shell of wave numbers."""
    bending, modulus = 10.0, 5.0
    _, crossover = long_wave_rest(temperature=300.0, bending=bending, young=6.0, longest=0.05)
    rest, _ = long_wave_rest(temperature=300.0, bending=bending, young=6.0, longest=0.05)
    q = np.linspace(crossover, 0.05, 20001)
    density = q / (2 * np.pi)  # waves per area and wave number
    integrand = density * (-modulus / (2 * bending * q**2)) * BOLTZMANN / (2 * modulus)
    assert rest == pytest.approx(float(np.trapezoid(integrand, q)), rel=1e-5)
    assert rest < -1e-7
    assert long_wave_rest(temperature=300.0, bending=bending, young=6.0, longest=crossover / 2)[0] == 0


@pytest.fixture(scope="module")
def grown() -> Any:
    sheet = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True, max_stress=0.005).atoms
    return ff.expansion("mace:wse2-pbe", sheet, supercell=(4, 4), mesh=12, engine="displacements")


def test_expansion_of_wse2(grown: Any) -> None:
    """Negative at low temperature, where flexural waves alone are excited, then that of the literature (4 to 8e-6/K)."""
    assert grown.metrics["min_alpha"] < 0
    assert grown.metrics["min_alpha_temperature"] < 60
    assert 4e-6 < grown.metrics["alpha_300K"] < 8e-6
    assert grown.metrics["a_0K"] < grown.metrics["a_300K"]
    assert grown.metrics["area_modulus"] == pytest.approx(
        (121.55 + 24.15) / 2, rel=0.01
    )  # of `flatforce elastic`
    flexural = grown.grueneisen[:, 0]
    assert np.nanmin(flexural) < -2
    assert np.nanmedian(grown.grueneisen) > 0
    for name in grown.figures:
        grown.plot(name)


def test_a_supercell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="primitive"):
        ff.expansion(
            "mace:wse2-pbe", ff.monolayer("WSe2").repeat((2, 1, 1)), supercell=(3, 6), folder=tmp_path / "x"
        )


@pytest.mark.slow
def test_molecular_dynamics_has_the_tension_of_its_vibrations() -> None:
    """Two layers of atoms with a pair potential at 30 K: at constant area, the mean tension is −B ΔA/A of the waves in the cell."""
    bond = 2 ** (1 / 6) * 2.5
    lennard_jones = "ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon=0.4&rc=3.4&cutoff=3.4&elements=Cu"
    cell = [[bond, 0, 0], [-bond / 2, bond * np.sqrt(3) / 2, 0], [0, 0, 20]]
    above = [0, bond / np.sqrt(3), 8 + bond * np.sqrt(2 / 3)]
    layers = Atoms("Cu2", positions=[[0, 0, 8], above], cell=cell, pbc=True)
    model = ff.load(lennard_jones)
    sheet = ff.relax(model, layers, keep_symmetry=True, max_stress=1e-4, max_force=1e-4).atoms
    size, temperature = 4, 30.0
    harmonic = ff.expansion(model, sheet, supercell=(6, 6), mesh=4 * size, engine="displacements")
    counts = harmonic.arrays["qpoints"] * size
    fits = np.abs(counts - np.round(counts)).max(axis=1) < 1e-9
    assert fits.sum() == size**2
    modulus = harmonic.metrics["area_modulus"]
    assert modulus is not None
    surface = abs(float(np.linalg.det(sheet.cell.array[:2, :2])))
    shift = area_shift(
        harmonic.arrays["mode_frequency"][fits],
        harmonic.arrays["grueneisen"][fits],
        temperature=temperature,
        rigidity=modulus / EV_PER_A2_IN_N_PER_M * surface,
        classical=True,
    )
    run = ff.md(
        model,
        sheet,
        supercell=(size, size),
        strain={"xx": 1e-9},  # the stress is computed
        temperatures=[temperature],
        time_step=4.0,
        steps=2500,
        equilibration=500,
        sampling_interval=5,
    )
    tension = run.arrays["tension_30K_1"]
    error = np.std([block.mean() for block in np.array_split(tension, 8)], ddof=1) / np.sqrt(8)
    assert abs(shift * modulus) > 20 * error
    assert tension.mean() == pytest.approx(-shift * modulus, abs=4 * error)


def test_a_sheet_that_is_not_isotropic_is_refused() -> None:
    stretched = ff.monolayer("WSe2")
    stretched.set_cell(stretched.cell.array * [1.02, 1.0, 1.0], scale_atoms=True)
    assert not has_isotropic_plane(find_symmetry(stretched).rotations)
    assert has_isotropic_plane(find_symmetry(ff.monolayer("WSe2")).rotations)
    with pytest.raises(GeometryError, match="isotropic"):
        ff.expansion("mace:wse2-pbe", stretched)
