"""`flatforce learn` on one layer of copper and gold, with EMT in the place of DFT, and in hindsight."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.io import read, write

from commands import kill_when, run
from flatforce.active.calibration_folds import split_folds
from flatforce.active.calibration_split import split_calibration
from flatforce.active.config import LearnConfig
from flatforce.active.dynamics_config import DynamicsConfig
from flatforce.active.property import (
    Target,
    cell_modes,
    force_constants,
    local_frequencies,
    property_response,
)
from flatforce.active.samplers import propose
from flatforce.active.sampling import RandomDefects, Rattles, Relaxations, Sampling, Strains, ThermalModes
from flatforce.active.surrogate import Surrogate
from flatforce.active.trajectories import read_trajectories, write_trajectories
from flatforce.core.errors import ConfigError, DataError
from flatforce.core.hashing import hash_structure
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.data.frames import Labels, attach_labels, get_labels, read_labelled, write_frames
from flatforce.models import load
from flatforce.models.errors import compare, error_metrics
from flatforce.studies.learn.frames import read_run_frames

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

COMMITTEE = (
    "committee:ase:ase.calculators.emt:EMT,ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.4&rc=6.0"
)
"""Two that do not agree."""

TRAIN: dict[str, Any] = {
    "name": "m",
    "model": {"kind": "mace", "hidden_irreps": "8x0e", "r_max": 3.4, "num_interactions": 1},
    "epochs": 3,
    "batch_size": 4,
    "stage_two": None,
    "n_models": 2,
}


LIVE: dict[str, Any] = {
    "initial": ["start.extxyz"],
    "test": "test.extxyz",
    "structures": ["sheet.extxyz"],
    "sampling": {"rattles": {"count": 2}, "dynamics": {"steps": 20, "sampling_interval": 5, "temperatures": [300]}},
    "label": {"settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}, "workers": 2},
    "train": TRAIN,
    "labels_per_round": 3,
    "calibration_fraction": 0.3,
    "stop": {"rounds": 2},
}


def sheet(repeats: int = 3) -> Atoms:
    a = 2.6
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    atoms = Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True).repeat((repeats, repeats, 1))
    atoms.symbols[::3] = "Au"
    return atoms


def labelled(count: int, seed: int) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        atoms = sheet()
        atoms.positions += rng.normal(scale=0.05 + 0.1 * (number % 2), size=atoms.positions.shape)
        atoms.calc = EMT()
        labels = Labels(atoms.get_potential_energy(), atoms.get_forces(), None)
        bare = atoms.copy()
        bare.calc = None
        bare.info = {"config_type": "rattle", "name": f"s{seed}-{number}"}
        frames.append(attach_labels(bare, labels))
    return frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("learn")
    write_frames(path / "start.extxyz", labelled(16, 1))
    write_frames(path / "pool.extxyz", labelled(12, 2))
    write_frames(path / "test.extxyz", labelled(5, 3))
    write(path / "sheet.extxyz", sheet())
    return path


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("round-*/result.json"))]


def test_a_live_run_labels_what_it_chose_and_resumes(folder: Path) -> None:
    study = copy.deepcopy(LIVE)
    (folder / "live.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "live.yaml", "-o", "live")
    assert done.returncode == 0, done.stderr
    assert "2 rounds are done" in done.stdout
    assert "no frame was held out" not in done.stdout + done.stderr
    found = records(folder / "live")
    assert [one["metrics"]["n_train"] for one in found] == [16, 19, 22]
    assert [one["metrics"]["n_labels"] for one in found] == [0, 3, 6]
    first = found[0]["details"]["selected"]
    assert {one["from"] for one in first} <= {"rattle", "dynamics"}
    assert all("may be off by" in one["reason"] for one in first)
    new = read_labelled(folder / "live" / "round-00" / "labelled.extxyz")
    for frame in new:
        check = frame.copy()
        check.calc = EMT()
        assert frame.info["REF_energy"] == pytest.approx(check.get_potential_energy(), abs=1e-6)
    names = ",".join(f"mace:{one}" for one in sorted((folder / "live/round-00/committee").glob("*.model")))
    for frame, told, one in zip(new, first, load(f"committee:{names}").evaluate(new), strict=True):
        off = np.linalg.norm(one.forces - frame.arrays["REF_forces"], axis=1).max()
        assert told["error"] == pytest.approx(
            off, rel=1e-6
        )  # what the label showed of those that asked for it
    labels = sorted((folder / "live" / "labels").glob("*.json"))
    stamps = [path.stat().st_mtime_ns for path in labels]
    assert len(labels) == 6
    (folder / "live" / "round-02" / "result.json").unlink()  # as if killed while the last round was assessed
    (folder / "live" / "round-01" / "result.json").unlink()
    done = run(folder, "learn", "live.yaml", "-o", "live")
    assert done.returncode == 0, done.stderr
    done = run(folder, "report", "live")
    assert done.returncode == 0, done.stderr
    page = (folder / "live" / "report" / "index.html").read_text()
    assert "Round 2 of active learning" in page
    assert "Model card" not in page  # the trainings inside have no section of their own
    assert "2 rounds are done" in page
    assert first[0]["name"] in page
    assert [path.stat().st_mtime_ns for path in labels] == stamps
    again = records(folder / "live")
    assert [one["metrics"]["force_mae"] for one in again] == [one["metrics"]["force_mae"] for one in found]
    study["stop"] = {"rounds": 3, "force_mae": 1e-3}
    study["label"]["workers"] = 1
    (folder / "live.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "live.yaml", "-o", "live")  # an ended run goes on where `stop` allows more
    assert "3 rounds are done" in done.stdout
    assert "5 test frames are too few to end by an error" in done.stderr
    assert [one["metrics"]["n_labels"] for one in records(folder / "live")] == [0, 3, 6, 9]
    assert [path.stat().st_mtime_ns for path in labels] == stamps


@pytest.mark.parametrize("while_it", ["trains", "labels"])
def test_a_round_that_was_killed_inside_goes_on(folder: Path, while_it: str) -> None:
    """Killed inside; the same run without a kill ends with the same frames."""
    study = {
        "initial": ["start.extxyz"],
        "test": "test.extxyz",
        "structures": ["sheet.extxyz"],
        "sampling": {"rattles": {"count": 2}, "dynamics": None},
        "label": {"settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}, "workers": 1},
        "train": TRAIN | {"epochs": 1},
        "labels_per_round": 4,
        "calibration_fraction": 0.3,
        "stop": {"rounds": 1},
    }
    (folder / "kill.yaml").write_text(yaml.safe_dump(study))
    killed = f"killed-{while_it}"
    cache, inside = folder / killed / "labels", folder / killed / "round-00"
    signs = {"trains": (inside, "committee/m-0.model"), "labels": (cache, "*.json")}
    place, pattern = signs[while_it]
    kill_when(folder, ["learn", "kill.yaml", "-o", killed], lambda: any(place.glob(pattern)))
    labels = list(cache.glob("*.json"))
    assert bool(labels) == (while_it == "labels")
    assert not (inside / "result.json").exists()
    stamps = {path: path.stat().st_mtime_ns for path in labels}
    other = study | {"labels_per_round": 3}
    (folder / "other.yaml").write_text(yaml.safe_dump(other))
    done = run(folder, "learn", "other.yaml", "-o", killed)
    assert done.returncode == 2
    assert "begun with other settings" in done.stderr
    for name in (killed, "unhurt"):
        assert run(folder, "learn", "kill.yaml", "-o", name).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in labels} == stamps
    frames = [read_labelled(folder / name / "round-00" / "labelled.extxyz") for name in (killed, "unhurt")]
    for one, two in zip(*frames, strict=True):
        assert np.array_equal(one.positions, two.positions)
        assert one.info["REF_energy"] == two.info["REF_energy"]


def test_trajectories_are_judged_again_unless_their_frame_was_learnt(tmp_path: Path) -> None:
    """Three that doubt ended: one frame was learnt, one could not be labelled, one was not chosen."""
    potential, sheets = load("ase:ase.calculators.emt:EMT"), [sheet(2), sheet(2), sheet(2)]
    dynamics = DynamicsConfig(temperatures=[300.0], steps=3, uncertainty_threshold=0.1, on_the_fly=True)
    config = SamplingConfig(dynamics=dynamics)
    proposed = propose(potential, sheets, config, seed=0, folder=tmp_path, max_uncertainty=lambda *_: 1.0)
    assert len(proposed) == 3
    before = tmp_path / "before.extxyz"
    (tmp_path / "trajectories.extxyz").rename(before)
    learnt, lost, left = map(hash_structure, read(before, ":"))

    def doubtful(level: float) -> list[Atoms]:
        return propose(
            potential,
            sheets,
            config,
            seed=1,
            folder=tmp_path,
            before=before,
            learnt={learnt},
            failed={lost},
            max_uncertainty=lambda *_: level,
        )

    again = doubtful(1.0)
    places = read_trajectories(tmp_path / "trajectories.extxyz", seed=0)
    assert [one.steps for one in places] == [2, 1, 1]  # past what was learnt, nowhere else
    assert [one.uncertain for one in places] == [True, False, True]
    assert "no label" in places[1].end_reason
    assert hash_structure(again[0]) not in {learnt, lost, left}
    assert np.allclose(again[1].positions, read(before, index=2).positions)
    assert doubtful(0.0) == []
    assert [one.steps for one in read_trajectories(tmp_path / "trajectories.extxyz", seed=0)] == [3, 1, 3]


def test_a_file_without_trajectories_is_read(tmp_path: Path) -> None:
    write_trajectories(tmp_path / "none.extxyz", [])
    assert read_trajectories(tmp_path / "none.extxyz", seed=0) == []


def test_dynamics_go_on_until_nothing_is_in_doubt(folder: Path) -> None:
    """On the fly: a threshold that the committee meets everywhere after it has learnt a frame or none."""
    sampling: dict[str, Any] = {
        "dynamics": {"steps": 40, "temperatures": [100, 600], "uncertainty_threshold": 1e-3, "on_the_fly": True}
    }
    study: dict[str, Any] = {
        "initial": ["start.extxyz"],
        "test": "test.extxyz",
        "structures": ["sheet.extxyz"],
        "sampling": sampling,
        "label": {"settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}},
        "train": TRAIN,
        "labels_per_round": 4,
        "calibration_fraction": 0.3,
        "stop": {"rounds": 3},
    }
    (folder / "fly.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "fly.yaml", "-o", "fly")
    assert done.returncode == 0, done.stderr
    found = records(folder / "fly")
    times = [[one["time"] for one in record["details"]["trajectories"]] for record in found[:-1]]
    assert times == [[2.0, 2.0], [4.0, 4.0], [6.0, 6.0]]  # doubt ends each after one step more
    assert [one["metrics"]["n_labels"] for one in found] == [0, 2, 4, 6]
    fitted = read_labelled(folder / "fly" / "round-03" / "train.extxyz")
    standing = {hash_structure(frame) for frame in fitted}
    for number in range(3):  # a trajectory goes on from a frame that is learnt, and stays learnt
        new = read_labelled(folder / "fly" / f"round-{number:02d}" / "labelled.extxyz")
        assert {hash_structure(frame) for frame in new} <= standing
    first = read_trajectories(folder / "fly" / "round-00" / "trajectories.extxyz", seed=0)
    second = read_trajectories(folder / "fly" / "round-01" / "trajectories.extxyz", seed=0)
    for before, after in zip(first, second, strict=True):
        drift = before.atoms.positions + before.velocities * 2.0 * units.fs
        assert np.abs(after.atoms.positions - drift).max() < 0.02
    sampling["dynamics"]["uncertainty_threshold"] = 1e3
    study |= {"uncertainty": "descriptor_distance", "train": TRAIN | {"n_models": 1}}  # one model is enough for a distance
    (folder / "calm.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "calm.yaml", "-o", "calm")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 trajectories did their steps" in done.stdout
    assert run(folder, "report", "calm").returncode == 0
    assert "did all its steps" in (folder / "calm" / "report" / "index.html").read_text()


@pytest.mark.parametrize("strategy", ["random", "diversity", "property"])
def test_a_run_in_hindsight_takes_labels_from_the_pool(folder: Path, strategy: str) -> None:
    study = {
        "initial": ["start.extxyz"],
        "pool": ["pool.extxyz"],
        "test": "test.extxyz",
        "train": TRAIN | {"epochs": 1},
        "strategy": strategy,
        "labels_per_round": 5,
        "calibration_fraction": 0.3,
        "stop": {"budget": 8, "rounds": 9},
    }
    if strategy == "property":
        study["target"] = {"structure": "sheet.extxyz", "atoms": [0], "kind": "modes"}
    (folder / "past.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "past.yaml", "-o", strategy)
    assert done.returncode == 0, done.stderr
    assert "the budget of 8 labels is spent" in done.stdout
    found = records(folder / strategy)
    assert [one["metrics"]["n_labels"] for one in found] == [0, 5, 8]
    names = [one["name"] for record in found for one in record["details"]["selected"]]
    assert len(set(names)) == 8
    assert all(name.startswith("s2-") for name in names)


def test_a_committee_of_two_kinds_learns(folder: Path) -> None:
    pytest.importorskip("matgl")
    shape = {"kind": "m3gnet", "units": 8, "r_max": 4.0, "threebody_cutoff": 3.0, "num_interactions": 1}
    study = {
        "initial": ["start.extxyz"],
        "pool": ["pool.extxyz"],
        "test": "test.extxyz",
        "train": TRAIN | {"epochs": 1, "n_models": 1},
        "extra_members": [TRAIN | {"epochs": 1, "n_models": 1, "model": shape}],
        "labels_per_round": 5,
        "calibration_fraction": 0.3,
        "stop": {"rounds": 1},
    }
    (folder / "mixed.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "mixed.yaml", "-o", "mixed")
    assert done.returncode == 0, done.stderr
    kinds = [
        json.loads((folder / "mixed" / "round-00" / name / "result.json").read_text())["details"]["cards"][0][
            "kind"
        ]
        for name in ("committee", "committee-1")
    ]
    assert kinds[0] == "mace" != kinds[1]
    assert records(folder / "mixed")[0]["metrics"]["max_force_uncertainty"] > 0
    assert run(folder, "report", "mixed").returncode == 0
    assert "Model card" not in (folder / "mixed" / "report" / "index.html").read_text()


def test_no_frame_stands_on_two_sides(folder: Path) -> None:
    both = folder / "both.extxyz"
    write_frames(both, [*labelled(6, 1), *labelled(6, 2)])
    config = LearnConfig.parse(
        {"initial": [str(folder / "start.extxyz")], "pool": [str(both)], "test_fraction": 0.3, "train": TRAIN}
    )
    found = read_run_frames(config)
    sides = [{frame.info["name"] for frame in one} for one in (found.start, found.test, found.pool)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_copies_count_once_and_what_is_set_aside_holds_no_species_of_its_own(folder: Path) -> None:
    plain = labelled(12, 4)
    for frame in plain:
        frame.symbols[:] = "Cu"
    frames = [*plain, *plain, *labelled(3, 5)]
    for frame in frames[-3:]:
        frame.info["config_type"] = "gold"
    write_frames(folder / "copies.extxyz", frames)
    values = {"initial": [str(folder / "copies.extxyz")], "pool": [str(folder / "pool.extxyz")], "train": TRAIN}
    config = LearnConfig.parse(values | {"test": str(folder / "test.extxyz"), "calibration_fraction": 0.4})
    found = read_run_frames(config)
    assert len(found.start) == 15
    gold = [frame for frame in found.start if frame.info["config_type"] == "gold"]
    fitted, aside = split_calibration(
        config, [[*plain, gold[0], gold[0], gold[0]]]
    )  # whichever is taken, gold is fitted
    assert aside
    assert {s for frame in aside for s in frame.symbols} <= {s for frame in fitted for s in frame.symbols}
    with pytest.raises(DataError, match="18 atoms are too few"):
        split_folds(config, [plain[:3]])
    write_frames(folder / "copper.extxyz", plain)
    with pytest.raises(DataError, match="No frame to begin with holds Au"):
        read_run_frames(LearnConfig.parse(values | {"initial": [str(folder / "copper.extxyz")]}))


def test_a_frame_keeps_its_side_and_paths_are_not_cut(folder: Path) -> None:
    values: dict[str, Any] = {"initial": [str(folder / "start.extxyz")], "pool": [str(folder / "pool.extxyz")]}
    values |= {"train": TRAIN, "calibration_fraction": 0.3}
    batches = [labelled(16, 1), *(labelled(6, seed) for seed in (6, 7, 8))]
    for number, batch in enumerate(batches[1:]):
        for k, frame in enumerate(batch):
            frame.info |= {"config_type": "relaxation", "trajectory": f"{number}-{k % 2}"}
    config = LearnConfig.parse(values)
    held: set[str] = set()
    fitted: set[str] = set()
    for count in range(1, 5):
        sides = split_calibration(config, batches[:count])
        now = [{hash_structure(frame) for frame in side} for side in sides]
        assert now[0] >= fitted
        assert now[1] >= held
        assert not now[0] & now[1]
        fitted, held = now
        paths = [{frame.info["trajectory"] for frame in side if "trajectory" in frame.info} for side in sides]
        assert not paths[0] & paths[1]
    assert len(held) == 5 + 6  # two paths of three frames, 30 % of 18 rounded up
    fly = config.model_copy(
        update={"sampling": SamplingConfig(dynamics=DynamicsConfig(on_the_fly=True, uncertainty_threshold=0.1)), "structures": ["-"]}
    )
    for frame in (frame for batch in batches[1:] for frame in batch):
        frame.info["config_type"] = "dynamics"
    assert len(split_calibration(fly, batches)[1]) == 5  # what dynamics stand on is fitted
    assert len(split_calibration(config, batches)[1]) > 5


def folds_of(config: LearnConfig, frames: list[Atoms]) -> list[list[list[Atoms]]]:
    """Sides of each fold, checked: none lacks a frame, and no frame is left out twice."""
    found = [[list(side) for side in one] for one in split_folds(config, [frames])]
    every = sorted(hash_structure(frame) for frame in frames)
    for fitted, out in found:
        assert sorted(hash_structure(frame) for frame in fitted + out) == every
        assert 0 < len(out) <= 0.25 * len(frames) + 2
    held = [hash_structure(frame) for _, out in found for frame in out]
    assert len(set(held)) == len(held)
    return found


def apart(sides: list[list[Atoms]], key: str) -> bool:
    fitted, out = ({frame.info.get(key) for frame in side} - {None} for side in sides)
    return not fitted & out


@pytest.fixture
def fourfold(folder: Path) -> LearnConfig:
    values: dict[str, Any] = {"initial": [str(folder / "start.extxyz")], "pool": [str(folder / "pool.extxyz")]}
    return LearnConfig.parse(values | {"train": TRAIN, "calibration_folds": 4})


def test_folds_leave_whole_trajectories_out_but_not_the_last_of_a_kind(fourfold: LearnConfig) -> None:
    frames = labelled(34, 1)
    for number, frame in enumerate(frames[10:22]):
        frame.info |= {"config_type": "relaxation", "trajectory": str(number // 2)}
    for number, frame in enumerate(frames[22:]):
        frame.info |= {"config_type": "run", "step": number, "source": str(number // 2), "material": "CuAu"}
    frames[1].symbols[0] = "Ag"  # the only one with it
    frames[2].info["config_type"] = "rare"
    atom = frames[0].copy()[:1]
    atom.symbols[:] = "Ag"
    atom.info["config_type"] = "IsolatedAtom"
    found = folds_of(fourfold, [*frames, attach_labels(atom, Labels(0.0, np.zeros((1, 3)), None))])
    assert len(found) == 4
    assert all(apart(sides, "trajectory") and apart(sides, "source") for sides in found)
    held = [frame for _, out in found for frame in out]
    names = [frame.info["name"] for frame in held]
    assert not {"s1-1", "s1-2"} & set(names)
    assert len(held) >= 30
    assert min(sum(f.info["config_type"] == "relaxation" for f in out) for _, out in found) >= 2


def test_a_trajectory_longer_than_a_share_is_fitted_by_all_folds(fourfold: LearnConfig) -> None:
    frames = labelled(28, 1)
    for number, frame in enumerate(frames[16:]):
        frame.info |= {"config_type": "relaxation", "trajectory": "short" if number < 3 else "long"}
    whole = 0
    for seed in range(6):
        first, *others = split_folds(fourfold.model_copy(update={"seed": seed}), [frames])
        assert all(len(out) <= 7 and apart([fitted, out], "trajectory") for fitted, out in others)
        whole += {frame.info.get("trajectory") for frame in first[1]} == {None, "short"}
    assert whole  # the first fold left the short one out, so that the long one was to be dealt


def test_folds_keep_materials_and_their_near_copies_on_one_side(fourfold: LearnConfig) -> None:
    config = fourfold.model_copy(update={"train": fourfold.train.model_copy(update={"hold_out": "material"})})
    frames = labelled(24, 1)
    for number, frame in enumerate(frames):
        frame.info["material"] = f"alloy {number % 8}"
    twins = [frame.copy() for frame in frames[:2]]
    for twin, frame in zip(twins, frames[:2], strict=True):
        attach_labels(twin, get_labels(frame))
        twin.positions += np.random.default_rng(0).normal(scale=1e-5, size=twin.positions.shape)
    twins[0].info["material"], twins[1].info["material"] = "alloy 5", "alloy 6"
    found = folds_of(config, [*frames, *twins])
    assert len(found) == 4
    assert all(apart(sides, "material") for sides in found)
    of = {frame.info["name"]: k for k, (_, out) in enumerate(found[1:]) for frame in out}
    assert len({of.get(name) for name in ("s1-0", "s1-5", "s1-8", "s1-13")}) == 1  # alloys 0 and 5


def test_folds_are_one_force_field(folder: Path) -> None:
    study = {
        "initial": ["start.extxyz"],
        "pool": ["pool.extxyz"],
        "test": "test.extxyz",
        "train": TRAIN | {"epochs": 1},
        "labels_per_round": 4,
        "calibration_folds": 3,
        "stop": {"rounds": 1},
    }
    (folder / "folds.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "folds.yaml", "-o", "folds")
    assert done.returncode == 0, done.stderr
    found = records(folder / "folds")
    assert [one["details"]["n_calibration"] for one in found] == [16, 20]
    first = folder / "folds" / "round-00"
    potential = load("committee:" + ",".join(f"mace:{path}" for path in sorted(first.glob("**/*.model"))))
    test = read_labelled(folder / "test.extxyz")
    mae = error_metrics(compare(test, potential.evaluate(test)))["force_mae"]
    assert found[0]["metrics"]["force_mae"] == pytest.approx(mae, rel=1e-3)
    weights = [
        json.loads((first / place / "committee" / "run.json").read_text())["config"]["seed"]
        for place in (".", "fold-1", "fold-2")
    ]
    assert weights == [1, 3, 5]  # no member twice
    assert len({path.read_bytes() for path in first.glob("**/calibration.extxyz")}) == 3
    kept = {path: path.stat().st_mtime_ns for path in first.glob("fold-*/committee/result.json")}
    (first / "result.json").unlink()  # killed before it was done: what is trained stays
    again = run(folder, "learn", "folds.yaml", "-o", "folds")
    assert again.returncode == 0, again.stderr
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert run(folder, "report", "folds").returncode == 0
    page = (folder / "folds" / "report" / "index.html").read_text()
    assert "doubt, calibrated on 16 frames" in page


def test_a_pool_of_known_frames_is_refused(folder: Path) -> None:
    same = {"initial": [str(folder / "start.extxyz")], "pool": [str(folder / "start.extxyz")], "train": TRAIN}
    with pytest.raises(DataError, match="No frame is left in the pool"):
        read_run_frames(LearnConfig.parse(same | {"test": str(folder / "test.extxyz")}))


def test_a_defect_that_does_not_exist_is_told_before_anything_is_trained(folder: Path) -> None:
    study = copy.deepcopy(LIVE)
    study["sampling"] = {"defects": {"primitive": "sheet.extxyz", "defects": ["v_Ag"], "size": 1}}
    (folder / "typo.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "typo.yaml", "-o", "typo")
    assert done.returncode == 2
    assert "v_Ag" in done.stderr
    assert not (folder / "typo").exists()


FAILING = """
from pathlib import Path
from ase.calculators.emt import EMT

