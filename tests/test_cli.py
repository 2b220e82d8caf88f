"""The command line: what a user types, and what misuse is answered with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write


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
    (folder / "bad.yaml").write_text("epoch: 3\n")
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


def test_finished_folder_is_not_overwritten(folder: Path) -> None:
    assert run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e").returncode == 0
    before = (folder / "e" / "result.json").read_bytes()
    write(folder / "frames.extxyz", read(folder / "frames.extxyz", ":2"), format="extxyz")
    done = run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e")
    assert done.returncode == 2
    assert "another result" in done.stderr
    assert (folder / "e" / "result.json").read_bytes() == before
