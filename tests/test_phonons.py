"""Sum rules and phonons against analytic springs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms

from flatforce.core.errors import GeometryError
from flatforce.models import Potential
from flatforce.properties.phonons.config import PhononConfig
from flatforce.properties.phonons.force_constants.finite_displacements import (
    check_supercell,
    in_circle_radius,
    make_phonopy,
    to_ase,
)
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import enforce_sum_rules, sum_rule_residuals
from flatforce.properties.phonons.phonopy_files import write_phonopy_files
from flatforce.properties.phonons.pristine import flexural_exponent, pristine_phonons
from flatforce.properties.phonons.spectra.band_path import standard_path
from flatforce.properties.phonons.spectra.modes import fold_at_zero, gaussian_dos, spectrum_grid
from springs import springs


@pytest.fixture(scope="module")
def spring_sheet() -> Atoms:
    from flatforce.structures.prototypes import monolayer

    return monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)


@pytest.fixture(scope="module")
def exact(spring_sheet: Atoms) -> tuple[Atoms, np.ndarray]:
    supercell = to_ase(make_phonopy(spring_sheet, (4, 4)).supercell)
    return supercell, springs(supercell).dense()


def test_springs_obey_every_rule(exact: tuple[Atoms, np.ndarray]) -> None:
    atoms, constants = exact
    residuals = sum_rule_residuals(SparseForceConstants.from_dense(atoms, constants))
    assert max(residuals.translation, residuals.permutation, residuals.rotation) < 1e-11
    assert residuals.huang < 1e-8


def test_correction_restores_the_flexural_branch(
    exact: tuple[Atoms, np.ndarray], spring_sheet: Atoms
) -> None:
    atoms, constants = exact
    phonon = make_phonopy(spring_sheet, (4, 4))
    phonon.force_constants = constants
    end = np.array([0.5, 0, 0])
    assert flexural_exponent(phonon, end) == pytest.approx(2.0, abs=0.02)

    # noise that keeps the lattice's translations: the same for every cell of the supercell
    noise = np.random.default_rng(0).normal(size=constants.shape) * 2e-3
    permutations = [_translation(atoms, shift) for shift in (np.arange(4)[:, None] * [0.25, 0, 0]).tolist()]
    averaged = np.mean([noise[np.ix_(p, p)] for p in permutations], axis=0)
    permutations = [_translation(atoms, shift) for shift in (np.arange(4)[:, None] * [0, 0.25, 0]).tolist()]
    averaged = np.mean([averaged[np.ix_(p, p)] for p in permutations], axis=0)
    noisy = constants + averaged + averaged.transpose(1, 0, 3, 2)
    phonon.force_constants = noisy
    broken = flexural_exponent(phonon, end)
    assert broken != pytest.approx(2.0, abs=0.2)

    sparse = enforce_sum_rules(SparseForceConstants.from_dense(atoms, noisy))
    residuals, corrected = sum_rule_residuals(sparse), sparse.dense()
    assert max(residuals.translation, residuals.permutation, residuals.rotation) < 1e-9
    assert residuals.huang < 1e-6
    phonon.force_constants = corrected
    assert flexural_exponent(phonon, end) == pytest.approx(2.0, abs=0.02)
    np.testing.assert_allclose(enforce_sum_rules(sparse).dense(), corrected, atol=1e-9)
    assert np.linalg.norm(corrected - noisy) < np.linalg.norm(noisy - constants)


def _translation(atoms: Atoms, shift: list[float]) -> np.ndarray:
    fractional = atoms.get_scaled_positions()
    offset = (fractional + shift)[:, None] - fractional[None]
    offset -= np.round(offset)
    nearest: np.ndarray = np.linalg.norm(offset, axis=-1).argmin(axis=1)
    return nearest


def test_correction_leaves_exact_constants_alone(exact: tuple[Atoms, np.ndarray]) -> None:
    atoms, constants = exact
    sparse = SparseForceConstants.from_dense(atoms, constants)
    np.testing.assert_allclose(enforce_sum_rules(sparse).dense(), constants, atol=1e-10)


def test_in_circle_of_a_hexagonal_cell(unit: Atoms) -> None:
    assert in_circle_radius(unit.repeat((6, 6, 1))) == pytest.approx(3.3166 * np.sqrt(3) / 4 * 6)
    with pytest.raises(GeometryError, match="too small"):
        check_supercell(unit.repeat((2, 2, 1)), 5.0)


@pytest.mark.parametrize(("angle", "k"), [(120, (1 / 3, 1 / 3)), (60, (2 / 3, 1 / 3))])
def test_k_point_follows_the_angle(angle: int, k: tuple[float, float]) -> None:
    turn = np.radians(angle)
    cell = np.array([[1, 0, 0], [np.cos(turn), np.sin(turn), 0], [0, 0, 5]])
    path = standard_path(cell)
    assert path.labels == ("Γ", "M", "K", "Γ")
    assert path.points[2, :2] == pytest.approx(k)
    reciprocal = np.linalg.inv(cell).T
    lengths = np.linalg.norm(path.points @ reciprocal, axis=1)
    assert lengths[2] == pytest.approx(2 / 3)  # K is at 4π/3a, M at 2π/√3a
    assert lengths[1] == pytest.approx(1 / np.sqrt(3))


def test_phonons_of_a_random_model_obey_the_rules(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    """Whatever the physics of the model: rules, mode count, files, resume."""
    config = PhononConfig(supercell=(3, 3), mesh=6, points_per_segment=7)
    phonons = pristine_phonons(potential, unit, config, scratch=tmp_path / "forces")
    residuals = phonons.residuals_after
    assert max(residuals.translation, residuals.rotation, residuals.permutation) < 1e-8
    assert np.sort(np.abs(phonons.gamma))[:3].max() < 1e-3
    assert np.abs(phonons.gamma).max() > 0.1
    step = phonons.frequency[1] - phonons.frequency[0]
    assert phonons.dos.sum() * step == pytest.approx(9, rel=2e-2)
    np.testing.assert_allclose(phonons.pdos.sum(axis=(0, 1)), phonons.dos, atol=1e-8)
    rows = sorted((tmp_path / "forces").iterdir())
    assert rows
    times = [row.stat().st_mtime_ns for row in rows]
    again = pristine_phonons(potential, unit, config, scratch=tmp_path / "forces")
    assert [row.stat().st_mtime_ns for row in rows] == times
    np.testing.assert_allclose(again.bands, phonons.bands, atol=1e-6)


def test_a_stretched_sheet_keeps_its_linear_branch(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    """Huang conditions hold without stress only; forcing them on a sheet under tension would bend its ZA branch."""
    config = PhononConfig(supercell=(3, 3), mesh=3, points_per_segment=3)
    phonons = pristine_phonons(potential, unit, config, scratch=tmp_path)
    assert phonons.membrane_stress > 1
    assert any("N/m" in note for note in phonons.notes)
    assert phonons.residuals_after.huang == pytest.approx(phonons.residuals_before.huang, rel=0.5)
    assert phonons.residuals_after.huang > 1e-3
    assert phonons.residuals_after.rotation < 1e-8


def test_height_in_the_cell_does_not_matter(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    config = PhononConfig(supercell=(3, 3), mesh=3, points_per_segment=3)
    split = unit.copy()
    split.positions[:, 2] -= unit.cell[2, 2] / 2
    split.wrap()
    assert np.ptp(split.positions[:, 2]) > unit.cell[2, 2] / 2
    centred, wrapped = (
        pristine_phonons(potential, s, config, scratch=tmp_path / str(k)) for k, s in enumerate((unit, split))
    )
    np.testing.assert_allclose(wrapped.bands, centred.bands, atol=1e-5)


def test_a_cell_of_many_takes_fewer_q_points(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    """Nine primitive cells, one atom a trifle off: 3 × 3 points of the folded zone are 9 × 9 of the primitive one's."""
    big = to_ase(make_phonopy(unit, (3, 3)).supercell)
    big.positions[0, 2] += 1e-3
    folded, primitive = (
        pristine_phonons(
            potential,
            sheet,
            PhononConfig(supercell=(n, n), mesh=mesh, points_per_segment=3),
            scratch=tmp_path / str(n),
        )
        for sheet, n, mesh in ((big, 1, 6), (unit, 3, 9))
    )
    grid = np.linspace(0.0, primitive.frequency.max(), 200)
    dos = [np.interp(grid, phonons.frequency, phonons.dos) for phonons in (folded, primitive)]
    np.testing.assert_allclose(dos[0] / 9, dos[1], atol=0.02 * dos[1].max())


