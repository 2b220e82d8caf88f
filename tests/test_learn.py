"""`flatforce learn` on one layer of copper and gold, with EMT in the place of DFT, and retrospective runs."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from ase import units
from ase.calculators.emt import EMT
from ase.io import write

from alloy_sheets import TRAIN, make_labelled, make_sheet
from commands import kill_when, run
from flatforce.active.config import LearnConfig
from flatforce.active.trajectories import read_trajectories
from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_structure
from flatforce.core.trust import trust
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.models import load
from flatforce.models.errors import compare, error_metrics

if TYPE_CHECKING:
    from pathlib import Path

LIVE: dict[str, Any] = {
    "initial": ["initial.extxyz"],
    "test": "test.extxyz",
    "structures": ["sheet.extxyz"],
    "sampling": {
        "rattles": {"count": 2},
        "dynamics": {"steps": 20, "sampling_interval": 5, "temperatures": [300]},
    },
    "label": {"settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}, "workers": 2},
    "train": TRAIN,
    "labels_per_round": 3,
    "calibration_fraction": 0.3,
    "stop": {"rounds": 2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("learn")
    write_frames(path / "initial.extxyz", make_labelled(16, 1))
    write_frames(path / "pool.extxyz", make_labelled(12, 2))
    write_frames(path / "test.extxyz", make_labelled(5, 3))
    write(path / "sheet.extxyz", make_sheet())
    return path


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("round-*/result.json"))]


@pytest.mark.slow
def test_a_live_run_labels_what_it_selected_and_resumes(folder: Path) -> None:
    study = copy.deepcopy(LIVE)
    (folder / "live.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "live.yaml", "-o", "live")
    assert done.returncode == 0, done.stderr
    assert "2 rounds are done" in done.stdout
    assert "no frame was held out" not in done.stdout + done.stderr
    rounds = records(folder / "live")
    assert [record["metrics"]["n_train"] for record in rounds] == [16, 19, 22]
    assert [record["metrics"]["n_labels"] for record in rounds] == [0, 3, 6]
    selected = rounds[0]["details"]["selected"]
    assert {frame["source"] for frame in selected} <= {"rattle", "dynamics"}
    assert all("force uncertainty" in frame["reason"] for frame in selected)
    labelled = read_labelled(folder / "live" / "round-00" / "labelled.extxyz")
    for frame in labelled:
        check = frame.copy()
        check.calc = EMT()
        assert frame.info["REF_energy"] == pytest.approx(check.get_potential_energy(), abs=1e-6)
    models = ",".join(f"mace:{path}" for path in sorted((folder / "live/round-00/committee").glob("*.model")))
    predictions = load(f"committee:{models}").evaluate(labelled)
    for frame, record, prediction in zip(labelled, selected, predictions, strict=True):
        error = np.linalg.norm(prediction.forces - frame.arrays["REF_forces"], axis=1).max()
        assert record["force_error"] == pytest.approx(error, rel=1e-6)  # of the model that selected it
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
    assert "Model card" not in page  # the trainings of a round have no section of their own
    assert "2 rounds are done" in page
    assert selected[0]["name"] in page
    assert [path.stat().st_mtime_ns for path in labels] == stamps
    errors, resumed_errors = (
        [record["metrics"]["force_mae"] for record in results]
        for results in (rounds, records(folder / "live"))
    )
    assert errors == resumed_errors
    study["stop"] = {"rounds": 3, "force_mae": 1e-3}
    study["label"]["workers"] = 1
    (folder / "live.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "live.yaml", "-o", "live")  # an ended run continues where `stop` allows more
    assert "3 rounds are done" in done.stdout
    assert "has 5 frames, too few to end the run by its force error" in done.stderr
    assert [record["metrics"]["n_labels"] for record in records(folder / "live")] == [0, 3, 6, 9]
    assert [path.stat().st_mtime_ns for path in labels] == stamps
    code = (
        "import sys; sys.argv = ['flatforce', 'learn', 'live.yaml', '-o', 'live']; from flatforce.cli import main; main()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True
    )  # a finished run


@pytest.mark.parametrize("while_it", [pytest.param("trains", marks=pytest.mark.slow), "labels"])
def test_a_killed_round_continues(folder: Path, while_it: str) -> None:
    """The same run without a kill ends with the same frames."""
    study = {
        "initial": ["initial.extxyz"],
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
    cache, first_round = folder / killed / "labels", folder / killed / "round-00"
    signals = {"trains": (first_round, "committee/m-0.model"), "labels": (cache, "[!.]*.json")}
    watched_folder, pattern = signals[while_it]
    kill_when(folder, ["learn", "kill.yaml", "-o", killed], lambda: any(watched_folder.glob(pattern)))
    labels = list(cache.glob("[!.]*.json"))  # files that are being written have a dot
    assert bool(labels) == (while_it == "labels")
    assert not (first_round / "result.json").exists()
    stamps = {path: path.stat().st_mtime_ns for path in labels}
    other = study | {"labels_per_round": 3}
    (folder / "other.yaml").write_text(yaml.safe_dump(other))
    done = run(folder, "learn", "other.yaml", "-o", killed)
    assert done.returncode == 2
    assert "unfinished run with other settings" in " ".join(done.stderr.split())
    for name in (killed, "uninterrupted"):
        assert run(folder, "learn", "kill.yaml", "-o", name).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in labels} == stamps
    frames = [
        read_labelled(folder / name / "round-00" / "labelled.extxyz") for name in (killed, "uninterrupted")
    ]
    for resumed, uninterrupted in zip(*frames, strict=True):
        assert np.array_equal(resumed.positions, uninterrupted.positions)
        assert resumed.info["REF_energy"] == uninterrupted.info["REF_energy"]


@pytest.mark.slow
def test_on_the_fly_dynamics_continues_until_all_forces_are_certain(folder: Path) -> None:
    """First a threshold below all uncertainties, then one above them."""
    sampling: dict[str, Any] = {
        "dynamics": {
            "steps": 40,
            "temperatures": [100, 600],
            "uncertainty_threshold": 1e-3,
            "on_the_fly": True,
        }
    }
    study: dict[str, Any] = {
        "initial": ["initial.extxyz"],
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
    rounds = records(folder / "fly")
    times = [[run["time"] for run in record["details"]["trajectories"]] for record in rounds[:-1]]
    assert times == [[2.0, 2.0], [4.0, 4.0], [6.0, 6.0]]  # each stops after one step more
    assert [record["metrics"]["n_labels"] for record in rounds] == [0, 2, 4, 6]
    training_set = read_labelled(folder / "fly" / "round-03" / "train.extxyz")
    train_hashes = {hash_structure(frame) for frame in training_set}
    for number in range(3):  # the frame from which a trajectory continues stays in the training set
        labelled = read_labelled(folder / "fly" / f"round-{number:02d}" / "labelled.extxyz")
        assert {hash_structure(frame) for frame in labelled} <= train_hashes
    first = read_trajectories(folder / "fly" / "round-00" / "trajectories.extxyz", seed=0)
    second = read_trajectories(folder / "fly" / "round-01" / "trajectories.extxyz", seed=0)
    for earlier, later in zip(first, second, strict=True):
        extrapolated = earlier.atoms.positions + earlier.velocities * 2.0 * units.fs
        assert np.abs(later.atoms.positions - extrapolated).max() < 0.02
    sampling["dynamics"]["uncertainty_threshold"] = 1e3
    study |= {
        "uncertainty": "descriptor_distance",
        "train": TRAIN | {"n_models": 1},
    }  # one model is enough for a distance
    (folder / "certain.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "certain.yaml", "-o", "certain")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 trajectories completed all steps" in done.stdout
    assert run(folder, "report", "certain").returncode == 0
    assert "completed all steps" in (folder / "certain" / "report" / "index.html").read_text()


@pytest.mark.parametrize("strategy", ["random", "diversity", "property"])
def test_a_retrospective_run_takes_labels_from_the_pool(folder: Path, strategy: str) -> None:
    study = {
        "initial": ["initial.extxyz"],
        "pool": ["pool.extxyz"],
        "test": "test.extxyz",
        "train": TRAIN | {"epochs": 1},
        "strategy": strategy,
        "labels_per_round": 5,
        "calibration_fraction": 0.3,
        "stop": {"label_budget": 8, "rounds": 9},
    }
    if strategy == "property":
        study["target"] = {"structure": "sheet.extxyz", "atoms": [0], "kind": "modes"}
    (folder / "retrospective.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", "retrospective.yaml", "-o", strategy)
    assert done.returncode == 0, done.stderr
    assert "the label budget of 8 is used up" in done.stdout
    rounds = records(folder / strategy)
    assert [record["metrics"]["n_labels"] for record in rounds] == [0, 5, 8]
    names = [frame["name"] for record in rounds for frame in record["details"]["selected"]]
    assert len(set(names)) == 8
    assert all(name.startswith("s2-") for name in names)


def test_a_committee_of_two_architectures(folder: Path) -> None:
    pytest.importorskip("matgl")
    architecture = {
        "kind": "m3gnet",
        "units": 8,
        "r_max": 4.0,
        "threebody_cutoff": 3.0,
        "num_interactions": 1,
    }
    study = {
        "initial": ["initial.extxyz"],
        "pool": ["pool.extxyz"],
        "test": "test.extxyz",
        "train": TRAIN | {"epochs": 1, "n_models": 1},
        "extra_members": [TRAIN | {"epochs": 1, "n_models": 1, "model": architecture}],
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


@pytest.mark.slow
def test_folds_are_one_force_field(folder: Path) -> None:
    study = {
        "initial": ["initial.extxyz"],
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
    rounds = records(folder / "folds")
    assert [record["details"]["n_calibration"] for record in rounds] == [16, 20]
    first = folder / "folds" / "round-00"
    potential = load("committee:" + ",".join(f"mace:{path}" for path in sorted(first.glob("**/*.model"))))
    test = read_labelled(folder / "test.extxyz")
    mae = error_metrics(compare(test, potential.evaluate(test)))["force_mae"]
    assert rounds[0]["metrics"]["force_mae"] == pytest.approx(mae, rel=1e-3)
    seeds = [
        json.loads((first / fold / "committee" / "run.json").read_text())["config"]["seed"]
        for fold in (".", "fold-1", "fold-2")
    ]
    assert seeds == [1, 3, 5]  # two members each, no seed twice
    assert len({path.read_bytes() for path in first.glob("**/calibration.extxyz")}) == 3
    stamps = {path: path.stat().st_mtime_ns for path in first.glob("fold-*/committee/result.json")}
    (first / "result.json").unlink()  # as if killed: trained members stay
    done = run(folder, "learn", "folds.yaml", "-o", "folds")
    assert done.returncode == 0, done.stderr
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert run(folder, "report", "folds").returncode == 0
    page = (folder / "folds" / "report" / "index.html").read_text()
    assert "Calibration of the uncertainty on 16 frames" in page


def test_a_defect_that_cannot_be_built_is_reported_before_the_training(folder: Path) -> None:
    study = copy.deepcopy(LIVE)
    study["sampling"] = {"defects": {"primitive": "sheet.extxyz", "defects": ["v_Ag"], "supercell": 1}}
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
        cause, marker = Path({path!r}).read_text(), Path({path!r} + ".failed")
        if cause == "once" and not marker.exists():
            marker.touch()
            raise OSError("no label today")
        if cause in {{"frame", "machine"}}:
            raise {{"frame": RuntimeError, "machine": OSError}}[cause]("no label today")
        super().calculate(*args, **more)
"""


