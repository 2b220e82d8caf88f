"""Trainings on given splits: every subset of the file, folds, and the folder of another run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

import flatforce as ff
from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_structure
from flatforce.data.config import SplitConfig
from flatforce.data.material_splits import split_by_material
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.data import load_data
from flatforce.models.training.member_data import split_member
from flatforce.models.training.outcome import data_warnings
from flatforce.models.training.run import train
from flatforce.models.training.sweep import sweep
from flatforce.models.training.sweep_config import SweepConfig
from flatforce.models.training_set import trained_on


def small(data: Path, **changes: object) -> TrainConfig:
    shape = {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 1}
    values = {"data": [str(data)], "epochs": 1, "model": shape, "stage_two": None}
    return TrainConfig.parse(values | changes)


def test_all_subsets_of_a_split_are_used(few_frames: Path, tmp_path: Path) -> None:
    """Training, validation and test set are exactly those of `data split`; frames that it does not know are left out."""
    frames = read(few_frames, ":")
    hashes = [hash_structure(frame) for frame in frames]
    subsets = {"train": hashes[:6], "valid": hashes[6:8], "test": hashes[8:11]}
    split = tmp_path / "subsets.json"
    split.write_text(json.dumps({"hash": "abc", "by": "frame", "subsets": subsets}))
    config = small(few_frames, split=str(split), n_models=2)
    data = load_data(config)
    members = [split_member(config, data, seed) for seed in (1, 2)]
    for train_set, valid_set in members:
        assert [hash_structure(frame) for frame in train_set] == subsets["train"]
        assert [hash_structure(frame) for frame in valid_set] == subsets["valid"]
    assert [hash_structure(frame) for frame in data.test] == subsets["test"]
    assert any("1 frames are in no subset" in text for text in data_warnings(data, config))
    result = train(config.model_copy(update={"n_models": 1}), tmp_path / "run")
    card = result["details"]["cards"][0]
    assert card["split"] == {"file": str(split), "hash": "abc", "by": "frame"}
    assert (card["n_train"], card["n_valid"], card["n_test"]) == (6, 2, 3)
    spec = f"mace:{tmp_path / 'run' / 'model.model'}"
    for given in (split, tmp_path / "run", tmp_path / "run" / "split.json"):
        errors = ff.evaluate(spec, str(few_frames), split=given)
        assert errors.force_mae == pytest.approx(result["metrics"]["force_mae"], rel=1e-3)
        assert errors.metrics["n_frames"] == 3
    assert trained_on(spec, frames).tolist() == [True] * 8 + [False] * 4
    assert trained_on(spec, frames, or_validated=False).tolist() == [True] * 6 + [False] * 6
    again = load_data(small(few_frames, split=str(tmp_path / "run")))
    assert [hash_structure(frame) for frame in again.valid] == subsets["valid"]
    assert again.n_excluded == 0  # a run only says what is held out: other frames are trained on
    with pytest.raises(ConfigError, match="valid_file names another one"):
        load_data(config.model_copy(update={"valid_file": str(few_frames)}))


def test_folds_are_held_out_one_by_one(few_frames: Path, tmp_path: Path) -> None:
    frames = read(few_frames, ":")
    settings = SplitConfig(folds=3)
    split = tmp_path / "folds.json"
    content = split_by_material(frames, settings)
    split.write_text(json.dumps(content))
    held_out = []
    for fold in range(3):
        data = load_data(small(few_frames, split=str(split), fold=fold))
        test = {hash_structure(frame) for frame in data.test}
        assert test == set(content["subsets"][f"fold-{fold}"])
        assert test.isdisjoint(hash_structure(frame) for frame in data.train_valid)
        assert len(data.train_valid) + len(data.test) == 12
        held_out += sorted(test)
    assert sorted(held_out) == sorted(hash_structure(frame) for frame in frames)
    for changes, message in (({}, "fold: 0"), ({"fold": 3}, "no fold 3")):
        with pytest.raises(ConfigError, match=message):
            load_data(small(few_frames, split=str(split), **changes))
    with pytest.raises(ConfigError, match="needs split"):
        small(few_frames, fold=0)
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(split_by_material(frames, SplitConfig())))
    with pytest.raises(ConfigError, match="has no folds"):
        load_data(small(few_frames, split=str(whole), fold=0))
    values = small(few_frames, split=str(split)).model_dump(mode="json", exclude={"fold"})
    record = sweep(SweepConfig.parse({"train": values, "vary": {"fold": [0, 1]}}), tmp_path / "sweep")
    rows = record["details"]["rows"]
    assert record["metrics"]["test_force_mae"] == pytest.approx(
        np.mean([row["test_force_mae"] for row in rows])
    )
    first = next(row["folder"] for row in rows if row["fold"] == 0)
    spec = f"mace:{tmp_path / 'sweep' / 'trials' / first / 'model.model'}"
    errors = ff.evaluate(spec, str(few_frames), split=split, fold=0)
    row = next(row for row in rows if row["fold"] == 0)
    assert errors.force_mae == pytest.approx(row["test_force_mae"], rel=1e-3)
    with pytest.raises(ConfigError, match="without a split"):
        ff.evaluate(spec, str(few_frames), fold=0)
