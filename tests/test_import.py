"""Files of DFT codes: read to the last digit, or refused with the true reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import write

import vasp_files
from flatforce.core.errors import DataError
from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.audit.symmetry import MAX_ASYMMETRY, asymmetry_warnings, force_asymmetry
from flatforce.data.config import ImportConfig
from flatforce.data.frame_files import read_labelled
from flatforce.data.frames import get_labels
from flatforce.data.importing import NO_SHEET, import_frames
from flatforce.data.readers.content import DUPLICATE, MACHINE_LEARNED, TRUNCATED, UNCONVERGED
from flatforce.structures.symmetry import find_symmetry

DIGITS = 1e-6
"""What the writers of these files keep."""


@pytest.fixture
def small(frames: list[Atoms]) -> list[Atoms]:
    return [frame.copy() for frame in frames if len(frame) == 3][:8]


def read(path: Path, **settings: object) -> list[Atoms]:
    return import_frames([path], ImportConfig.model_validate(settings)).frames


def assert_same(frames: list[Atoms], expected: list[Atoms]) -> None:
    assert len(frames) == len(expected)
    for frame, other in zip(frames, expected, strict=True):
        a, b = get_labels(frame), get_labels(other)
        assert frame.get_chemical_symbols() == other.get_chemical_symbols()
        assert a.energy == pytest.approx(b.energy, abs=DIGITS)
        np.testing.assert_allclose(a.forces, b.forces, atol=DIGITS)
        assert a.stress is not None
        assert b.stress is not None
        np.testing.assert_allclose(a.stress, b.stress, atol=DIGITS)
        np.testing.assert_allclose(frame.cell.array, other.cell.array, atol=DIGITS)


@pytest.mark.parametrize(
    ("name", "make"),
    [("vasprun.xml", vasp_files.vasprun), ("OUTCAR", vasp_files.outcar), ("ML_AB", vasp_files.ml_ab)],
)
def test_vasp_files(
    tmp_path: Path, small: list[Atoms], name: str, make: Callable[[list[Atoms]], str]
) -> None:
    (tmp_path / name).write_text(make(small))
    result = import_frames([tmp_path], ImportConfig())
    assert_same(result.frames, small)
    assert result.sources[0].stress_check is not None
    assert result.sources[0].stress_check.n_verified > 0
    assert result.frames[3].info["step"] == 3
    assert result.frames[3].info["source"] == f"{tmp_path.name}/{name}"
    assert result.frames[3].info["material"] == "WSe2"
    if name != "ML_AB":
        assert result.frames[0].info["dft_xc"] == "PBE"
        assert result.frames[0].info["dft_cutoff"] == 400.0


@pytest.mark.parametrize(
    ("name", "make"), [("vasprun.xml", vasp_files.vasprun), ("OUTCAR", vasp_files.outcar)]
)
def test_steps_that_cannot_be_trusted_are_left_out(
    tmp_path: Path, small: list[Atoms], name: str, make: Callable[..., str]
) -> None:
    (tmp_path / name).write_text(make([*small, small[-1]], iterations=[9, 60, 9, 0, 9, 9, 9, 9, 9]))
    result = import_frames([tmp_path], ImportConfig())
    assert_same(result.frames, [f for k, f in enumerate(small) if k not in {1, 3}])
    assert {refusal.step: refusal.reason.split(":")[0] for refusal in result.refused} == {
        1: UNCONVERGED,
        3: MACHINE_LEARNED,
        8: DUPLICATE,
    }


@pytest.mark.parametrize(
    ("name", "make"), [("vasprun.xml", vasp_files.vasprun), ("OUTCAR", vasp_files.outcar)]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_an_aborted_run_gives_the_steps_it_finished(
    tmp_path: Path, small: list[Atoms], name: str, make: Callable[..., str], share: float
) -> None:
    text = make(small)
    (tmp_path / name).write_text(text[: int(share * len(text))])
    result = import_frames([tmp_path], ImportConfig())
    assert 0 < len(result.frames) < len(small)
    assert_same(result.frames, small[: len(result.frames)])
    assert any(refusal.reason.startswith(TRUNCATED) for refusal in result.refused)


def test_the_same_run_is_not_read_twice(tmp_path: Path, small: list[Atoms]) -> None:
    (tmp_path / "vasprun.xml").write_text(vasp_files.vasprun(small))
    (tmp_path / "OUTCAR").write_text(vasp_files.outcar(small))
    assert len(read(tmp_path)) == len(small)


FACTORS = {
    "eV/Å³": 1.0,
    "eV/Å³, compression positive": -1.0,
    "kbar": EV_PER_A3_IN_KBAR,
    "kbar, compression positive": -EV_PER_A3_IN_KBAR,
    "GPa, compression positive": -EV_PER_A3_IN_KBAR / 10,
}


@pytest.mark.parametrize("unit", list(FACTORS))
@pytest.mark.parametrize("keys", [("energy", "forces", "stress"), ("Energy", "force", "dft_stress")])
def test_sign_and_unit_of_a_stress_are_found(
    tmp_path: Path, small: list[Atoms], unit: str, keys: tuple[str, str, str]
) -> None:
    written_frames = []
    for frame in small:
        labels = get_labels(frame)
        assert labels.stress is not None
        bare = Atoms(frame.symbols, positions=frame.positions, cell=frame.cell, pbc=True)
        bare.info = {keys[0]: labels.energy, keys[2]: (FACTORS[unit] * labels.stress).ravel()}
        bare.arrays[keys[1]] = labels.forces
        written_frames.append(bare)
    write(tmp_path / "a.xyz", written_frames, format="extxyz")
    result = import_frames([tmp_path / "a.xyz"], ImportConfig())
    assert_same(result.frames, small)
    assert bool(result.sources[0].notes) == (unit != "eV/Å³")


def test_a_stress_that_fits_nothing_stops_the_import(tmp_path: Path, small: list[Atoms]) -> None:
    rng = np.random.default_rng(0)
    for frame in small:
        stress = rng.normal(0, 0.1, (3, 3))
        frame.info["REF_stress"] = (stress + stress.T).ravel()
    write(tmp_path / "a.xyz", small, format="extxyz")
    with pytest.raises(DataError, match="contradicts its own forces"):
        read(tmp_path / "a.xyz")


def test_pulay_stress_is_measured_and_removed(tmp_path: Path, small: list[Atoms]) -> None:
    for frame in small:
        frame.info["REF_stress"] = frame.info["REF_stress"] + 0.004 * np.eye(3).ravel()
    write(tmp_path / "a.xyz", small, format="extxyz")
    result = import_frames([tmp_path / "a.xyz"], ImportConfig(remove_pulay=True))
    assert result.sources[0].stress_check is not None
    assert result.sources[0].stress_check.pulay == pytest.approx(0.004, abs=1e-5)
    for frame, other in zip(result.frames, small, strict=True):
        labels = get_labels(frame)
        assert labels.stress is not None
        expected = np.asarray(other.info["REF_stress"]).reshape(3, 3) - 0.004 * np.eye(3)
        np.testing.assert_allclose(labels.stress, expected, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_vacuum_axis_is_moved_to_axis_2(tmp_path: Path, small: list[Atoms], axis: int) -> None:
    written_frames = []
    rotation = np.roll(np.eye(3), axis + 1, axis=0)
    for frame in small:
        labels = get_labels(frame)
        assert labels.stress is not None
        cell = np.roll(frame.cell.array, axis - 2, axis=0) @ rotation.T
        other = Atoms(frame.symbols, positions=frame.positions @ rotation.T, cell=cell, pbc=True)
        other.info = {"energy": labels.energy, "stress": (rotation @ labels.stress @ rotation.T).ravel()}
        other.arrays["forces"] = labels.forces @ rotation.T
        written_frames.append(other)
    write(tmp_path / "a.xyz", written_frames, format="extxyz")
    result = import_frames([tmp_path / "a.xyz"], ImportConfig())
    assert result.sources[0].stress_check is not None
    assert result.sources[0].stress_check.n_verified > 0
    for frame, other in zip(result.frames, small, strict=True):
        assert frame.cell[2, 2] == pytest.approx(other.cell[2, 2])
        assert np.linalg.norm(get_labels(frame).forces) == pytest.approx(
            np.linalg.norm(get_labels(other).forces)
        )
        a, b = get_labels(frame).stress, get_labels(other).stress
        assert a is not None
        assert b is not None
        assert np.linalg.det(a[:2, :2]) == pytest.approx(np.linalg.det(b[:2, :2]), abs=1e-9)
    assert any(f"{len(small)} frames were rotated" in note for note in result.sources[0].notes)
    assert result.frames[0].info["original_vacuum_axis"] == axis


def test_mixed_settings_stop_the_import(tmp_path: Path, small: list[Atoms]) -> None:
    for name, cutoff in (("one", "400.0"), ("two", "520.0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vasprun.xml").write_text(vasp_files.vasprun(small, ENCUT=cutoff))
    with pytest.raises(DataError, match="cutoff: 400"):
        read(tmp_path)
    assert len(read(tmp_path, mixed=True)) == 2 * len(small)


def test_what_is_no_sheet_is_refused_unless_wanted(tmp_path: Path, small: list[Atoms]) -> None:
    bulk = small[0].copy()
    bulk.set_cell([3.3, 3.3, 4.5, 90, 90, 120], scale_atoms=True)
    write(tmp_path / "a.xyz", [bulk, *small], format="extxyz")
    result = import_frames([tmp_path / "a.xyz"], ImportConfig())
    assert len(result.frames) == len(small)
    assert [refusal.reason.split(":")[0] for refusal in result.refused] == [NO_SHEET]
    assert len(read(tmp_path / "a.xyz", bulk=True)) == len(small) + 1


def test_forces_zeroed_by_constraints_are_refused(tmp_path: Path, small: list[Atoms]) -> None:
    frames = []
    for k, frame in enumerate(small):
        labels = get_labels(frame)
        bare = Atoms(frame.symbols, positions=frame.positions, cell=frame.cell, pbc=True)
        forces = labels.forces.copy()
        if k == 2:
            forces[0] = 0.0
            bare.set_constraint(FixAtoms([0]))
        bare.calc = SinglePointCalculator(bare, energy=labels.energy, forces=forces)
        frames.append(bare)
    write(tmp_path / "a.traj", frames)
    result = import_frames([tmp_path / "a.traj"], ImportConfig())
    assert len(result.frames) == len(small) - 1
    assert "constraints" in result.refused[0].reason


def test_forces_that_break_the_symmetry_are_reported(frames: list[Atoms], tmp_path: Path) -> None:
    """An even k grid without Γ lacks the threefold axis; the levels of a W vacancy feel it, a Se vacancy hardly."""
    by_name = {frame.info["name"]: frame for frame in frames}
    assert 0 < force_asymmetry(by_name["vW3-06"]) < 1e-3  # on a grid with Γ
    (by_name["vW3-06"],) = read_labelled(Path(__file__).parent / "files" / "vw_grid_without_gamma.extxyz")
    assert force_asymmetry(by_name["vW3-06"]) > 0.1
    assert 0 < force_asymmetry(by_name["vSe3-relax-01"]) < MAX_ASYMMETRY
    assert force_asymmetry(by_name["vW3-12"]) < 1e-12  # a rattled frame has no symmetry to break
    (note,) = asymmetry_warnings([by_name["vSe3-relax-01"], by_name["vW3-06"], by_name["vW3-12"]])
    assert "1 frame(s), worst frame 'vW3-06'" in note
    assert asymmetry_warnings([by_name["vSe3-relax-01"]]) == []
    symmetrised = by_name["vW3-06"].copy()
    symmetry = find_symmetry(symmetrised, symprec=2e-3)
    rotations = symmetry.cartesian_rotations(symmetrised.cell.array)
    forces = np.zeros((len(symmetrised), 3))
    for rotation, images in zip(rotations, symmetry.permutations, strict=True):
        forces[images] += symmetrised.arrays["REF_forces"] @ rotation.T / len(rotations)
    symmetrised.arrays["REF_forces"] = forces
    assert force_asymmetry(symmetrised) < 1e-9
    write(tmp_path / "v.extxyz", [by_name["vW3-06"]], format="extxyz")
    assert any(
        "break the symmetry" in note for note in import_frames([tmp_path], ImportConfig()).sources[0].notes
    )
