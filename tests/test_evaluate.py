"""Errors against labels: frames of the training set apart, energies of other references, the model that fine-tuning started from."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from ase import Atoms

from commands import run
from flatforce.core.hashing import hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import write_frames
from flatforce.data.leakage import copy_warnings
from flatforce.data.splits import hold_out
from flatforce.models import load
from flatforce.models.atomic_energies import fit_energies
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.outcome import TrainOutcome
from flatforce.models.training.reference_energies import choose_reference_energies, reference_energy_warnings
from flatforce.models.training_set import trained_on
from flatforce.properties.evaluate import evaluate
from flatforce.structures.strain import rattle_positions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODEL = "mace:wse2-pbe"


@pytest.fixture(scope="module")
def mixed(frames: list[Atoms]) -> list[Atoms]:
    """Four test frames of the bundled model between six frames of its training set."""
    known = trained_on(MODEL, frames)
    test = [frame for frame, is_known in zip(frames, known, strict=True) if not is_known and len(frame) < 13][
        :4
    ]
    train = [frame for frame, is_known in zip(frames, known, strict=True) if is_known and len(frame) == 3][:6]
    assert len(test) == 4
    return [*train[:3], *test, *train[3:]]


def test_frames_of_the_training_set_are_counted_apart(mixed: list[Atoms], tmp_path: Path) -> None:
    split = dataset_path("wse2-pbe").parents[2] / "models" / "bundled" / "wse2-pbe.split.json"
    held_out = json.loads(split.read_text())["test"]
    assert sum(hash_structure(frame) in held_out for frame in mixed) == 4
    write_frames(tmp_path / "mixed.extxyz", mixed)
    done = run(tmp_path, "evaluate", MODEL, "mixed.extxyz", "-o", "all")
    assert "6 of 10 frames are in the training set" in done.stderr
    assert (
        run(tmp_path, "evaluate", MODEL, "mixed.extxyz", "-o", "test", "--split", str(split)).returncode == 0
    )
    both, test = (
        json.loads((tmp_path / name / "result.json").read_text())["metrics"] for name in ("all", "test")
    )
    assert both["n_train_frames"] == 6
    assert test["n_train_frames"] == 0
    for name in ("energy_mae", "force_mae", "stress_mae"):
        assert both[name] == pytest.approx(test[name], rel=1e-9)
        assert both[f"train_{name}"] != pytest.approx(both[name], rel=1e-3)
    potential = load(MODEL)
    train = evaluate(potential, [*mixed[:3], *mixed[7:]])
    assert train.errors["force_mae"] == pytest.approx(both["train_force_mae"], rel=1e-9)


def _permuted(frame: Atoms) -> Atoms:
    return frame[np.random.default_rng(0).permutation(len(frame))]


def _shifted(frame: Atoms) -> Atoms:
    moved = frame.copy()
    moved.positions += frame.cell[0] - 2 * frame.cell[1] + [0.7, 1.1, 0]
    return moved


def _wrapped(frame: Atoms) -> Atoms:
    moved = _shifted(frame)
    moved.wrap()
    return moved


def _rotated(frame: Atoms) -> Atoms:
    turned = frame.copy()
    turned.rotate(60, "z", rotate_cell=True)
    return turned


def _other_cell(frame: Atoms) -> Atoms:
    same = frame.copy()
    same.set_cell(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ frame.cell.array)
    return same


def _supercell(frame: Atoms) -> Atoms:
    return frame.repeat((2, 1, 1))


@pytest.mark.parametrize("change", [_permuted, _shifted, _wrapped, _rotated, _other_cell, _supercell])
def test_copies_of_training_frames_are_no_test_frames(
    frames: list[Atoms], change: Callable[[Atoms], Atoms]
) -> None:
    """The same sheet in another setting: known to an evaluation, warned of by a training, and in one subset of a split."""
    originals = [frame for frame in frames if len(frame) == 12][:6]
    copies = [change(frame) for frame in originals]
    assert not {hash_structure(frame) for frame in originals} & {hash_structure(frame) for frame in copies}
    assert trained_on(MODEL, copies).tolist() == trained_on(MODEL, originals).tolist()
    assert trained_on(MODEL, copies).any()
    others = [rattle_positions(frame, amplitude=0.02, rng=np.random.default_rng(1)) for frame in originals]
    assert not trained_on(MODEL, others).any()
    (warning,) = copy_warnings(originals, copies)
    assert "6 of 6 test frames" in warning
    assert copy_warnings(originals, others) == []
    held_out = hold_out([*originals, *copies], fraction=0.3, seed=0)
    assert {index % 6 for index in held_out if index < 6} == {index % 6 for index in held_out if index >= 6}
    assert 0 < len(held_out) < 12


def test_reference_energies_of_the_labels_do_not_count(mixed: list[Atoms]) -> None:
    potential = load(MODEL)
    frames = [
        frame.copy() for frame in (*mixed, *(frame[[0, 1]] for frame in mixed[:2]))
    ]  # another composition
    plain = evaluate(potential, frames)
    energies = {"W": 700.0, "Se": -300.0}
    for frame in frames:
        frame.info["REF_energy"] += sum(energies[symbol] for symbol in frame.get_chemical_symbols())
    shifted = evaluate(potential, frames)
    assert shifted.errors["energy_mae"] > plain.errors["energy_mae"] + 1e4
    assert shifted.errors["energy_mae_aligned"] == pytest.approx(plain.errors["energy_mae_aligned"], rel=1e-6)
    assert list(shifted.errors)[:2] == ["energy_mae", "energy_rmse"]
    assert list(shifted.errors)[3] == "energy_mae_aligned"  # beside the unaligned ones
    assert [note for note in evaluate(potential, mixed).notes if "other references" in note] == []
    (note,) = [note for note in shifted.notes if "other references" in note]
    assert "(energy_mae_aligned)" in note
    too_few = evaluate(potential, frames[:2])
    assert "energy_mae" in too_few.errors
    assert "energy_mae_aligned" not in too_few.errors  # a fit would leave nothing


def test_energies_that_fine_tuning_made_worse(tmp_path: Path) -> None:
    def warnings(before: float, after: float, r2: float = 0.9) -> list[str]:
        card = {
            "file": "model.model",
            "diverged": False,
            "best_epoch": 3,
            "untrained_elements": [],
            "test": {"all": {"energy_mae": after, "energy_r2": r2}},
            "initial_test": {"energy_mae": 900.0, "energy_mae_aligned": before},
        }
        return TrainOutcome(tmp_path, [card], []).notes

    (worse,) = warnings(2.3, 23.0)
    assert "2.3 meV/atom before" in worse
    assert "23.0 after" in worse
    assert warnings(2.3, 2.2) == warnings(2.3, 3.2) == warnings(0.2, 0.5) == []
    (unusable,) = warnings(2.3, 2.2, r2=-0.5)
    assert "not usable" in unusable


@pytest.mark.parametrize("text", ["{}", "[]", "mine", '{"train": 3}', '{"settings": {}, "subsets": []}'])
def test_a_file_beside_a_model_that_is_no_split_of_a_training(
    tmp_path: Path, model_file: Path, frames: list[Atoms], text: str
) -> None:
    shutil.copy(model_file, tmp_path / "m.model")
    (tmp_path / "split.json").write_text(text)
    assert not trained_on(f"mace:{tmp_path / 'm.model'}", frames[:3]).any()


def test_finetune_reports_the_model_that_it_started_from(frames: list[Atoms], tmp_path: Path) -> None:
    data = [frame for frame in frames if len(frame) == 3][:10]
    write_frames(tmp_path / "few.extxyz", data)
    settings = {"data": ["few.extxyz"], "epochs": 1, "batch_size": 4, "learning_rate": 1e-2}
    (tmp_path / "f.yaml").write_text(yaml.safe_dump(settings))
    done = run(tmp_path, "finetune", MODEL, "-c", "f.yaml", "-o", "tuned")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "tuned" / "result.json").read_text())
    hashes = json.loads((tmp_path / "tuned" / "split.json").read_text())["test"]
    test = [frame for frame in data if hash_structure(frame) in hashes]
    initial = evaluate(load(MODEL), test).errors
    for name in ("energy_mae", "force_mae"):
        assert result["metrics"][f"initial_{name}"] == pytest.approx(initial[name], rel=1e-4)
        assert result["units"][f"initial_{name}"] == result["units"][name]
    known = trained_on(MODEL, data)
    spec = f"mace:{tmp_path / 'tuned' / 'model.model'}"
    assert trained_on(spec, data).tolist() == [
        bool(is_known) or hash_structure(frame) not in hashes
        for is_known, frame in zip(known, data, strict=True)
    ]
    n_seen = sum(
        bool(is_known) for is_known, frame in zip(known, data, strict=True) if hash_structure(frame) in hashes
    )
    assert n_seen > 0
    assert any(
        f"{n_seen} of the {len(test)} test frames are in the training set of {MODEL}" in warning
        for warning in result["warnings"]
    )


def test_compositions_that_determine_no_reference_energies(frames: list[Atoms]) -> None:
    pristine = [frame for frame in frames if len(frame) == 3]
    (warning,) = reference_energy_warnings(pristine, TrainConfig())
    assert "do not determine the reference energies of Se, W" in warning
    assert reference_energy_warnings(frames, TrainConfig()) == []
    fitted = choose_reference_energies(pristine, TrainConfig())
    mean = np.mean([frame.info["REF_energy"] for frame in pristine])
    assert fitted["W"] + 2 * fitted["Se"] == pytest.approx(mean, rel=1e-6)  # what the frames do determine
    assert fitted["Se"] == pytest.approx(2 * fitted["W"])  # of all solutions the smallest


def test_nearly_equal_compositions_give_no_extreme_reference_energies() -> None:
    """A pair of vacancies in 88 atoms moves the compositions by 1 %: a plain fit would turn 20 meV/atom into eV."""
    frames = [
        Atoms("MoSe2" * 30, info={"REF_energy": -90 * 4.70}),
        Atoms("Mo30Se58", info={"REF_energy": -88 * 4.68}),
    ]
    plain = fit_energies(frames, [frame.info["REF_energy"] for frame in frames], ["Mo", "Se"])
    assert abs(plain["Mo"] - plain["Se"]) > 2
    fitted = choose_reference_energies(frames, TrainConfig())
    assert fitted["Se"] == pytest.approx(
        2 * fitted["Mo"], rel=0.03
    )  # the smallest energies, in the ratio of the composition
    assert (fitted["Mo"] + 2 * fitted["Se"]) / 3 == pytest.approx(-4.69, abs=0.02)