class Failing(EMT):
    def calculate(self, *args, **more):
        word, tried = Path({path!r}).read_text(), Path({path!r} + ".tried")
        if word == "one" and not tried.exists():
            tried.touch()
            raise OSError("no label today")
        if word in {{"frame", "machine"}}:
            raise {{"frame": RuntimeError, "machine": OSError}}[word]("no label today")
        super().calculate(*args, **more)
"""


@pytest.mark.parametrize("cause", ["frame", "machine", "one"])
def test_what_failed_labels_do_to_a_run(folder: Path, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds of frames that cannot be labelled end it, and it can be mended; a machine that fails leaves the round open."""
    word = folder / "word"
    word.write_text(cause)
    (folder / "failing.py").write_text(FAILING.format(path=str(word)))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', '')}")
    study = copy.deepcopy(LIVE)
    study["label"]["settings"]["calculator"] = "failing:Failing"
    study |= {"stop": {"rounds": 1 + 2 * (cause == "frame")}, "sampling": {"rattles": {"count": 1}}}
    (folder / f"{cause}.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", f"{cause}.yaml", "-o", cause)
    inside = folder / cause / "round-00"
    if cause == "frame":
        assert done.returncode == 1
        assert "every label of two rounds in a row failed" in done.stdout
        assert "has no label" in done.stderr
        assert not (folder / cause / "round-02").exists()
        assert not (
            folder / cause / "round-01" / "committee"
        ).exists()  # nothing was learnt: not trained again
        word.write_text("")
        done = run(folder, "learn", f"{cause}.yaml", "-o", cause)
        assert done.returncode == 0, done.stderr
        assert [one["metrics"]["n_train"] for one in records(folder / cause)] == [16, 16, 19, 22]
        return
    assert done.returncode == 2
    assert "no label today" in done.stderr
    assert not (inside / "result.json").exists()
    chosen = (inside / "selected.extxyz").read_text()
    why = json.loads((inside / "selection.json").read_text())
    why["frames"][0]["reason"] = "as before"
    (inside / "selection.json").write_text(json.dumps(why))
    word.write_text("")
    done = run(folder, "learn", f"{cause}.yaml", "-o", cause)
    assert done.returncode == 0, done.stderr
    assert (inside / "selected.extxyz").read_text() == chosen
    found = records(folder / cause)
    assert found[0]["details"]["selected"][0]["reason"] == "as before"  # taken up, not chosen anew
    assert found[0]["metrics"]["label_time"] > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": None}, "give a pool"),
        ({"train": {"n_models": 1}}, "2 or more"),
        ({"strategy": "property"}, "needs a target"),
        ({"per_rounds": 3}, "did you mean `per_round`"),
    ],
)
def test_studies_that_make_no_sense_are_refused(change: dict[str, Any], said: str) -> None:
    base = {"initial": ["a"], "structures": ["b"], "label": {}, "train": {"n_models": 2}}
    with pytest.raises(ConfigError) as error:
        LearnConfig.parse(base | change)
    assert said in str(error.value)


