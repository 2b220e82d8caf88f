"""Files that other people's programs write, damaged or not as one expects, with the right answer for each."""

from __future__ import annotations

import bz2
import json
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read as read_ase
from ase.io import write

import vasp_files
from commands import run
from flatforce.core.arrays import FloatArray
from flatforce.core.errors import DataError
from flatforce.data.audit.energies import energy_warnings
from flatforce.data.bundled import dataset_path
from flatforce.data.config import CurationConfig, ImportConfig
from flatforce.data.copies import find_copies
from flatforce.data.curation.run import curate
from flatforce.data.frame_files import read_frames, write_frames
from flatforce.data.frames import ISOLATED, config_type, get_labels
from flatforce.data.import_result import Import
from flatforce.data.importing import import_frames
from flatforce.data.leakage import COPY_TOLERANCE
from flatforce.data.splits import hold_out
from flatforce.models.training.splits import split_validation
from flatforce.structures.sheet import slab_virial_stress

CASES = Path(__file__).parent / "files" / "cases"

NOISE = 1e-4
"""eV/Å³. Round-off of printed stresses and forces; a wrong unit, sign or order leaves 1e-3 or more in these frames."""


def imported(*paths: Path, **settings: object) -> Import:
    return import_frames(list(paths), ImportConfig.parse(settings))


def residuals(frames: list[Atoms]) -> np.ndarray:
    rows = []
    for frame in frames:
        labels = get_labels(frame)
        assert labels.stress is not None
        rows.append(labels.stress[:, 2] - slab_virial_stress(frame, forces=labels.forces))
    return np.abs(np.array(rows))


def bundled(count: int) -> list[Atoms]:
    frames = read_ase(dataset_path("wse2-pbe"), ":")
    assert isinstance(frames, list)
    return [frame[np.argsort(-frame.numbers, kind="stable")] for frame in frames if len(frame) == 12][:count]


# Stress


def test_frames_of_another_unit_are_found_one_by_one() -> None:
    result = imported(CASES / "stress" / "units.extxyz")
    assert result.metrics["n_frames"] == result.metrics["n_stress_verified"] == 8
    assert residuals(result.frames).max() < NOISE
    assert any("stress of 3 frames converted from kbar" in note for note in result.sources[0].notes)


def test_the_order_of_six_numbers_is_found() -> None:
    result = imported(CASES / "stress" / "order.extxyz")
    assert residuals(result.frames).max() < NOISE
    assert any("xx yy zz xy yz zx" in note for note in result.sources[0].notes)


def test_a_majority_in_another_unit_does_not_win(tmp_path: Path) -> None:
    frames = bundled(8)
    for frame in frames[:6]:
        frame.info["REF_stress"] = -160.21766208 * np.asarray(frame.info["REF_stress"])
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert len(result.frames) == 8
    assert residuals(result.frames).max() < NOISE


def test_a_stress_that_fits_nothing_is_refused_alone(tmp_path: Path) -> None:
    frames = bundled(8)
    frames[3].info["REF_stress"] = (
        np.asarray(frames[3].info["REF_stress"])[[8, 7, 6, 5, 4, 3, 2, 1, 0]] + 0.05
    )
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert len(result.frames) == 7
    assert [refusal.step for refusal in result.refused] == [3]
    assert "contradicts its own forces" in result.refused[0].reason


ATOMIC = 0.529177**3 / 27.2114
"""Factor from eV/Å³ to Hartree per cubic bohr, which no convention of the import is."""

