"""Defect against pristine: counting rules, matched sites, localisation that degeneracy cannot fool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.models import Potential
from flatforce.properties.phonons.defect import DefectPhononConfig, DefectPhonons, defect_phonons
from flatforce.properties.phonons.finite_size import SizeSpectrum, finite_size
from flatforce.properties.phonons.localisation import localised_modes
from flatforce.properties.phonons.spectra import ModeSet, gaussian_dos, shell_of, site_weights
from flatforce.properties.relax import RelaxConfig

THREE = (3, 3)


@pytest.fixture(scope="module")
def vacancy(potential: Potential, tmp_path_factory: pytest.TempPathFactory) -> DefectPhonons:
    """V_Se in 3×3 with random weights and hardly a relaxation: the counting rules hold all the same."""
    from flatforce.structures.prototypes import monolayer

    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    calm = RelaxConfig(relax_cell=False, max_steps=1)
    config = DefectPhononConfig(
        supercell=THREE, relaxation=calm, mesh=3, points_per_segment=3, shells=[3.0, 4.5]
    )
    scratch = tmp_path_factory.mktemp("forces")
    return defect_phonons(potential, unit, "v_Se", config, scratch=scratch)


def test_a_vacancy_removes_three_states(vacancy: DefectPhonons) -> None:
    assert vacancy.removed_states == pytest.approx(-3, abs=1e-3)
    assert vacancy.metrics["matched_site_difference"] == pytest.approx(0, abs=1e-3)
    assert np.abs(vacancy.site_difference).max() > 0.1
    assert vacancy.point_group == "3m"


def test_shells_and_elements_add_up_to_the_dos(vacancy: DefectPhonons) -> None:
    np.testing.assert_allclose(vacancy.shell_dos.sum(axis=1), vacancy.dos, atol=1e-9)
    by_element = sum(vacancy.element_dos.values())
    np.testing.assert_allclose(by_element, vacancy.dos, atol=1e-9)
    pristine, defect = vacancy.shell_sites
    assert pristine.sum() - defect.sum() == 1
    assert pristine[0] - defect[0] == 1  # the vacant site is the innermost of all
    np.testing.assert_array_equal(pristine[1:], defect[1:])


def test_symmetry_saves_displacements_and_rules_hold(vacancy: DefectPhonons) -> None:
    assert vacancy.n_displacements < 6 * len(vacancy.relaxed) / 3
    assert vacancy.left_residuals.translation < 1e-10
    assert vacancy.left_residuals.rotation < 1e-8
    assert vacancy.raw_residuals.rotation > 1e-4


def test_localisation_does_not_depend_on_the_basis_of_a_degenerate_set() -> None:
    """Two modes on two atoms, degenerate: any rotation of the pair says the same."""
    vectors = np.eye(9)[None].astype(complex)
    frequencies = np.array([[1.0, 1.0, 2, 3, 4, 5, 6, 7, 8]])
    shells = np.array([0, 1, 1])
    said = []
    for angle in (0.0, 0.6):
        turned = vectors.copy()
        mixed = np.zeros((9, 2))
        mixed[0] = np.cos(angle), -np.sin(angle)  # atom 0, x
        mixed[3] = np.sin(angle), np.cos(angle)  # atom 1, x
        turned[0, :, 0], turned[0, :, 1] = mixed.T
        turned[0, :, 3] = np.eye(9)[1]
        turned[0, :, 4] = np.eye(9)[4]
        modes = localised_modes(
            ModeSet(frequencies, turned, np.ones(1)), shells, pristine=np.array([[50.0]]), n_shells=2
        )
        said.append({mode.index: mode.participating for mode in modes}[0])
    assert said[0] == pytest.approx(2.0)
    assert said[1] == pytest.approx(said[0])


def test_dos_is_normalised_and_shells_fold_images() -> None:
    frequencies = np.array([[1.0, 2.0], [3.0, 4.0]])
    grid = np.linspace(0, 5, 2001)
    dos = gaussian_dos(frequencies, np.ones((2, 2)), grid, 0.05)
    assert np.trapezoid(dos, grid) == pytest.approx(2)
    cell = np.diag([10.0, 10.0, 20.0])
    shells = shell_of(
        np.array([[9.5, 0, 5], [3, 0, 5], [5, 5, 5.0]]), np.array([0, 0, 5.0]), cell, [1.0, 4.0]
    )
    np.testing.assert_array_equal(shells, [0, 1, 2])


def test_weights_are_shares(vacancy: DefectPhonons) -> None:
    weights = site_weights(vacancy.gamma)
    np.testing.assert_allclose(weights.sum(axis=2), 1)
    assert weights.shape[2] == len(vacancy.relaxed)
    arrays = vacancy.arrays()
    assert arrays["mode_vectors"].shape == (len(vacancy.modes), len(vacancy.relaxed), 3)


def test_killed_run_goes_on_from_its_forces(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    config = DefectPhononConfig(
        supercell=THREE, relaxation=RelaxConfig(relax_cell=False, max_steps=1), mesh=3, points_per_segment=3
    )
    first = defect_phonons(potential, unit, "v_Se", config, scratch=tmp_path)
    files = sorted((tmp_path / "defect").iterdir())
    assert len(files) >= 1
    times = [file.stat().st_mtime_ns for file in files[:-1]]
    files[-1].unlink()
    second = defect_phonons(potential, unit, "v_Se", config, scratch=tmp_path)
    assert [file.stat().st_mtime_ns for file in files[:-1]] == times
    np.testing.assert_allclose(second.bands, first.bands, atol=1e-9)


def test_finite_size_change_is_0_for_equal_and_2_for_disjoint_spectra() -> None:
    grid = np.arange(0, 10, 0.01)

    def peak(name: str, n: int, at: float) -> SizeSpectrum:
        dos = 3 * np.exp(-0.5 * ((grid - at) / 0.1) ** 2) / (0.1 * np.sqrt(2 * np.pi))
        return SizeSpectrum(name, n, grid, dos, np.array([at]))

    found = finite_size([peak("8x8", 191, 7.0), peak("4x4", 47, 3.0), peak("6x6", 107, 3.0)])
    assert found.names == ["4x4", "6x6", "8x8"]
    assert found.change == pytest.approx([0.0, 2.0], abs=1e-6)
    assert found.mode_shift == pytest.approx([0.0, 4.0])
    assert set(found.metrics) == set(found.units)
