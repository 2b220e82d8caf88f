"""Commands that evaluate many structures keep what is finished: killed with SIGKILL, they compute none of it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.io import write

from alloy_sheets import make_labelled, make_sheet
from commands import kill_when, run
from counted_emt import COUNT, DELAY
from flatforce.core import checkpoint
from flatforce.core.checkpoint import Checkpoint
from flatforce.models.potential import Potential
from flatforce.models.resumable import evaluate_resumably
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import Relaxation

SPEC = "ase:counted_emt:Counted"

KILLED_AFTER = 12
"""Evaluations after which a run is killed."""

COMMANDS = {
    "relax": ["relax", SPEC, "sheet.extxyz", "-c", "relax.yaml"],
    "evaluate": ["evaluate", SPEC, "frames.extxyz"],
    "benchmark": ["benchmark", "relax", SPEC, "frames.extxyz", "-c", "benchmark.yaml"],
    "alloy": ["alloy", "energies", "-c", "alloy.yaml", "--model", SPEC],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sheet = make_sheet(2)
    sheet.rattle(0.1, seed=3)
    write(tmp_path / "sheet.extxyz", sheet, format="extxyz")
    frames = make_labelled(40, seed=1)
    for number, frame in enumerate(frames):
        frame.info |= {"material": f"m{number // 4}", "step": number % 4}
    write(tmp_path / "frames.extxyz", frames, format="extxyz")
    relaxation = {"max_force": 1e-3, "max_steps": 40, "relax_cell": False}
    layer = make_sheet(1)
    layer.symbols = "Cu"
    write(tmp_path / "layer.extxyz", layer, format="extxyz")
    alloy = {"name": "CuAu", "species": ["Cu", "Au"], "file": "layer.extxyz", "site": "Cu"}
    settings: dict[str, Any] = {
        "relax": relaxation,
        "benchmark": {"relax": relaxation | {"max_steps": 10}},
        "alloy": {"alloy": alloy, "max_cells": 3, "energies": {"max_distance": 0.6}},
    }
    for name, content in settings.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def count(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_run_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv(COUNT, str(folder / "whole.count"))
    assert run(folder, *COMMANDS[command], "-o", "whole").returncode in {0, 1}
    whole = count(folder / "whole.count")
    assert whole > 2 * KILLED_AFTER
    monkeypatch.setenv(COUNT, str(folder / "cut.count"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    with monkeypatch.context() as patch:
        patch.setenv(DELAY, "0.02")
        words = [*COMMANDS[command], "-o", "cut"]
        kill_when(folder, words, lambda: count(folder / "cut.count") >= KILLED_AFTER)
    assert any((folder / "cut").rglob("*.checkpoint"))
    assert not (folder / "cut" / "result.json").exists()
    assert run(folder, *words).returncode in {0, 1}
    assert (
        count(folder / "cut.count") <= whole + 2
    )  # the one that was cut off, and one whose result was not on disk yet
    ours, theirs = (json.loads((folder / name / "result.json").read_text()) for name in ("cut", "whole"))
    assert ours["metrics"] == theirs["metrics"]
    assert ours["warnings"] == theirs["warnings"]
    names = {path.name for path in (folder / "whole").iterdir()}
    assert {path.name for path in (folder / "cut").iterdir()} == names  # no scratch is left
    for name in names - {"result.json", "run.json", "arrays.npz"}:
        assert (folder / "cut" / name).read_bytes() == (folder / "whole" / name).read_bytes(), name
    if "arrays.npz" in names:
        with np.load(folder / "cut" / "arrays.npz") as one, np.load(folder / "whole" / "arrays.npz") as other:
            for name in other.files:
                np.testing.assert_array_equal(one[name], other[name])


class Interruption(BaseException):
    pass


def test_batches_of_a_force_field_go_on_with_the_same_numbers(
    potential: Potential, sheet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sheets that share batches: the state of every optimiser is kept, so that later batches are composed alike."""
    monkeypatch.setattr(checkpoint, "MIN_INTERVAL", 0.0)
    monkeypatch.setattr(checkpoint, "MAX_COST", float("inf"))
    monkeypatch.setattr(potential.backend, "batch_atoms", 2 * len(sheet))
    sheets = []
    for seed in range(4):
        rattled = sheet.copy()
        rattled.rattle(0.02 * (seed + 1), seed=seed)
        sheets.append(rattled)
    config = RelaxConfig(max_steps=3, max_force=1e-6)
    whole = relax_many(potential, sheets, config)
    evaluations = potential.backend.predict
    calls: list[int] = []

    def interrupted(frames: Any, *, stress: bool) -> Any:
        calls.append(len(frames))
        if len(calls) == 6:
            raise Interruption
        return evaluations(frames, stress=stress)

    with monkeypatch.context() as patch:
        patch.setattr(potential.backend, "predict", interrupted)
        with pytest.raises(Interruption):
            relax_many(potential, sheets, config, checkpoint=tmp_path / "r")
    resumed = relax_many(potential, sheets, config, checkpoint=tmp_path / "r")
    for one, other in zip(resumed, whole, strict=True):
        assert isinstance(one, Relaxation)
        assert isinstance(other, Relaxation)
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.atoms.positions, other.atoms.positions)
        np.testing.assert_array_equal(one.atoms.cell, other.atoms.cell)
    predictions = evaluate_resumably(potential, sheets, checkpoint=tmp_path / "p")
    monkeypatch.setattr(potential.backend, "predict", interrupted)
    calls[:] = [0] * 5  # any evaluation would be interrupted now
    again = evaluate_resumably(potential, sheets, checkpoint=tmp_path / "p")
    assert [prediction.energy for prediction in again] == [prediction.energy for prediction in predictions]


def test_a_damaged_or_foreign_state_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MIN_INTERVAL", 0.0)
    path = tmp_path / "state"
    Checkpoint(path, "a").save(lambda: [1, 2])
    assert Checkpoint(path, "a").load() == [1, 2]
    assert Checkpoint(path, "b").load() is None
    path.write_bytes(path.read_bytes()[:-3])
    assert Checkpoint(path, "a").load() is None
    Checkpoint(None, "a").save(lambda: [1, 2])


def test_states_cost_a_small_part_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that takes 1 s to write is written every 50 s, a small one every 5 s."""
    clock = [0.0]
    monkeypatch.setattr("flatforce.core.checkpoint.time.monotonic", lambda: clock[0])
    kept = Checkpoint(tmp_path / "state", "a")
    times: list[float] = []

    def state(cost: float) -> float:
        times.append(clock[0])
        clock[0] += cost
        return cost

    for _ in range(100):
        clock[0] += 1.0
        kept.save(lambda: state(1.0))
    assert times == [5.0, 56.0]