WRONG: dict[str, Callable[[Atoms, FloatArray], FloatArray]] = {
    "another unit": lambda _, stress: ATOMIC * stress,
    "virial of each atom": lambda frame, stress: stress * frame.get_volume() / len(frame),
    "virial": lambda frame, stress: -stress * frame.get_volume(),
    "upper triangle": lambda _, stress: stress.reshape(9)[[0, 4, 8, 5, 2, 1]][[0, 5, 4, 1, 3, 2]],
    "in-plane components in kbar": lambda _, stress: stress * np.array([[1602, 1602, 1]] * 2 + [[1, 1, 1]]),
    "in-plane components alone": lambda _, stress: stress * np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_stress_that_most_frames_contradict_is_not_assumed_for_the_others(
    tmp_path: Path, name: str
) -> None:
    frames = imported(CASES / "stress" / "order.extxyz").frames
    for frame in frames:
        stress = np.asarray(frame.info["REF_stress"]).reshape(3, 3)
        frame.info["REF_stress"] = WRONG[name](frame, stress).ravel()
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    with pytest.raises(DataError, match=r"unclear|contradicts|beyond what any sheet bears"):
        imported(tmp_path / "a.extxyz")


def test_one_frame_in_another_convention_is_refused(tmp_path: Path) -> None:
    frames = bundled(8)
    frames[3].arrays["REF_forces"] *= -1  # gradients: its right stress would be turned
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert [refusal.step for refusal in result.refused] == [3]
    assert "this frame alone" in result.refused[0].reason
    assert residuals(result.frames).max() < NOISE


def test_a_stress_of_zero_is_no_stress(tmp_path: Path) -> None:
    frames = bundled(6)
    for frame in frames[:2]:
        frame.info["REF_stress"] = np.zeros(9)
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert len(result.frames) == 6
    assert result.metrics["n_with_stress"] == 4
    assert any("exactly zero" in note for note in result.sources[0].notes)


@pytest.mark.parametrize(
    "text", ["None", '"0.1 0.2"', '"[[0.01, 0.0, 0.0], [0.0, 0.01, 0.0], [0.0, 0.0, 0.01]]"']
)
def test_stresses_that_are_not_nine_numbers(tmp_path: Path, text: str) -> None:
    frame = bundled(1)[0]
    del frame.info["REF_stress"]
    path = tmp_path / "a.extxyz"
    write(path, [frame], format="extxyz")
    path.write_text(path.read_text().replace("REF_energy=", f"REF_stress={text} REF_energy="))
    if "0.2" in text:
        with pytest.raises(DataError, match="2 numbers"):
            imported(path)
    elif text == "None":
        assert get_labels(imported(path).frames[0]).stress is None
    else:  # read, and then found to contradict the forces
        with pytest.raises(DataError, match="contradicts"):
            imported(path)


# Copies


def test_every_frame_counts_once(tmp_path: Path) -> None:
    result = imported(CASES / "copies" / "dups.extxyz")
    assert (len(result.frames), len(result.refused)) == (8, 8)
    frames = bundled(4)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "vasprun.xml.relax1").write_text(vasp_files.vasprun(frames))
    (tmp_path / "run" / "OUTCAR.relax1").write_text(vasp_files.outcar(frames))
    (tmp_path / "run" / "ML_AB").write_text(vasp_files.ml_ab(frames))
    result = imported(tmp_path / "run")
    assert len(result.frames) == 4
    assert all("copy of a frame" in refusal.reason for refusal in result.refused)
    assert any("reports the same run" in note for source in result.sources for note in source.notes)


def test_a_run_appended_to_itself_counts_once(tmp_path: Path) -> None:
    text = (CASES / "settings" / "pw_pbe" / "plain.out").read_text()
    (tmp_path / "twice.out").write_text(text * 2)
    assert len(imported(tmp_path / "twice.out").frames) == 8


def moved(frame: Atoms) -> Atoms:
    """The same calculation: atoms in another order, shifted by lattice vectors, wrapped."""
    order = np.random.default_rng(1).permutation(len(frame))
    copy = frame[order]
    copy.positions += frame.cell[0] - 2 * frame.cell[1]
    copy.positions[0] += frame.cell[0]
    copy.info = dict(frame.info)
    return copy


def test_copies_are_found_and_neighbours_are_not() -> None:
    frames = bundled(5)
    copies = [moved(frame) for frame in frames]
    assert find_copies([*frames, *copies]) == {k + 5: k for k in range(5)}
    for copy in copies:
        copy.positions[1, 2] += 0.01
    assert find_copies([*frames, *copies]) == {}


def test_copies_are_on_one_side_of_a_split() -> None:
    frames = bundled(12)
    doubled = [*frames, *(moved(frame) for frame in frames)]
    test = hold_out(doubled, fraction=0.3, seed=0)
    assert {k % 12 for k in test} & {k % 12 for k in range(24) if k not in test} == set()
    train, valid = split_validation(doubled, fraction=0.3, seed=0)
    names = [{frame.info["REF_energy"] for frame in subset} for subset in (train, valid)]
    assert not names[0] & names[1]
    assert COPY_TOLERANCE < 0.01


def test_a_cut_vasprun_leaves_the_run_to_its_outcar(tmp_path: Path) -> None:
    frames = bundled(5)
    text = vasp_files.vasprun(frames)
    (tmp_path / "vasprun.xml").write_text(text[: int(0.5 * len(text))])
    (tmp_path / "OUTCAR").write_text(vasp_files.outcar(frames))
    result = imported(tmp_path)
    assert len(result.frames) == 5
    assert result.sources[0].kind == "outcar"