def test_thermal_properties_do_not_depend_on_the_broadening(
    potential: Potential, unit: Atoms, tmp_path: Path
) -> None:
    phonons = [
        pristine_phonons(
            potential, unit, PhononConfig(supercell=(3, 3), mesh=3, broadening=b), scratch=tmp_path
        )
        for b in (0.02, 0.3)
    ]
    np.testing.assert_allclose(phonons[0].thermal, phonons[1].thermal)


def test_phonopy_reads_the_files(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    """Phonopy's own command line finds the corrected force constants, not the forces that they came from."""
    config = PhononConfig(supercell=(3, 3), mesh=3, points_per_segment=5)
    phonons = pristine_phonons(potential, unit, config, scratch=tmp_path / "forces")
    write_phonopy_files(phonons.phonon, tmp_path)
    (tmp_path / "band.yaml").unlink()
    command = [str(Path(sys.executable).parent / "phonopy-load"), "phonopy.yaml"]
    subprocess.run(
        [*command, "--band", "0 0 0 0.5 0 0", "--band-points", "5"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    band_file = yaml.safe_load((tmp_path / "band.yaml").read_text())
    bands = np.array([[mode["frequency"] for mode in point["band"]] for point in band_file["phonon"]])
    np.testing.assert_allclose(bands, phonons.bands[:5], atol=1e-5)
    assert np.ptp(bands) > 0.1


def test_broadening_puts_no_states_below_zero() -> None:
    """Of flexural modes, whose density of states is constant: it stays constant down to zero, and no state is lost."""
    modes = np.linspace(0.0, 2.0, 4001)[None]
    grid = spectrum_grid(0.0, 2.0, 0.1)
    leaking = gaussian_dos(modes, np.ones_like(modes), grid, 0.1)
    assert leaking[grid < -0.02].max() > 0.2 * leaking.max()  # the broadening alone puts states below zero
    frequency, dos = fold_at_zero(grid, leaking, lowest=0.0)
    assert frequency[0] == 0
    assert np.trapezoid(dos, frequency) == pytest.approx(np.trapezoid(leaking, grid), rel=1e-7)
    np.testing.assert_allclose(dos[frequency < 1.5], dos[frequency < 1.5].mean(), rtol=2e-3)
    optical = gaussian_dos(modes + 3.0, np.ones_like(modes), spectrum_grid(3.0, 5.0, 0.1), 0.1)
    shifted, unchanged = fold_at_zero(spectrum_grid(3.0, 5.0, 0.1), optical, lowest=3.0)
    assert unchanged[shifted < 2.4].max() < 1e-8 * unchanged.max()  # nothing below the lowest mode
    same_grid, imaginary = fold_at_zero(grid, leaking, lowest=-1.0)
    assert same_grid is grid
    assert imaginary is leaking  # imaginary modes are shown where they are


def test_modes_at_gamma_have_the_symmetry_of_the_sheet(
    potential: Potential, unit: Atoms, tmp_path: Path
) -> None:
    """2H: E'' and E' twice, A1' and A2'' once; the acoustic modes are E' + A2''."""
    config = PhononConfig(supercell=(3, 3), mesh=4, points_per_segment=3, engine="rows")
    phonons = pristine_phonons(potential, unit, config, scratch=tmp_path)
    optical = [mode for mode in phonons.gamma_modes if abs(mode.frequency) > 0.05]
    assert sum(mode.degeneracy for mode in phonons.gamma_modes) == 9
    assert sorted("+".join(mode.irrep for mode in optical).split("+")) == ["A1'", "A2''", "E'", "E''"]
    np.testing.assert_allclose(
        np.sort(
            np.repeat(
                [mode.frequency for mode in phonons.gamma_modes],
                [mode.degeneracy for mode in phonons.gamma_modes],
            )
        ),
        np.sort(phonons.gamma),
        atol=1e-3,
    )
    assert phonons.frequency[0] == 0 or phonons.min_frequency < 0
    assert phonons.dos.min() >= 0
