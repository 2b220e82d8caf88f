"""Defect against pristine: counting rules, matched sites, localisation that degeneracy cannot fool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import phonopy
import pytest
from ase import Atoms
from phonopy import Phonopy

from flatforce.core.errors import ConfigError, DataError, GeometryError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models import Potential, load
from flatforce.models.prediction import Prediction
from flatforce.properties.phonons.config import DefectPhononConfig, PhononConfig
from flatforce.properties.phonons.defects.finite_size import SizeSpectrum, compare_sizes
from flatforce.properties.phonons.defects.imaginary_modes import follow_mode
from flatforce.properties.phonons.defects.mode_classes import classify_modes
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells, restore_symmetry
from flatforce.properties.phonons.defects.result import DefectPhonons
from flatforce.properties.phonons.defects.supercell_phonons import defect_phonons
from flatforce.properties.phonons.force_constants import finite_displacements
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.pristine import pristine_phonons
from flatforce.properties.phonons.spectra.band_path import standard_path
from flatforce.properties.phonons.spectra.irreps import assign_irreps
from flatforce.properties.phonons.spectra.localisation import (
    DEGENERACY_TOLERANCE,
    Mode,
    degenerate_groups,
    localised_modes,
)
from flatforce.properties.phonons.spectra.modes import (
    ModeSet,
    assign_shells,
    gaussian_dos,
    modes_on_mesh,
    site_weights,
)
from flatforce.properties.phonons.spectra.thermal import (
    MIN_DISPLACEMENT_FREQUENCY,
    MIN_VIBRATION,
    free_energy,
    mean_square_displacements,
)
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.defects import build_defect
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry
from hessians import whole_rows
from springs import springs

THREE = (3, 3)

EV_IN_KJ_PER_MOL = 96.48533
"""Phonopy's unit of energy."""

CONSTANTS = 1e-5
"""Phonopy's Boltzmann constant is an older one."""

AS_IT_IS = RelaxConfig(relax_cell=False, max_force=1e3)
"""No step is taken."""


def vacancy_phonopy(vacancy: DefectPhonons) -> Phonopy:
    """Phonopy's object with force constants that have these modes at Γ."""
    masses = np.repeat(vacancy.relaxed.get_masses(), 3)
    vectors = vacancy.gamma.vectors[0].real
    squares = vacancy.gamma.frequencies[0] * np.abs(vacancy.gamma.frequencies[0]) / FREQUENCY_FACTOR**2
    matrix = (vectors * squares) @ vectors.T * np.sqrt(np.outer(masses, masses))
    count = len(vacancy.relaxed)
    phonon = finite_displacements.make_phonopy(vacancy.relaxed, (1, 1))
    phonon.force_constants = matrix.reshape(count, 3, count, 3).transpose(0, 2, 1, 3)
    return phonon


@pytest.fixture(scope="module")
def vacancy(potential: Potential, tmp_path_factory: pytest.TempPathFactory) -> DefectPhonons:
    """v_Se in 3×3 with random weights and hardly a relaxation: the counting rules hold all the same."""
    from flatforce.structures.prototypes import monolayer

    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    one_step = RelaxConfig(relax_cell=False, max_steps=1)
    config = DefectPhononConfig(
        supercell=THREE, relaxation=one_step, mesh=3, points_per_segment=3, shells=[3.0, 4.5]
    )
    scratch = tmp_path_factory.mktemp("forces")
    return defect_phonons(potential, unit, "v_Se", config, scratch=scratch)


def test_a_vacancy_removes_three_states(vacancy: DefectPhonons) -> None:
    assert vacancy.removed_states == pytest.approx(-3, abs=1e-3)
    assert vacancy.metrics["matched_site_difference"] == pytest.approx(0, abs=1e-3)
    assert np.abs(vacancy.spectra.site_difference).max() > 0.1
    assert vacancy.point_group == "3m"