# Records and runs


def test_a_missing_section_takes_nothing_from_the_next(tmp_path: Path) -> None:
    result = imported(CASES / "mlab_gap" / "ML_AB")
    assert len(result.frames) == 7
    assert [refusal.step for refusal in result.refused] == [2]
    frames = bundled(5)
    text = vasp_files.ml_ab(frames)
    for heading in ("Total energy", "  XX YY ZZ", "Primitive lattice", "Atomic positions", "Atom types"):
        before, _, after = text.partition(heading)
        (tmp_path / "ML_AB").write_text(f"{before}Nothing{after}")
        got = imported(tmp_path / "ML_AB")
        assert [refusal.step for refusal in got.refused] == [0], heading
        for frame, original in zip(got.frames, frames[1:], strict=True):
            assert get_labels(frame).energy == pytest.approx(get_labels(original).energy, abs=1e-9)


def test_joined_runs_keep_their_species() -> None:
    result = imported(CASES / "joined_outcars" / "OUTCAR")
    assert [str(frame.symbols) for frame in result.frames] == ["W4Se8"] * 6 + ["Mo4Se8"] * 6
    assert len({frame.info["source"] for frame in result.frames}) == 2


def test_numbers_that_run_into_one_another(tmp_path: Path) -> None:
    frames = bundled(2)
    text = vasp_files.outcar(frames)
    for frame in frames:
        labels = get_labels(frame)
        for row, force in zip(frame.positions, labels.forces, strict=True):
            written = "  " + "  ".join(f"{x:.8f}" for x in (*row, *force))
            assert written in text
            text = text.replace(
                written,
                "".join(f"{x:13.5f}" for x in row)
                + "".join(f"{x:.6f}" if x < 0 else f" {x:.6f}" for x in force),
            )
    (tmp_path / "OUTCAR").write_text(text)
    for frame, original in zip(imported(tmp_path / "OUTCAR").frames, frames, strict=True):
        np.testing.assert_allclose(get_labels(frame).forces, get_labels(original).forces, atol=1e-6)


def test_numbers_of_ions_above_999() -> None:
    from flatforce.data.readers.outcar_header import _counts

    assert _counts("            10002000", 3000, 4) == [1000, 2000]
    assert _counts("              75 150", 225, 4) == [75, 150]
    with pytest.raises(ValueError, match="do not sum"):
        _counts("            10002000", 3001, 4)


@pytest.mark.parametrize(
    ("name", "count", "species"),
    [("stars", 5, {"W", "Se"}), ("zr", 6, {"Zr", "Se"}), ("pseudo_h", 6, {"W", "H"})],
)
def test_oddities_do_not_end_an_import(name: str, count: int, species: set[str]) -> None:
    result = imported(CASES / "tracebacks" / name)
    assert len(result.frames) == count
    assert set(result.frames[0].get_chemical_symbols()) == species


def test_one_bad_file_does_not_end_the_import_of_a_folder(tmp_path: Path) -> None:
    shutil.copytree(CASES / "tracebacks", tmp_path / "all")
    (tmp_path / "all" / "worse").mkdir()
    (tmp_path / "all" / "worse" / "vasprun.xml").write_bytes(b"<modeling>\xff\xfe<calculation>")
    (tmp_path / "all" / "INCAR").write_text("ENCUT = 400\n")
    result = imported(tmp_path / "all")
    assert len(result.frames) == 17
    assert any("worse/vasprun.xml" in refusal.source for refusal in result.refused)
    assert any("1 files of other kinds were not read: INCAR" in note for note in result.notes)


