"""Training: resumable to the same weights, blind to the stress out of plane, honest when it diverges."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from torch import load as load_torch
from torch.nn import Linear

from flatforce.core.errors import DataError, ResultError
from flatforce.core.hashing import hash_structure
from flatforce.models import load
from flatforce.models.training import member, optimisation
from flatforce.models.training.architectures import MaceArchitecture
from flatforce.models.training.config import StageTwo, TrainConfig, Weights
from flatforce.models.training.examples import LabelBatch
from flatforce.models.training.files import save_torch
from flatforce.models.training.learners.base import PredictionBatch
from flatforce.models.training.loss import sheet_loss
from flatforce.models.training.progression import Progression
from flatforce.models.training.reference_energies import choose_reference_energies
from flatforce.models.training.run import train
from flatforce.models.training.splits import split_validation
from flatforce.studies.evaluation import EvaluateStage
from flatforce.studies.session import Session

SMALL = MaceArchitecture(hidden_irreps="4x0e", r_max=4.0, max_ell=1, correlation=2)


def small(data: Path, **changes: object) -> TrainConfig:
    values = {
        "data": [str(data)],
        "epochs": 6,
        "model": SMALL,
        "test_fraction": 0.2,
        "checkpoint_seconds": 0.0,
    }
    return TrainConfig.model_validate(values | {"stage_two": StageTwo(start=0.5)} | changes)


def energies(folder: Path, sheet: Atoms) -> float:
    return load(str(folder / "model.model")).evaluate([sheet])[0].energy


class Killed(BaseException):
    """Stands for kill -9 inside a process that the test must outlive."""


def test_killed_run_ends_with_the_same_weights(few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    train(small(few_frames), tmp_path / "whole")

    def kill(done: int, total: int, text: str) -> None:
        del total, text
        if done == 4:
            raise Killed

    with pytest.raises(Killed):
        train(small(few_frames), tmp_path / "cut", progress=kill)
    assert (tmp_path / "cut" / "checkpoint.pt").is_file()
    assert not (tmp_path / "cut" / "result.json").exists()
    seen: list[int] = []

    def note(done: int, total: int, text: str) -> None:
        del total, text
        seen.append(done)

    result = train(small(few_frames), tmp_path / "cut", progress=note)
    assert seen[0] == 4  # the last checkpoint was after the third epoch
    assert result["converged"]
    assert energies(tmp_path / "cut", sheet) == energies(tmp_path / "whole", sheet)


def test_result_has_model_card_and_split(few_frames: Path, tmp_path: Path) -> None:
    result = train(small(few_frames, n_models=2, epochs=2), tmp_path / "run")
    assert {"energy_mae", "force_mae", "stress_mae"} <= set(result["metrics"])
    first, second = result["details"]["cards"]
    for card in (first, second):
        shortest = card["training_range"]["shortest_distances"]
        assert set(shortest) == {"Se-Se", "Se-W", "W-W"}
        assert 2.2 < shortest["Se-W"] < 2.6 < shortest["W-W"] < 3.5
    assert first["seed"] != second["seed"]
    assert first["elements"] == ["Se", "W"]
    assert "pristine_1x1" in first["test"]["config_type"]
    assert (tmp_path / "run" / "model-1.model").is_file()
    assert (tmp_path / "run" / "split.json").is_file()
    again = train(small(few_frames, n_models=2, epochs=2), tmp_path / "run")
    assert again["wall_time"] == result["wall_time"]


def test_other_settings_do_not_go_on_from_a_checkpoint(few_frames: Path, tmp_path: Path) -> None:
    def kill(done: int, total: int, text: str) -> None:
        del total, text
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        train(small(few_frames, checkpoint_seconds=0.0), tmp_path, progress=kill)
    with pytest.raises(ResultError, match="other settings"):
        train(small(few_frames, learning_rate=0.5), tmp_path)


def test_a_mended_setting_needs_no_other_folder(few_frames: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Se"):
        train(small(few_frames, epochs=1, e0s={"W": -1.0}), tmp_path)
    assert train(small(few_frames, epochs=1), tmp_path)["converged"]


def test_what_changes_no_number_does_not_stop_a_run(
    few_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(done: int, total: int, text: str) -> None:
        del done, total, text
        raise Killed

    monkeypatch.chdir(tmp_path)
    Path("here.extxyz").write_bytes(few_frames.read_bytes())
    with pytest.raises(Killed):
        train(small(Path("here.extxyz"), epochs=2), Path("run"), progress=kill)
    changed = small(few_frames, epochs=2, device="cpu", checkpoint_seconds=5.0)
    done = train(changed, tmp_path / "run")
    assert train(small(few_frames, epochs=2), tmp_path / "run")["wall_time"] == done["wall_time"]
    here = Path("here.extxyz")
    here.write_text(here.read_text().replace("REF_energy=-", "REF_energy=-1"))
    with pytest.raises(ResultError, match="another result"):
        train(small(here, epochs=2), tmp_path / "run")


def test_further_training_never_ends_worse_than_it_began(few_frames: Path, tmp_path: Path) -> None:
    given = {"data": [str(few_frames)], "start_from": "mace:wse2-pbe", "epochs": 2, "checkpoint_seconds": 0.0}
    assert TrainConfig.parse(given).learning_rate == pytest.approx(3e-4)
    assert TrainConfig.parse({"data": ["x"]}).learning_rate == pytest.approx(1e-2)
    rough = TrainConfig.parse(
        given | {"learning_rate": 0.03, "stage_two": {"start": 0.5}, "refit_e0s": False}
    )
    result = train(rough, tmp_path / "rough")
    assert any("no epoch was better" in text for text in result["warnings"])
    frames = read(few_frames, ":")
    for one, other in zip(
        load(str(tmp_path / "rough" / "model.model")).evaluate(frames),
        load("mace:wse2-pbe").evaluate(frames),
        strict=True,
    ):
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-4)
    unkept = load(str(tmp_path / "rough" / "best_epoch.model")).evaluate(frames[-1:])[0]
    assert not np.allclose(unkept.forces, one.forces, atol=1e-2)  # in other runs it is the better one


def test_a_split_that_was_written_is_held_out(few_frames: Path, tmp_path: Path) -> None:
    frames = read(few_frames, ":")
    out = [hash_structure(frame) for frame in frames[2:5]]
    split = tmp_path / "subsets.json"
    split.write_text(json.dumps({"subsets": {"train": [], "test": out}}))
    config = small(few_frames, epochs=1, split=str(split))
    train(config, tmp_path / "run")
    assert set(json.loads((tmp_path / "run" / "split.json").read_text())["test"]) == set(out)
    again = small(few_frames, epochs=1, split=str(tmp_path / "run" / "split.json"))
    train(again, tmp_path / "again")
    assert json.loads((tmp_path / "again" / "split.json").read_text())["train"]
    for text, said in (
        ("{", "cannot be read"),
        ("{}", "no subset `test`"),
        ('{"test": {}}', "None of the frames"),
    ):
        split.write_text(text)
        with pytest.raises(DataError, match=said):
            train(config, tmp_path / "bad")
    split.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        train(config, tmp_path / "bad")


def test_single_atoms_need_an_energy_only(few_frames: Path, tmp_path: Path) -> None:
    atoms = [Atoms(symbol, cell=[10, 10, 10], pbc=True) for symbol in ("W", "Se")]
    for atom, energy in zip(atoms, (-4.0, -1.0), strict=True):
        atom.info |= {"REF_energy": energy, "config_type": "IsolatedAtom"}
    write(tmp_path / "atoms.extxyz", atoms, format="extxyz")
    config = small(few_frames, e0s="isolated", epochs=1)
    config = config.model_copy(update={"data": [*config.data, str(tmp_path / "atoms.extxyz")]})
    card = train(config, tmp_path / "run")["details"]["cards"][0]
    assert card["e0s"] == {"W": -4.0, "Se": -1.0}


@pytest.mark.slow
def test_members_trained_by_parsl_are_the_same(few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    pytest.importorskip("parsl")
    train(small(few_frames, n_models=2, epochs=2), tmp_path / "here")
    pools = {"gpu": {"kind": "local", "workers": 2}}
    result = train(small(few_frames, n_models=2, epochs=2, executors=pools), tmp_path / "there")
    assert [card["file"] for card in result["details"]["cards"]] == ["model-0.model", "model-1.model"]
    for name in ("model-0.model", "model-1.model"):
        one, other = (load(str(tmp_path / where / name)).evaluate([sheet])[0] for where in ("here", "there"))
        assert one.energy == pytest.approx(other.energy, abs=1e-6)
    assert "executors" not in result["config"]


def test_stress_out_of_plane_has_no_influence(few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    frames = read(few_frames, ":")
    for frame in frames:
        stress = np.asarray(frame.info["REF_stress"]).reshape(3, 3).copy()
        stress[2, :] += 1.0
        stress[:, 2] += 1.0
        frame.info["REF_stress"] = stress.reshape(9)
    spoilt = tmp_path / "spoilt.extxyz"
    write(spoilt, frames, format="extxyz")
    train(small(few_frames, epochs=3), tmp_path / "a")
    train(small(spoilt, epochs=3), tmp_path / "b")
    assert energies(tmp_path / "a", sheet) == pytest.approx(energies(tmp_path / "b", sheet), abs=1e-9)
    for frame in frames:
        frame.info["REF_stress"][0] += 0.05
    write(spoilt, frames, format="extxyz")
    train(small(spoilt, epochs=3), tmp_path / "c")
    assert energies(tmp_path / "a", sheet) != pytest.approx(energies(tmp_path / "c", sheet), abs=1e-6)


def test_huber_is_torchs_and_square_for_small_errors() -> None:
    torch = pytest.importorskip("torch")
    errors = torch.linspace(-0.1, 0.1, 42, dtype=torch.float64).reshape(14, 3)
    nothing = torch.zeros(1)
    batch = LabelBatch(nothing, errors, nothing, nothing, torch.tensor([14]), nothing, weights=torch.ones(1))
    out = PredictionBatch(nothing, torch.zeros_like(errors), None)
    weights = Weights(energy=0.0, forces=1.0, stress=0.0)
    found = sheet_loss(batch, out, weights, huber_delta=0.03)
    wanted = 2 * torch.nn.functional.huber_loss(errors, out.forces, delta=0.03)  # torch halves the square
    assert float(found) == pytest.approx(float(wanted))
    squares = float(errors.square().mean())
    assert float(sheet_loss(batch, out, weights, huber_delta=1.0)) == pytest.approx(squares)
    assert float(sheet_loss(batch, out, weights)) == pytest.approx(squares)
    assert float(found) < 0.9 * squares


def test_a_frame_weighs_as_often_as_it_is_told(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    sizes = np.array([2, 5])
    energy, tension = rng.normal(size=2), rng.normal(size=(2, 3))
    forces = [rng.normal(size=(n, 3)) for n in sizes]

    def loss(weights: Weights, frames: list[int], factors: list[float]) -> float:
        heights, ones = np.full(len(frames), 9.0), np.ones(len(frames))
        pushes = np.concatenate([forces[k] for k in frames])
        values = (energy[frames], pushes, tension[frames], ones, sizes[frames], heights, np.array(factors))
        nothing = torch.zeros(len(frames))
        out = PredictionBatch(nothing, torch.zeros(len(pushes), 3), torch.zeros(len(frames), 3, 3))
        return float(sheet_loss(LabelBatch(*map(torch.as_tensor, values)), out, weights, huber_delta=0.5))

    for weights, counts in (
        (Weights(energy=1.0, forces=0.0, stress=0.0), np.ones(2)),
        (Weights(energy=0.0, forces=1.0, stress=0.0), sizes),
        (Weights(energy=0.0, forces=0.0, stress=1.0), np.ones(2)),
    ):  # each term is a mean over what it counts
        twice = loss(weights, [0, 0, 1], [1.0, 1.0, 1.0]) * counts[[0, 0, 1]].sum()
        assert loss(weights, [0, 1], [2.0, 1.0]) * counts.sum() == pytest.approx(twice)
        assert loss(weights, [0, 1], [1.0, 1.0]) * counts.sum() < 0.95 * twice


def test_config_types_without_weight_are_not_learnt(few_frames: Path, sheet: Atoms, tmp_path: Path) -> None:
    few = read(few_frames, ":")
    for number, frame in enumerate(few):
        frame.info["config_type"] = "odd" if number % 2 else "even"
    given = few_frames.with_name("two_types.extxyz")
    found = []
    for name, sign, weight in (("a", 1, 0.0), ("b", -1, 0.0), ("c", 1, 2.0)):  # the scale sees no sign
        for frame in few[1::2]:
            frame.arrays["REF_forces"] *= sign
        write(given, few, format="extxyz")
        train(small(given, epochs=3, config_type_weights={"odd": weight}), tmp_path / name)
        found.append(energies(tmp_path / name, sheet))
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    assert found[0] != pytest.approx(found[2], abs=1e-6)
    with pytest.raises(DataError, match="config type off"):
        train(small(given, config_type_weights={"off": 2.0}), tmp_path / "d")


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's own writer would raise a RuntimeError of its zip file."""
    path = tmp_path / "weights.pt"
    save_torch(path, {"old": 1})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ResultError, match="could not be written"):
        save_torch(path, {"new": 2})
    assert load_torch(path) == {"old": 1}