def test_every_sampler_proposes(tmp_path: Path) -> None:
    config = SamplingConfig(
        rattles=RattlesConfig(amplitudes=[0.02, 0.1], count=2),
        strains=StrainsConfig(count=3),
        modes=ThermalModesConfig(temperatures=[50.0, 500.0], count=2),
        defects=RandomDefectsConfig(primitive="-", defects=["v_Cu", "Au_Cu"], size=3, count=6),
        relaxations=RelaxationsConfig(sampling_interval=3),
        dynamics=None,
    )
    primitive = sheet(1)
    primitive.symbols[:] = "Cu"
    found = propose(
        load("ase:ase.calculators.emt:EMT"), [sheet(2)], config, seed=0, folder=tmp_path, primitive=primitive
    )
    counts = {
        name: sum(one.info["sampler"] == name for one in found)
        for name in ("rattle", "strain", "modes", "defects")
    }
    assert counts == {"rattle": 4, "strain": 3, "modes": 4, "defects": 30}
    assert sum(one.info["sampler"] == "relaxation" for one in found) > 1
    start = sheet(2).positions
    spread = [np.std(one.positions - start) for one in found if one.info["sampler"] == "rattle"]
    assert 2 * max(spread[:2]) < min(spread[2:])
    modes = [one for one in found if one.info["sampler"] == "modes"]
    moved = [np.std(one.positions - start) for one in modes]
    assert 0.005 < moved[0] < 0.5
    assert 1.5 * max(moved[:2]) < min(moved[2:])
    assert max(np.linalg.norm(one.positions - start, axis=1).max() for one in modes) < 0.41
    assert not np.allclose(modes[0].positions, modes[1].positions)
    assert {one.info["defect"] for one in found if one.info["sampler"] == "defects"} == {
        "v_Cu",
        "Au_Cu",
        "v_Cu+Au_Cu",
        "v_Cu+v_Cu",
        "Au_Cu+Au_Cu",
    }
    pairs = [one for one in found if one.info.get("defect") == "Au_Cu+Au_Cu"]
    between = {
        round(float(one[[a.symbol == "Au" for a in one]].get_all_distances(mic=True)[0, 1])) for one in pairs
    }
    assert len(between) > 1  # anywhere, not side by side