def test_phonopy_loads_the_folder_and_gives_our_frequencies(
    vacancy: DefectPhonons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vacancy.files(tmp_path)
    monkeypatch.chdir(tmp_path)
    phonon = phonopy.load("phonopy.yaml", symprec=1e-4, log_level=0)  # the call of docs/phonons.md
    path = standard_path(vacancy.relaxed.cell.array)
    q = np.concatenate(path.segments(3))
    frequencies = np.asarray(phonon.run_qpoints(q).frequencies)
    assert np.ptp(vacancy.bands) > 1.0
    assert np.linalg.norm(q[1]) > 0.1  # not only special points
    optical = np.abs(vacancy.bands) > 0.05  # round-off of 1e-12 in ω² is 1e-6 THz at ω = 0
    np.testing.assert_allclose(frequencies[optical], vacancy.bands[optical], atol=1e-6)
    assert not optical.all()
    np.testing.assert_allclose(frequencies, vacancy.bands, atol=1e-4)


def test_a_folder_of_a_development_version_says_how_to_rename_its_file(
    vacancy: DefectPhonons, tmp_path: Path
) -> None:
    vacancy.files(tmp_path)
    new, old = tmp_path / "sparse_force_constants.hdf5", tmp_path / "force_constants.hdf5"
    with pytest.raises(DataError, match="no sparse force constants"):
        SparseForceConstants.load(old)  # phonopy's
    new.replace(old)
    with pytest.raises(DataError) as error:
        SparseForceConstants.load(new)
    assert error.value.fix == f"rename it: mv {old} {new}"
    old.replace(new)
    loaded = SparseForceConstants.load(new)
    assert abs(loaded.matrix - vacancy.constants.matrix).max() == 0


def test_shells_and_elements_add_up_to_the_dos(vacancy: DefectPhonons) -> None:
    np.testing.assert_allclose(vacancy.spectra.shell_ldos.sum(axis=1), vacancy.spectra.dos, atol=1e-9)
    by_element = sum(vacancy.spectra.element_dos.values())
    np.testing.assert_allclose(by_element, vacancy.spectra.dos, atol=1e-9)
    pristine, defect = vacancy.spectra.shell_sites
    assert pristine.sum() - defect.sum() == 1
    assert pristine[0] - defect[0] == 1  # the vacant site is the innermost of all
    np.testing.assert_array_equal(pristine[1:], defect[1:])


def test_symmetry_saves_displacements_and_rules_hold(vacancy: DefectPhonons) -> None:
    assert 0 < vacancy.engine_report.n_rows < len(vacancy.relaxed) / 2
    assert vacancy.residuals_after.translation < 1e-10
    assert vacancy.residuals_after.rotation < 1e-8
    assert vacancy.residuals_before.rotation > 1e-4


def test_irreps_are_phonopys(vacancy: DefectPhonons) -> None:
    """Of every degenerate set of the vacancy's C3v, against phonopy's own characters."""
    symmetry = find_symmetry(vacancy.relaxed)
    assert symmetry.point_group == "3m"
    groups = degenerate_groups(vacancy.gamma.frequencies[0])
    names = assign_irreps(vacancy.gamma.vectors[0].real, groups, symmetry, vacancy.relaxed.cell.array)
    assert set(names) >= {"A1", "A2", "E"}
    for name, group in zip(names, groups, strict=True):
        assert sum(2 if part == "E" else 1 for part in name.split("+")) == len(group)
    phonon = vacancy_phonopy(vacancy)
    phonon.run_irreps([0, 0, 0], degeneracy_tolerance=DEGENERACY_TOLERANCE)
    expected = phonon.irreps
    assert expected is not None
    named = list(zip(expected._ir_labels or [], expected.band_indices, strict=True))
    assert len(named) == len(groups)
    for theirs_name, bands in named:
        (name_here,) = [names[k] for k, group in enumerate(groups) if set(bands) == set(group.tolist())]
        assert theirs_name in {name_here, None}  # phonopy gives no name to sets degenerate by chance
    assert sum(name is not None for name, _ in named) > len(named) - 3


def test_irreps_of_the_pristine_sheet(potential: Potential, unit: Atoms) -> None:
    """D3h: translations are E' + A2'', and the optical modes what every textbook says of 2H."""
    hessian = potential.hessian(unit)
    assert hessian is not None
    matrix = np.array([whole_rows(hessian, k) for k in range(3)]).transpose(0, 2, 1, 3).reshape(9, 9)
    masses = np.repeat(unit.get_masses(), 3)
    squares, vectors = np.linalg.eigh((matrix + matrix.T) / 2 / np.sqrt(np.outer(masses, masses)))
    symmetry = find_symmetry(unit)
    groups = degenerate_groups(np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR)
    names = assign_irreps(vectors, groups, symmetry, unit.cell.array)
    assert sorted("+".join(names).split("+")) == sorted(["A1'", "A2''", "A2''", "E'", "E'", "E''"])


def test_localisation_does_not_depend_on_the_basis_of_a_degenerate_set() -> None:
    """Two modes on two atoms, degenerate: any rotation of the pair says the same."""
    vectors = np.eye(9)[None].astype(complex)
    frequencies = np.array([[1.0, 1.0, 2, 3, 4, 5, 6, 7, 8]])
    shells = np.array([0, 1, 1])
    participation_numbers = []
    for angle in (0.0, 0.6):
        rotated = vectors.copy()
        mixed = np.zeros((9, 2))
        mixed[0] = np.cos(angle), -np.sin(angle)  # atom 0, x
        mixed[3] = np.sin(angle), np.cos(angle)  # atom 1, x
        rotated[0, :, 0], rotated[0, :, 1] = mixed.T
        rotated[0, :, 3] = np.eye(9)[1]
        rotated[0, :, 4] = np.eye(9)[4]
        modes = localised_modes(
            ModeSet(frequencies, rotated, np.ones(1)), shells, pristine=np.array([[50.0]]), n_shells=2
        )
        participation_numbers.append({mode.index: mode.participation_number for mode in modes}[0])
    assert participation_numbers[0] == pytest.approx(2.0)
    assert participation_numbers[1] == pytest.approx(participation_numbers[0])


def test_dos_is_normalised_and_shells_fold_images() -> None:
    frequencies = np.array([[1.0, 2.0], [3.0, 4.0]])
    grid = np.linspace(0, 5, 2001)
    dos = gaussian_dos(frequencies, np.ones((2, 2)), grid, 0.05)
    assert np.trapezoid(dos, grid) == pytest.approx(2)
    cell = np.diag([10.0, 10.0, 20.0])
    shells = assign_shells(
        np.array([[9.5, 0, 5], [3, 0, 5], [5, 5, 5.0]]), np.array([0, 0, 5.0]), cell, [1.0, 4.0]
    )
    np.testing.assert_array_equal(shells, [0, 1, 2])


def test_site_weights_sum_to_one(vacancy: DefectPhonons) -> None:
    weights = site_weights(vacancy.gamma)
    np.testing.assert_allclose(weights.sum(axis=2), 1)
    assert weights.shape[2] == len(vacancy.relaxed)
    arrays = vacancy.arrays()
    assert arrays["mode_vectors"].shape == (len(vacancy.modes), len(vacancy.relaxed), 3)


def test_an_interrupted_run_continues_from_its_forces(
    potential: Potential, unit: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finite_displacements, "CHUNK_ATOMS", 100)
    config = DefectPhononConfig(
        supercell=THREE, relaxation=AS_IT_IS, mesh=3, points_per_segment=3, engine="displacements"
    )
    first = defect_phonons(potential, unit, "v_Se", config, scratch=tmp_path)
    files = sorted((tmp_path / "defect").iterdir())
    assert len(files) > 3
    times = [file.stat().st_mtime_ns for file in files[:-1]]
    files[-1].unlink()
    second = defect_phonons(potential, unit, "v_Se", config, scratch=tmp_path)
    assert [file.stat().st_mtime_ns for file in files[:-1]] == times
    np.testing.assert_allclose(second.bands, first.bands, atol=1e-9)


def test_forces_of_another_displacement_are_not_reused(
    potential: Potential, unit: Atoms, tmp_path: Path
) -> None:
    bands = []
    for scratch, steps in ((tmp_path / "shared", (0.005, 0.02)), (tmp_path / "own", (0.02,))):
        for step in steps:
            config = PhononConfig(supercell=THREE, displacement=step, mesh=3, engine="displacements")
            phonons = pristine_phonons(potential, unit, config, scratch=scratch)
        bands.append(phonons.bands)
    np.testing.assert_allclose(bands[0], bands[1], atol=1e-9)


def test_no_defect_means_no_difference(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    """Se on a Se site, with heavy W: the two routes must agree in sum rules, masses and order of atoms."""
    unit.set_masses(
        [
            mass * (1.1 if symbol == "W" else 1)
            for mass, symbol in zip(unit.get_masses(), unit.symbols, strict=True)
        ]
    )
    config = DefectPhononConfig(supercell=THREE, relaxation=AS_IT_IS, mesh=3, points_per_segment=3)
    phonons = defect_phonons(potential, unit, "Se@Se:top", config, scratch=tmp_path)
    step = phonons.spectra.frequency[1] - phonons.spectra.frequency[0]
    assert np.abs(phonons.spectra.dos).sum() * step == pytest.approx(2 * 81, rel=1e-3)
    assert np.abs(phonons.spectra.dos[1] - phonons.spectra.dos[0]).sum() * step < 1e-4
    assert np.abs(phonons.spectra.shell_ldos[1] - phonons.spectra.shell_ldos[0]).sum() * step < 1e-4
    assert np.abs(phonons.spectra.site_difference).sum() * step < 1e-4
    unstable = replace(phonons, lowest_frequency=-0.2)  # on the mesh alone
    assert "-0.200 THz, none with the period of this cell" in unstable.problems[0]


def test_second_moment_of_a_site_is_its_own_force_constant(unit: Atoms) -> None:
    """∫ω² g_i(ω) dω = Tr Φ_ii / m_i: an oracle for eigenvectors, weights and masses at once."""
    phonon = finite_displacements.make_phonopy(unit.repeat((3, 3, 1)), (1, 1))
    rng = np.random.default_rng(1)
    constants = rng.normal(size=(27, 27, 3, 3))
    phonon.force_constants = constants + constants.transpose(1, 0, 3, 2)
    modes = modes_on_mesh(phonon, (3, 3), np.eye(3, dtype=int)[None])
    squares = np.sign(modes.frequencies) * (modes.frequencies / FREQUENCY_FACTOR) ** 2
    moments = np.einsum("qm,qmi->i", squares, site_weights(modes)) / len(modes.weights)
    own = np.einsum("iiaa->i", np.asarray(phonon.force_constants)) / unit.repeat((3, 3, 1)).get_masses()
    np.testing.assert_allclose(moments, own, atol=1e-8)


def test_one_q_of_each_orbit_gives_the_sums_of_the_whole_mesh(unit: Atoms) -> None:
    """Shells about a vacancy with C3v, and a single atom, of which it is not right."""
    cell = build_defect(unit, (3, 3), "v_Se:top")
    phonon = finite_displacements.make_phonopy(cell.atoms, (1, 1))
    phonon.force_constants = springs(cell.atoms).dense()
    symmetry = find_symmetry(cell.atoms)
    shells = defect_shells(cell, [3.0, 5.0])
    grid, sums, counts = np.arange(0.0, 12.0, 0.02), [], []
    for rotations in (np.eye(3, dtype=int)[None], symmetry.rotations):
        modes = modes_on_mesh(phonon, (4, 4), rotations)
        assert modes.weights.sum() == pytest.approx(1)
        weights = site_weights(modes)
        selections = [shells == s for s in range(3)] + [np.arange(len(shells)) == 5]
        summed = [weights[:, :, selected].sum(axis=2) for selected in selections]
        sums.append([gaussian_dos(modes.frequencies, selected, grid, 0.1) for selected in summed])
        counts.append(len(modes.weights))
    assert counts == [10, 4]
    np.testing.assert_allclose(sums[1][:3], sums[0][:3], atol=1e-9)
    assert np.abs(sums[1][3] - sums[0][3]).max() > 1e-3


def test_shells_are_checked(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    for radii in ([], [7.0, 4.0]):
        with pytest.raises(ConfigError, match="grow"):
            DefectPhononConfig.parse({"shells": radii})
    config = DefectPhononConfig(supercell=THREE, shells=[0.5, 5.0])
    with pytest.raises(GeometryError, match="No atom lies between"):
        defect_phonons(potential, unit, "v_Se", config, scratch=tmp_path)


def test_small_real_distortion_survives_the_symmetry(potential: Potential, unit: Atoms) -> None:
    """The tolerance is loose only as long as restoring the symmetry costs no force."""
    cell = unit.repeat((3, 3, 1))
    distorted = cell.copy()
    distorted.positions[4] += (0.012, 0.0, 0.0)
    assert len(find_symmetry(distorted, symprec=RELAXED_SYMPREC).rotations) == len(
        find_symmetry(cell).rotations
    )
    restored, symmetry = restore_symmetry(_Frozen(potential, distorted), distorted, limit=1e-3)
    assert len(symmetry.rotations) < len(find_symmetry(cell).rotations)
    assert np.abs(restored.positions - distorted.positions).max() < 1e-3


def test_a_strain_is_not_undone_by_symmetry(potential: Potential, unit: Atoms) -> None:
    stretched = unit.copy()
    deformed = unit.cell.array @ np.diag([1.0005, 1.0, 1.0])
    stretched.set_cell(deformed, scale_atoms=True)
    assert len(find_symmetry(stretched, symprec=RELAXED_SYMPREC).rotations) == len(
        find_symmetry(unit).rotations
    )
    restored, symmetry = restore_symmetry(_Frozen(potential, stretched), stretched, limit=1e-3)
    assert len(symmetry.rotations) == len(find_symmetry(unit).rotations) // 3
    np.testing.assert_allclose(restored.cell.array, deformed, atol=1e-12)


class _Frozen(Potential):
    """Pulls atoms back to a given geometry with 1 eV/Å²."""

    def __init__(self, potential: Potential, home: Atoms) -> None:
        super().__init__(potential.spec, potential.backend)
        self.home = home.positions.copy()

    def evaluate(self, frames: Sequence[Atoms], **_: object) -> list[Prediction]:  # type: ignore[override]  # keywords do not matter
        return [Prediction(0.0, self.home - frame.positions, None, None) for frame in frames]


def test_finite_size_change_is_0_for_equal_and_2_for_disjoint_spectra() -> None:
    grid = np.arange(0, 10, 0.01)

    def peak(name: str, n: int, at: float) -> SizeSpectrum:
        dos = 3 * np.exp(-0.5 * ((grid - at) / 0.1) ** 2) / (0.1 * np.sqrt(2 * np.pi))
        return SizeSpectrum(name, n, grid, dos, np.array([at]))

    comparison = compare_sizes([peak("8x8", 191, 7.0), peak("4x4", 47, 3.0), peak("6x6", 107, 3.0)])
    assert comparison.names == ["4x4", "6x6", "8x8"]
    assert comparison.ldos_difference == pytest.approx([0.0, 2.0], abs=1e-6)
    assert comparison.mode_shift == pytest.approx([0.0, 4.0])
    assert set(comparison.metrics) == set(comparison.units)


def test_free_energy_and_displacements_are_those_of_phonopy(vacancy: DefectPhonons) -> None:
    phonon = vacancy_phonopy(vacancy)
    # phonopy takes only real modes above its cutoff; so do we
    phonon.run_mesh((1, 1, 1), with_eigenvectors=True, is_mesh_symmetry=False)
    thermal = phonon.run_thermal_properties(temperatures=[0, 300], cutoff_frequency=MIN_VIBRATION)
    temperatures = np.array([0.0, 300.0])
    energies = free_energy(vacancy.gamma, temperatures) * EV_IN_KJ_PER_MOL
    np.testing.assert_allclose(energies, np.asarray(thermal.free_energy), rtol=CONSTANTS)
    expected = phonon.run_thermal_displacements(temperatures=[0, 300], freq_min=MIN_DISPLACEMENT_FREQUENCY)
    displacements = mean_square_displacements(vacancy.gamma, vacancy.relaxed.get_masses(), temperatures)
    np.testing.assert_allclose(
        displacements.reshape(2, -1), np.asarray(expected.thermal_displacements), rtol=CONSTANTS, atol=1e-9
    )
    assert displacements[1].max() > displacements[0].max() > 1e-4


def test_projected_dos_is_that_of_phonopy(vacancy: DefectPhonons) -> None:
    phonon = vacancy_phonopy(vacancy)
    phonon.run_mesh((1, 1, 1), with_eigenvectors=True, is_mesh_symmetry=False)
    grid = vacancy.spectra.frequency
    expected = phonon.run_projected_dos(
        freq_min=grid[0],
        freq_max=grid[-1],
        freq_pitch=grid[1] - grid[0],
        sigma=0.08,
        use_tetrahedron_method=False,
    )
    assert np.asarray(expected.frequency_points)[: len(grid)] == pytest.approx(grid)
    projected = np.asarray(expected.projected_dos)[:, : len(grid)]
    symbols = np.array(vacancy.relaxed.get_chemical_symbols())
    for symbol in ("W", "Se"):
        element_dos = projected[symbols == symbol].sum(axis=0)
        np.testing.assert_allclose(
            vacancy.spectra.element_dos[symbol][1], element_dos, atol=1e-6 * element_dos.max()
        )


def test_isotopes_shift_frequencies_and_nothing_else(
    potential: Potential, unit: Atoms, tmp_path: Path
) -> None:
    """Every mass four times as heavy: half the frequency."""
    phonons = []
    for masses in ({}, {"W": 4 * 183.84, "Se": 4 * 78.971}):
        config = DefectPhononConfig(
            supercell=THREE, relaxation=AS_IT_IS, mesh=3, points_per_segment=2, masses=masses
        )
        phonons.append(defect_phonons(potential, unit, "v_Se:top", config, scratch=tmp_path))
    arrays = phonons[0].arrays()
    assert arrays["free_energy"].shape == (2, 21)
    assert np.isfinite(arrays["mean_square_displacement"][:, :, 0]).all()
    np.testing.assert_allclose(phonons[1].gamma.frequencies, phonons[0].gamma.frequencies / 2, atol=1e-6)
    assert phonons[0].gamma.frequencies.max() > 1


@pytest.fixture
def copper() -> Potential:
    return load("ase:ase.calculators.emt:EMT?cutoff=6.0")


def copper_sheet(a: float) -> Atoms:
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 20]]
    return Atoms("Cu", positions=[[0, 0, 10]], cell=cell, pbc=True).repeat((2, 2, 1))


@pytest.mark.parametrize(("a", "saddle"), [(2.2, True), (2.6, False)])
def test_an_imaginary_mode_is_a_saddle_or_noise(copper: Potential, a: float, *, saddle: bool) -> None:
    """Copper squeezed in its plane buckles; stretched, the same push relaxes back."""
    sheet = copper_sheet(a)
    vector = np.zeros((4, 3))
    vector[:, 2] = [0.5, -0.5, 0.5, -0.5]
    followed = follow_mode(copper, sheet, vector, -1.0, RelaxConfig(relax_cell=False, max_force=1e-3))
    assert followed.saddle is saddle
    assert ("downhill" in followed.description) is saddle
    if saddle:
        end = copper.evaluate([followed.relaxed])[0].energy
        assert followed.energy_gain == pytest.approx(copper.evaluate([sheet])[0].energy - end)
        assert np.ptp(followed.relaxed.positions[:, 2]) > 0.3
    else:
        assert abs(followed.energy_gain) < 1e-4
        assert np.ptp(followed.relaxed.positions[:, 2]) < 0.05


def mode(frequency: float, irrep: str, participation_number: float, *, outside: bool = False) -> Mode:
    return Mode(0, frequency, 1, irrep, participation_number, [0.5, 0.5], outside, outside)


def test_growth_with_the_cell_tells_local_from_extended() -> None:
    """Sizes 4:9:16; one mode stays, one grows as the cell, one as its root, one is new, one lies in a gap."""
    sizes = [
        (
            100 * k,
            [
                mode(5.0 + 0.01 * k, "E", 10.0),
                mode(6.0, "A1", 3.0 * k),
                mode(6.02, "E", 20.0 * k**0.5),
                mode(8.0 + 0.2 * k, "A2", 7.0 * k),
                mode(9.0, "A1", 7.0 * k, outside=True),
            ],
        )
        for k in (16, 4, 9)
    ]
    trends = classify_modes(sizes)
    assert [trend.classification for trend in trends] == ["resonance", "extended", "resonance", "", "local"]
    growth = [trend.growth for trend in trends]
    assert growth[:3] == pytest.approx([0, 1, 0.5])
    assert growth[3] is None
    assert trends[1].participation_number == pytest.approx([12.0, 27.0, 48.0])