def test_divergence_is_reported(few_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = sheet_loss
    calls = 0

    def explode(batch: LabelBatch, out: PredictionBatch, weights: Weights, huber_delta: None) -> object:
        nonlocal calls
        calls += 1
        loss = original(batch, out, weights, huber_delta=huber_delta)
        return loss * float("nan") if calls > 8 else loss

    monkeypatch.setattr(optimisation, "sheet_loss", explode)
    result = train(small(few_frames), tmp_path)
    assert not result["converged"]
    assert "diverged" in result["warnings"][0]
    assert (tmp_path / "model.model").is_file()


def test_validation_frames_that_are_met_by_accident_end_no_run() -> None:
    weights = Linear(1, 1).state_dict
    state = Progression()
    for valid_loss, train_loss in ((1e-9, 0.01), (0.02, 0.01)):
        state.rank_epoch({"valid_loss": valid_loss, "train_loss": train_loss}, weights)
        assert not state.diverged
    state.rank_epoch({"valid_loss": 200.0, "train_loss": 150.0}, weights)
    assert state.diverged


def test_reference_energies(frames: list[Atoms]) -> None:
    fitted = choose_reference_energies(frames, TrainConfig())
    for frame in frames[:3]:
        left = frame.info["REF_energy"] - sum(fitted[s] for s in frame.get_chemical_symbols())
        assert abs(left) / len(frame) < 0.5
    assert choose_reference_energies(frames, TrainConfig(e0s={"W": 1.0, "Se": 2.0})) == {"Se": 2.0, "W": 1.0}
    with pytest.raises(DataError, match="no reference energy for W"):
        choose_reference_energies(frames, TrainConfig(e0s={"Se": 2.0}))
    with pytest.raises(DataError, match="no reference energy"):
        choose_reference_energies(frames, TrainConfig(e0s="isolated"))


def test_tensorboard_is_written_when_asked(few_frames: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    train(small(few_frames, epochs=1, monitor=["tensorboard"], stage_two=None), tmp_path)
    assert list((tmp_path / "tensorboard").iterdir())
    assert (tmp_path / "metrics.csv").read_text().startswith("epoch,")


def test_validation_takes_no_frame_from_a_config_type_of_few(frames: list[Atoms]) -> None:
    train, valid = split_validation(frames, fraction=0.1, seed=3)
    assert len(train) + len(valid) == len(frames)
    rare = {f.info["config_type"] for f in frames} - {f.info["config_type"] for f in valid}
    counts = Counter(f.info["config_type"] for f in frames)
    assert valid
    assert all(counts[name] <= 5 for name in rare)
    assert all(
        0.05 < sum(f.info["config_type"] == name for f in valid) / counts[name] < 0.2
        for name in counts
        if name not in rare
    )


def test_patience_stops_once(few_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the last epoch and the model file, a run that ran out of patience trains no further."""
    config = small(few_frames, patience=1, epochs=40, learning_rate=0.3)

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(member, "held_out_errors", kill)
        with pytest.raises(Killed):
            train(config, tmp_path)
    rows = (tmp_path / "metrics.csv").read_text()
    assert rows.count("\n") < 40
    result = train(config, tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == rows
    card = result["details"]["cards"][0]
    assert card["best_epoch"] < card["epochs"]


def test_without_held_out_frames_the_errors_say_what_they_are(few_frames: Path, tmp_path: Path) -> None:
    result = train(small(few_frames, test_fraction=0.0, epochs=1), tmp_path)
    assert any("there is no test set" in text for text in result["warnings"])


def test_frames_without_names_are_held_out_and_found_again(few_frames: Path, tmp_path: Path) -> None:
    nameless = read(few_frames, ":")
    for k, frame in enumerate(nameless):
        frame.info["name"] = k  # numbers, and the same ones in the second file
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
    write(tmp_path / "a" / "few.extxyz", nameless[:6], format="extxyz")
    for frame in nameless:
        del frame.info["name"]
    write(tmp_path / "b" / "few.extxyz", nameless[6:], format="extxyz")
    files = [str(tmp_path / part / "few.extxyz") for part in ("a", "b")]
    result = train(small(Path(files[0]), epochs=1).model_copy(update={"data": files}), tmp_path / "t")
    assert set(result["inputs"]) == set(files)
    session = Session(f"mace:{tmp_path / 't' / 'model.model'}")
    record = EvaluateStage(files[1], tmp_path / "t" / "split.json").run(session, tmp_path / "e")
    assert 0 < record["details"]["n_frames"] < 6
    with pytest.raises(DataError, match="None of the frames"):
        EvaluateStage("wse2-pbe", empty_split(tmp_path)).run(session, tmp_path / "f")


def empty_split(folder: Path) -> Path:
    path = folder / "empty.json"
    path.write_text('{"test": {}}')
    return path