def test_candidates_keep_the_moments_that_labels_hang_on(tmp_path: Path) -> None:
    start = sheet(2)
    start.set_initial_magnetic_moments([2.0, 1.0, 0.0, -1.0])
    config = SamplingConfig(
        rattles=RattlesConfig(count=1),
        strains=StrainsConfig(count=1),
        modes=ThermalModesConfig(count=1),
        relaxations=RelaxationsConfig(sampling_interval=3),
        dynamics=DynamicsConfig(steps=2, sampling_interval=1),
    )
    found = propose(load("ase:ase.calculators.emt:EMT"), [start], config, seed=0, folder=tmp_path)
    assert {one.info["sampler"] for one in found} == {"rattle", "strain", "modes", "relaxation", "dynamics"}
    for frame in found:
        assert frame.get_initial_magnetic_moments() == pytest.approx([2.0, 1.0, 0.0, -1.0])


def two_models() -> tuple[Atoms, FloatArray]:
    atoms = sheet(2)
    atoms.positions += np.random.default_rng(0).normal(scale=0.03, size=(len(atoms), 3))
    names = COMMITTEE.removeprefix("committee:").split(",")
    return atoms, np.array([force_constants(load(name), atoms) for name in names])


def test_local_modes_keep_the_trace_and_the_order() -> None:
    atoms, each = two_models()
    every = TargetConfig(structure="-", kind="modes", window=(-30.0, 30.0), count=12)
    found = local_frequencies(each, each.mean(axis=0), atoms, every)
    masses = np.repeat(atoms.get_masses(), 3)
    for mine, constants in zip(found, each, strict=True):
        squares = np.sign(mine) * (mine / FREQUENCY_FACTOR) ** 2
        assert squares.sum() == pytest.approx((np.diag(constants) / masses).sum())
    exact = cell_modes(each[0], atoms).frequencies[0]
    np.testing.assert_allclose(
        np.sort(local_frequencies(each[:1], each[0], atoms, every)[0]), exact, atol=1e-6
    )
    few = every.model_copy(update={"atoms": [1], "count": 2})
    assert local_frequencies(each, each[0], atoms, few).shape == (2, 2)
    with pytest.raises(ConfigError, match="needs the pristine sheet"):
        TargetConfig.parse({"structure": "-", "kind": "formation_energy"})