@pytest.mark.parametrize(("suffix", "compress"), [(".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files_are_read(tmp_path: Path, suffix: str, compress: object) -> None:
    assert len(imported(CASES / "left_out" / "gzip").frames) == 6
    frames = bundled(3)
    content = compress(vasp_files.outcar(frames).encode())  # type: ignore[operator]
    (tmp_path / f"OUTCAR{suffix}").write_bytes(content)
    assert len(imported(tmp_path).frames) == 3
    (tmp_path / f"OUTCAR{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError):
        imported(tmp_path)


def test_spin_polarised_pw_x() -> None:
    result = imported(CASES / "pw_spin" / "pw.out")
    assert len(result.frames) == 6
    assert result.frames[0].info["dft_spin"] == "collinear"


# Settings and sources


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("pbe", "pbe_u"), "Hubbard U of W"),
        (("potcar_W", "potcar_W_sv"), "potential of W"),
        (("pw_pbe", "pw_pbe_d3"), "dispersion"),
    ],
)
def test_different_settings_stop_the_import(names: tuple[str, str], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        imported(*(CASES / "settings" / name for name in names))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"ISPIN": "2"}, "spin of Se-W"),
        ({"LSORBIT": "T", "LNONCOLLINEAR": "T"}, "soc"),
        ({"LHFCALC": "T", "HFSCREEN": "0.2"}, "xc"),
        ({"IVDW": "12 0"}, "dispersion"),
    ],
)
def test_settings_of_vasp_that_change_energies(tmp_path: Path, tags: dict[str, str], reason: str) -> None:
    frames = bundled(4)
    for name, more, own in (("a", {}, frames[:2]), ("b", tags, frames[2:])):
        (tmp_path / name).mkdir()
        text = vasp_files.vasprun(own, **({"SIGMA": "0.05D0"} | more))  # type: ignore[arg-type]
        (tmp_path / name / "vasprun.xml").write_text(text)
    with pytest.raises(DataError) as caught:
        imported(tmp_path)
    assert reason in str(caught.value)
    assert len(imported(tmp_path, mixed=True).frames) == 4


def test_one_functional_under_two_names() -> None:
    result = imported(CASES / "settings" / "pw_pbe", CASES / "settings" / "pw_old_name")
    assert result.conflicts == []
    assert len(result.frames) == 8  # the same calculation


def test_sources_differ_however_paths_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / "sources")
    ways: list[list[str | Path]] = [
        ["runH/vasprun.xml", "runT/vasprun.xml"],
        [CASES / "sources" / "runH", CASES / "sources" / "runT" / "vasprun.xml"],
        ["."],
    ]
    for paths in ways:
        sources = {frame.info["source"] for frame in import_frames(paths).frames}
        assert len(sources) == 2, paths
    alone = {
        frame.info["source"]
        for run in ("runH", "runT")
        for frame in import_frames(f"{run}/vasprun.xml").frames
    }
    assert len(alone) == 2


# What is no crystal sheet, and what is


def test_isolated_atoms_are_kept_as_references() -> None:
    result = imported(CASES / "isolated" / "tiso.xyz")
    assert result.metrics["n_isolated"] == 2
    assert result.metrics["n_frames"] == 10
    kept = curate(result.frames, CurationConfig()).frames
    assert sum(config_type(frame) == ISOLATED for frame in kept) == 2


def test_isolated_atoms_are_no_frames_of_a_sheet(tmp_path: Path) -> None:
    """From the import on, they are counted apart by every command, and train the reference energies."""
    arguments = ("iso.extxyz", "-o")
    assert (
        run(tmp_path, "data", "import", str(CASES / "isolated" / "tiso.xyz"), "-o", "iso.extxyz").returncode
        == 0
    )
    done = run(tmp_path, "data", "stats", *arguments, "stats", "--no-map")
    assert "2 isolated atoms" in (tmp_path / "stats" / "result.json").read_text(), done.stderr
    done = run(tmp_path, "evaluate", "mace:wse2-pbe", *arguments, "evaluate")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "evaluate" / "result.json").read_text())
    assert record["metrics"]["n_frames"] == 8
    assert any("2 isolated atoms" in note for note in record["warnings"])
    assert run(tmp_path, "data", "split", *arguments, "split.json").returncode == 0
    subsets = json.loads((tmp_path / "split.json").read_text())["subsets"]
    assert sum(map(len, subsets.values())) == 8
    settings = {"data": ["iso.extxyz"], "e0s": "isolated", "epochs": 1, "stage_two": None}
    settings["model"] = {"hidden_irreps": "4x0e", "r_max": 3.5, "num_interactions": 1, "max_ell": 1}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(settings))
    assert run(tmp_path, "train", "-c", "train.yaml", "-o", "train").returncode == 0
    card = json.loads((tmp_path / "train" / "model.card.json").read_text())
    assert card["e0s"] == {"Se": -0.7, "W": -1.5}  # as the file has them
    assert card["n_train"] + card["n_valid"] + card["n_test"] == 8
    write_frames(tmp_path / "atoms.extxyz", [f for f in read_frames(tmp_path / "iso.extxyz") if len(f) == 1])
    done = run(tmp_path, "evaluate", "mace:wse2-pbe", "atoms.extxyz", "-o", "atoms")
    assert done.returncode == 2
    assert "isolated atoms" in done.stderr