@pytest.mark.parametrize("cause", ["frame", "machine", "once"])
def test_failed_labels(folder: Path, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds in which all labels fail end the run, which can continue; if the machine fails, the round stays open."""
    cause_file = folder / "cause"
    cause_file.write_text(cause)
    (folder / "failing.py").write_text(FAILING.format(path=str(cause_file)))
    trust(folder / "failing.py")
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', '')}")
    study = copy.deepcopy(LIVE)
    study["label"]["settings"]["calculator"] = "failing:Failing"
    study |= {"stop": {"rounds": 1 + 2 * (cause == "frame")}, "sampling": {"rattles": {"count": 1}}}
    (folder / f"{cause}.yaml").write_text(yaml.safe_dump(study))
    done = run(folder, "learn", f"{cause}.yaml", "-o", cause)
    first_round, second_round = folder / cause / "round-00", folder / cause / "round-01"
    if cause == "frame":
        assert done.returncode == 1
        assert "every label of two rounds in a row failed" in done.stdout
        assert "failed: " in done.stderr
        assert not (folder / cause / "round-02").exists()
        assert not (second_round / "committee").exists()  # without new labels nothing is trained
        cause_file.write_text("")
        done = run(folder, "learn", f"{cause}.yaml", "-o", cause)
        assert done.returncode == 0, done.stderr
        n_train = [record["metrics"]["n_train"] for record in records(folder / cause)]
        assert n_train == [16, 16, 19, 22]
        return
    assert done.returncode == 2
    assert "no label today" in done.stderr
    assert not (first_round / "result.json").exists()
    selected = (first_round / "selected.extxyz").read_text()
    selection = json.loads((first_round / "selection.json").read_text())
    selection["frames"][0]["reason"] = "as before"
    (first_round / "selection.json").write_text(json.dumps(selection))
    cause_file.write_text("")
    done = run(folder, "learn", f"{cause}.yaml", "-o", cause)
    assert done.returncode == 0, done.stderr
    assert (first_round / "selected.extxyz").read_text() == selected
    rounds = records(folder / cause)
    assert rounds[0]["details"]["selected"][0]["reason"] == "as before"  # read, not selected again
    assert rounds[0]["metrics"]["label_time"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, "give `pool`"),
        ({"train": {"n_models": 1}}, "2 or more"),
        ({"strategy": "property"}, "needs `target`"),
        ({"labels_per_rounds": 3}, "did you mean `labels_per_round`"),
        ({"sampling": {"dynamics": {"on_the_fly": True}}}, "needs uncertainty_threshold"),
    ],
)
def test_inconsistent_studies_are_refused(change: dict[str, Any], message: str) -> None:
    study = {"initial": ["a"], "structures": ["b"], "label": {}, "train": {"n_models": 2}}
    with pytest.raises(ConfigError) as error:
        LearnConfig.parse(study | change)
    assert message in str(error.value)
