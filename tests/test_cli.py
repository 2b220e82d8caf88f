"""The command line: what a user types, and what misuse is answered with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read, write

from flatforce.cli.settings import SETTINGS
from flatforce.data.config import CurationConfig
from flatforce.models.training.config import TrainConfig
from flatforce.properties.phonons.config import DefectPhononConfig


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flatforce", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path, model_file: Path, unit: Atoms, frames: list[Atoms]) -> Path:
    (tmp_path / "m.model").write_bytes(model_file.read_bytes())
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    write(tmp_path / "frames.extxyz", frames[:3], format="extxyz")
    return tmp_path


def test_evaluate_writes_the_promised_metrics(folder: Path) -> None:
    done = run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e")
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "e" / "result.json").read_text())
    assert {"energy_mae", "energy_rmse", "force_mae", "force_rmse", "stress_mae", "stress_rmse"} <= set(
        result["metrics"]
    )
    assert set(result["metrics"]) == set(result["units"])


def test_relax_and_defect_build(folder: Path) -> None:
    done = run(folder, "relax", "m.model", "unit.extxyz", "-o", "r", "--max-force", "0.01")
    assert done.returncode in {0, 1}, done.stderr
    result = json.loads((folder / "r" / "result.json").read_text())
    assert {"energy", "area_per_atom", "max_force", "n_steps"} <= set(result["metrics"])
    assert result["converged"] == (done.returncode == 0)
    done = run(folder, "defect", "build", "unit.extxyz", "v_Se", "-s", "3", "3", "-o", "v.extxyz")
    assert done.returncode == 0, done.stderr
    assert len(read(folder / "v.extxyz")) == 26


def spoil(folder: Path, what: str) -> None:
    path = folder / "frames.extxyz"
    frames = read(path, ":")
    if what == "no forces":
        del frames[1].arrays["REF_forces"]
    elif what == "nan":
        frames[1].arrays["REF_forces"][0, 0] = np.nan
    write(path, frames, format="extxyz")
    if what == "truncated":
        path.write_text(path.read_text()[:-200])
    texts = {"no data": "epochs: 3\n", "nested key": "data: [wse2-pbe]\nstage_two: {begin: 0.5}\n"}
    (folder / "bad.yaml").write_text(texts.get(what, "epoch: 3\n"))
    if what == "output is a file":
        (folder / "out").write_text("mine")
    strange = read(folder / "unit.extxyz")
    strange.symbols[0] = "Mo"
    write(folder / "strange.extxyz", strange, format="extxyz")


@pytest.mark.parametrize(
    ("what", "words", "said"),
    [
        ("missing file", "evaluate m.model none.extxyz", "no frames none.extxyz"),
        ("wrong element", "relax m.model strange.extxyz", "does not know Mo"),
        ("no forces", "evaluate m.model frames.extxyz", "has no REF_forces"),
        ("nan", "evaluate m.model frames.extxyz", "not finite"),
        ("truncated", "evaluate m.model frames.extxyz", "frames.extxyz"),
        ("unknown key", "train -c bad.yaml", "did you mean `epochs`?"),
        ("small supercell", "phonons m.model unit.extxyz -s 2 2", "too small"),
        ("no model", "relax none.model unit.extxyz", "no model none.model"),
        ("nested key", "train -c bad.yaml", "fix: use the known keys: start, weights, learning_rate"),
        ("no data", "train -c bad.yaml", "No frames are named"),
        ("output is a file", "evaluate m.model frames.extxyz", "out is a file"),
        ("no device", "relax m.model unit.extxyz --device tpu", "no device tpu"),
        ("small embedding", "defect phonons m.model unit.extxyz v_Se:top -n 6 --embed 6", "not larger"),
        (
            "no embedding",
            "defect phonons m.model unit.extxyz v_Se:top -n 6 --embed 0",
            "size: Input should be",
        ),
        ("absent element", "data split 2d-pbe-mini --leave-out Xx", "No material holds Xx"),
        ("two splits", "data split 2d-pbe-mini --leave-out Te --folds 3", "not both"),
    ],
)
def test_bad_input_is_answered_with_status_2(folder: Path, what: str, words: str, said: str) -> None:
    spoil(folder, what)
    done = run(folder, *words.split(), "-o", "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert "fix:" in done.stderr or "did you mean" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "out" / "result.json").exists()


def test_settings_are_listed_as_the_yaml_that_is_read(tmp_path: Path) -> None:
    done = run(tmp_path, "settings")
    assert done.returncode == 0, done.stderr
    names = [line[len("flatforce settings ") :][:18].strip() for line in done.stdout.splitlines()]
    assert {"run", "train", "learn", "label", "defect phonons", "alloy"} <= set(names)
    for kind in (DefectPhononConfig, TrainConfig, CurationConfig):  # read back, the list is the default
        (name,) = [name for name, place in SETTINGS.items() if place.endswith(f":{kind.__name__}")]
        said = run(tmp_path, "settings", *name.split()).stdout
        assert kind.parse(yaml.safe_load(said)) == kind()
    said = run(tmp_path, "settings", "learn").stdout
    assert "#  rattles:  # left out by default\n#    # Å, standard" in said
    assert "    # eV/Å. A trajectory ends where a force may be off by more than this" in said
    assert "#train:  # as `flatforce settings train`, here with {n_models: 3}" in said
    assert "\nstrategy: combined  # random | uncertainty | diversity | combined | property\n" in said
    done = run(tmp_path, "settings", "lern")
    assert done.returncode == 2
    assert "There are no settings of `lern`" in done.stderr


def test_a_result_of_another_kind_and_a_turned_cell_are_refused(folder: Path) -> None:
    assert run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e").returncode == 0
    done = run(folder, "defect", "unfold", "e", "-o", "u")
    assert done.returncode == 2
    assert "holds no embedded defect" in done.stderr
    assert "defect phonons --embed" in done.stderr
    turned = read(folder / "unit.extxyz")
    turned.rotate(90, "x", rotate_cell=True)
    write(folder / "turned.extxyz", turned, format="extxyz")
    done = run(folder, "defect", "sites", "turned.extxyz")
    assert done.returncode == 2
    assert "turn the cell" in done.stderr


def test_finished_folder_is_not_overwritten(folder: Path) -> None:
    assert run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e").returncode == 0
    before = (folder / "e" / "result.json").read_bytes()
    write(folder / "frames.extxyz", read(folder / "frames.extxyz", ":2"), format="extxyz")
    done = run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e")
    assert done.returncode == 2
    assert "another result" in done.stderr
    assert (folder / "e" / "result.json").read_bytes() == before