def test_what_is_not_known_moves_the_property(folder: Path) -> None:
    """Spectra keep their number of states; energies of a cell without a defect are known; more labels leave less open."""
    pytest.importorskip("dscribe")
    atoms, _ = two_models()
    potential = load("ase:ase.calculators.emt:EMT")
    frames = read_labelled(folder / "start.extxyz")
    few, many = (Surrogate(frames[:count]) for count in (4, 16))
    ldos = TargetConfig(structure="-", window=(-30.0, 30.0), broadening=0.4)
    found = property_response(potential, few, atoms, ldos)
    assert found.shape == (len(few.directions), 240)
    assert np.abs(found.sum(axis=1)).max() < 1e-3 * np.abs(found).sum(axis=1).max()
    modes = TargetConfig(structure="-", kind="modes", atoms=[1], count=2)
    spans = [np.sqrt((property_response(potential, one, atoms, modes) ** 2).sum()) for one in (few, many)]
    assert 0 < spans[1] < spans[0]
    energy = TargetConfig(structure="-", kind="formation_energy", pristine="-")
    known = property_response(potential, few, sheet(2).repeat((2, 2, 1)), energy, sheet(2))
    np.testing.assert_allclose(known, 0.0, atol=1e-6 * np.abs(few.energy(sheet(2))).max())
    assert np.ptp(property_response(potential, few, atoms, energy, sheet(2))) > 1e-6
