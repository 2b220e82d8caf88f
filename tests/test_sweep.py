"""Sweeps: every choice once, resumable, judged on validation frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatforce.core.errors import ConfigError
from flatforce.models.training import run
from flatforce.models.training import sweep as module
from flatforce.models.training.sweep import SweepConfig, sweep
from flatforce.report.page import write_report

pytest.importorskip("optuna")

SMALL = {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 2}


def config(data: Path, **changes: object) -> SweepConfig:
    train = {"data": [str(data)], "epochs": 1, "stage_two": None, "model": SMALL, "test_fraction": 0.2}
    values = {"train": train, "vary": {"learning_rate": [1e-3, 1e-2], "batch_size": [2, 4]}}
    return SweepConfig.model_validate(values | changes)


def test_killed_grid_runs_every_choice_once(
    few_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[float, int]] = []
    original = run.train

    def counted(settings, folder):  # type: ignore[no-untyped-def]
        calls.append((settings.learning_rate, settings.batch_size))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(settings, folder)

    monkeypatch.setattr(module, "train", counted)
    with pytest.raises(KeyboardInterrupt):
        sweep(config(few_frames), tmp_path / "s")
    assert not (tmp_path / "s" / "result.json").exists()
    result = sweep(config(few_frames), tmp_path / "s")
    assert len(calls) == 5  # the one that was cut short is done again, none twice
    assert len(set(calls)) == 4
    assert result["metrics"]["n_trials"] == 4
    rows = result["details"]["rows"]
    assert result["metrics"]["best"] == min(row["valid_force_mae"] for row in rows)
    sweep(config(few_frames), tmp_path / "s")
    assert len(calls) == 5
    page = write_report(tmp_path / "s", tmp_path / "page")
    assert "Runs, the best first" in page.read_text()


def test_ranges_reach_into_parts_and_whole_numbers(few_frames: Path, tmp_path: Path) -> None:
    vary = {"model.r_max": {"low": 3.5, "high": 4.5}, "batch_size": {"low": 2, "high": 5}}
    result = sweep(config(few_frames, vary=vary, sampler="tpe", trials=2), tmp_path)
    assert all(3.5 <= row["model.r_max"] <= 4.5 for row in result["details"]["rows"])


def test_mistakes_are_told_before_anything_runs(few_frames: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="learning_rat"):
        sweep(config(few_frames, vary={"learning_rat": [0.1]}), tmp_path)
    with pytest.raises(ValueError, match="sampler: tpe"):
        config(few_frames, vary={"learning_rate": {"low": 0.1, "high": 0.2}})
