"""Sweeps: every choice once, resumable, judged on validation frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatforce.core.errors import ConfigError, ModelError, ResultError
from flatforce.models.training import run
from flatforce.models.training import sweep as module
from flatforce.models.training.sweep import sweep
from flatforce.models.training.sweep_config import SweepConfig
from flatforce.report.page import write_report

pytest.importorskip("optuna")

SMALL = {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 2}


def config(data: Path, **changes: object) -> SweepConfig:
    train = {"data": [str(data)], "epochs": 1, "stage_two": None, "model": SMALL, "test_fraction": 0.2}
    values = {"train": train, "vary": {"learning_rate": [1e-3, 1e-2], "batch_size": [2, 4]}}
    return SweepConfig.model_validate(values | changes)


@pytest.mark.slow
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
    assert "Training runs, the best first" in page.read_text()


def test_ranges_reach_into_parts_and_whole_numbers(few_frames: Path, tmp_path: Path) -> None:
    vary = {"model.r_max": {"low": 3.5, "high": 4.5}, "batch_size": {"low": 2, "high": 5}}
    result = sweep(config(few_frames, vary=vary, sampler="tpe", trials=2), tmp_path)
    for row in result["details"]["rows"]:
        assert 3.5 <= row["model.r_max"] <= 4.5
        assert row["batch_size"] in {2, 3, 4, 5}  # what was trained, not what was drawn


def test_a_run_that_fails_is_counted_and_not_repeated(few_frames: Path, tmp_path: Path) -> None:
    result = sweep(config(few_frames, vary={"n_frames": [4, 4000]}), tmp_path)
    assert result["metrics"]["n_failed"] == 1
    assert "4000" in result["details"]["rows"][-1]["failed"]
    with pytest.raises(ModelError, match="No training run"):
        sweep(config(few_frames, vary={"n_frames": [4000]}), tmp_path / "none")


def test_other_settings_do_not_go_on(
    few_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", kill)
    with pytest.raises(KeyboardInterrupt):
        sweep(config(few_frames), tmp_path)
    with pytest.raises(ResultError, match="other settings"):
        sweep(config(few_frames, objective="valid_loss"), tmp_path)


def test_mistakes_are_told_before_anything_runs(few_frames: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="learning_rat"):
        sweep(config(few_frames, vary={"learning_rat": [0.1]}), tmp_path)
    alone = {"weights": {"forces": 0.0, "stress": 0.0}}
    with pytest.raises(ConfigError, match="energy-only"):
        sweep(config(few_frames, train=config(few_frames).train | alone), tmp_path)
    with pytest.raises(ValueError, match="sampler: tpe"):
        config(few_frames, vary={"learning_rate": {"low": 0.1, "high": 0.2}})
