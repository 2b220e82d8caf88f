"""Killed with SIGKILL at any moment, a run goes on and ends with the same result."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.io import write

from commands import kill_when, start

LENNARD_JONES = "ase:ase.calculators.lj:LennardJones?rc=5.0&cutoff=5.0&sigma=2.2"


def run_to_the_end(folder: Path, words: list[str]) -> None:
    """Status 1 is physics (an untrained model is unstable), not a failure of the run."""
    assert start(folder, words).wait() in {0, 1}, (folder / "stderr.txt").read_text()


def has_rows(table: Path, count: int) -> bool:
    return table.is_file() and table.read_text().count("\n") > count


def metrics(folder: Path) -> dict[str, float]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return {name: float("nan") if x is None else x for name, x in result["metrics"].items()}


@pytest.fixture
def tiny_training(few_frames: Path) -> dict[str, Any]:
    return {
        "data": [str(few_frames)],
        "model": {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 2},
        "epochs": 12,
        "checkpoint_seconds": 0,
    }


@pytest.mark.slow
def test_training(tmp_path: Path, tiny_training: dict[str, Any]) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(tiny_training))
    run_to_the_end(tmp_path, ["train", "-c", "t.yaml", "-o", "whole"])
    for epochs in (2, 9):  # before and in stage two
        words = ["train", "-c", "t.yaml", "-o", "cut"]
        kill_when(tmp_path, words, partial(has_rows, tmp_path / "cut" / "metrics.csv", epochs))
        assert not (tmp_path / "cut" / "result.json").exists()
    run_to_the_end(tmp_path, words)
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")


@pytest.mark.slow
def test_defect_phonons(tmp_path: Path, unit: Any) -> None:
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    settings = {"relaxation": {"relax_cell": False, "max_steps": 5}, "points_per_segment": 4}
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(settings))
    words = ["defect", "phonons", LENNARD_JONES, "unit.extxyz", "v_Se:top", "-s", "5", "5", "-c", "d.yaml"]
    run_to_the_end(tmp_path, [*words, "-o", "whole"])
    cut = tmp_path / "cut" / "5x5"
    kill_when(tmp_path, [*words, "-o", "cut"], lambda: any(cut.rglob("relaxation.npz")))
    kill_when(tmp_path, [*words, "-o", "cut"], lambda: any(cut.rglob("defect/row-*.npz")))
    assert not (cut / "result.json").exists()
    run_to_the_end(tmp_path, [*words, "-o", "cut"])
    assert metrics(cut) == pytest.approx(metrics(tmp_path / "whole" / "5x5"), rel=1e-9)


@pytest.mark.slow
def test_study(tmp_path: Path, tiny_training: dict[str, Any]) -> None:
    """What `demo` is made of: a study with training, killed in two of its stages."""
    study = {
        "structure": {"prototype": "2H", "elements": ["W", "Se"], "a": 3.3, "thickness": 3.35},
        "train": tiny_training,
        "evaluate": {"frames": tiny_training["data"][0]},
        "relax": {"max_steps": 30, "keep_symmetry": True},
        "phonons": {"supercell": [4, 4], "mesh": 12},
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(study))
    run_to_the_end(tmp_path, ["run", "s.yaml", "-o", "whole"])
    cut = tmp_path / "cut"
    signs = [cut / "train" / "metrics.csv", cut / "phonons" / "run.json"]
    for sign in signs:
        kill_when(tmp_path, ["run", "s.yaml", "-o", "cut"], sign.exists)
    run_to_the_end(tmp_path, ["run", "s.yaml", "-o", "cut"])
    for stage in ("train", "evaluate", "relax", "phonons"):
        assert metrics(cut / stage) == pytest.approx(
            metrics(tmp_path / "whole" / stage), rel=1e-9, nan_ok=True
        ), stage
    with (
        np.load(cut / "phonons" / "arrays.npz") as ours,
        np.load(tmp_path / "whole/phonons/arrays.npz") as whole,
    ):
        assert np.allclose(ours["bands"], whole["bands"], atol=1e-9)
    assert (cut / "report" / "index.html").is_file()