def test_torn_sheets_and_ribbons_are_sheets(tmp_path: Path) -> None:
    frames = bundled(3)
    for frame in frames:
        cell = frame.cell.array.copy()
        cell[0] *= 1 + 8 / np.linalg.norm(cell[0])  # 8 Å of vacuum in the plane
        frame.set_cell(cell)
        del frame.info["REF_stress"]
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert len(result.frames) == 3
    assert np.ptp(result.frames[0].positions[:, 2]) < 4  # the normal is still the normal


@pytest.mark.parametrize("height", [0.0, 6.0])
def test_a_sheet_in_a_low_cell_that_is_not_periodic_along_it(tmp_path: Path, height: float) -> None:
    """Its stress is that of a slab: the volume of the cell changes, the membrane stress does not."""
    (frame,) = bundled(1)
    stress = np.asarray(frame.info.pop("REF_stress"))
    low = frame.copy()
    low.center(about=(0, 0, 0), axis=2)
    low.cell[2] = (0, 0, height)
    low.pbc = (True, True, False)
    if height:
        low.info["REF_stress"] = stress * frame.cell[2, 2] / height
    write(tmp_path / "a.extxyz", low, format="extxyz")
    (read,) = imported(tmp_path / "a.extxyz").frames
    assert read.cell[2, 2] > np.ptp(frame.positions[:, 2]) + 5
    labels = get_labels(read)
    np.testing.assert_allclose(labels.forces, frame.arrays["REF_forces"], atol=1e-8)
    if height:
        assert labels.stress is not None
        expected = stress.reshape(3, 3) * frame.cell[2, 2] / read.cell[2, 2]
        np.testing.assert_allclose(labels.stress, expected, atol=1e-7)


def test_a_sheet_of_one_large_atom_is_no_isolated_atom(tmp_path: Path) -> None:
    frames = [Atoms("Cs", cell=[a, a, 20.0], pbc=True) for a in (5.8, 12.0)]
    for frame in frames:
        frame.info["REF_energy"] = -1.0
        frame.arrays["REF_forces"] = np.zeros((1, 3))
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert [frame.cell[0, 0] for frame in result.frames if config_type(frame) == ISOLATED] == [12.0]
    assert len(result.refused) == 1  # its vacuum is not told from that between its atoms


def test_a_molecule_is_refused_with_its_reason(tmp_path: Path) -> None:
    frame = bundled(1)[0]
    molecule = frame[:2]
    molecule.set_cell([20, 20, 20])
    molecule.info = {"REF_energy": -1.0}
    molecule.arrays["REF_forces"][:] = 0
    write(tmp_path / "a.extxyz", [molecule], format="extxyz")
    with pytest.raises(DataError, match="all three axes"):
        imported(tmp_path / "a.extxyz")


# Energies and curation


def test_a_lone_energy_of_zero_is_reported_and_removed(tmp_path: Path) -> None:
    frames = bundled(12)
    frames[4].info["REF_energy"] = 0.0
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    result = imported(tmp_path / "a.extxyz")
    assert any("eV/atom from a fit by composition" in note for note in result.notes)
    assert len(curate(result.frames, CurationConfig()).frames) == 11


@pytest.mark.parametrize("count", [4, 6, 40])
def test_a_lone_energy_is_found_among_few_frames_and_in_a_composition_of_its_own(count: int) -> None:
    frames = [frame.copy() for frame in read_frames(dataset_path("wse2-pbe"))]
    pristine = [frame for frame in frames if len(frame) == 3][:count]
    assert energy_warnings(pristine) == []
    vacancy = next(frame for frame in frames if frame.get_chemical_formula() == "Se17W9")
    assert energy_warnings([*pristine, vacancy]) == []
    wrong = [*pristine[:-1], vacancy] if count > 10 else pristine
    wrong[-1].info["REF_energy"] = 0.0
    (warning,) = energy_warnings(wrong)
    assert "the energies of 1 frame(s)" in warning


def test_curation_says_when_it_removes_much() -> None:
    frames = bundled(12)
    assert len(curate(frames, CurationConfig()).frames) == 12
    forces = sorted(float(np.linalg.norm(get_labels(frame).forces, axis=1).max()) for frame in frames)
    few = curate(frames, CurationConfig.parse({"outliers": {"max_force": forces[6] + 1e-3}}))
    assert len(few.frames) == 7
    assert any("force above max_force" in note and "max_force: null" in note for note in few.notes)
    with pytest.raises(DataError, match="leave no frame"):
        curate(frames, CurationConfig.parse({"outliers": {"max_sites": 3}}))
