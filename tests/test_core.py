"""Errors, configuration, result folders."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import PositiveInt

from flatforce.core.claims import is_finished
from flatforce.core.config import Config, read_yaml
from flatforce.core.errors import ConfigError, GeometryError, ResultError
from flatforce.core.files import write_atomically
from flatforce.core.identity import Identity
from flatforce.core.results import Record, read_arrays, read_record, write_record
from flatforce.models.training.config import TrainConfig


class Inner(Config):
    cutoff: float = 1.0


class Outer(Config):
    inner: Inner = Inner()
    steps: int = 3


def test_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(GeometryError("what", why="why", fix="fix")))  # our own bytes
    assert isinstance(error, GeometryError)
    assert str(error) == "what\n  why: why\n  fix: fix"


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Outer.parse({"stepz": 4, "inner": {"cutof": 2.0}, "steps": "many"}, source="a.yaml")
    text = str(caught.value)
    assert "a.yaml: 3 invalid setting(s)" in text
    assert "did you mean `steps`?" in text
    assert "did you mean `cutoff`?" in text
    assert "many" in text


def test_nested_defaults_of_training_are_valid() -> None:
    assert TrainConfig.parse({}).stage_two is not None
    assert TrainConfig.parse({"stage_two": None}).stage_two is None


def test_yaml_must_be_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="contains no settings"):
        Outer.from_yaml(tmp_path / "a.yaml")


def record(**changes: float) -> Record:
    return Record("test", {"x": 1}, dict(changes), dict.fromkeys(changes, "eV"), {"file": "abc"})


def test_a_result_is_read_back_and_claimed(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    write_record(folder, record(energy=1.5), {"a": np.arange(3)})
    assert read_record(folder)["metrics"] == {"energy": 1.5}
    np.testing.assert_array_equal(read_arrays(folder)["a"], np.arange(3))
    same = Identity("test", {"x": 1}, {"file": "abc"})
    assert is_finished(folder, same)
    for other in (
        replace(same, settings={"x": 2}),
        replace(same, inputs={"file": "changed"}),
        replace(same, kind="relax"),
    ):
        with pytest.raises(ResultError, match="another result"):
            is_finished(folder, other)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ResultError, match="could not be written"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_result_is_strict_json(tmp_path: Path) -> None:
    write_record(tmp_path, Record("test", {}, {"a": float("nan"), "b": 1.0}, {"a": "THz", "b": "1"}))

    def refuse(name: str) -> None:
        raise AssertionError(name)

    content = json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)
    assert content["metrics"] == {"a": None, "b": 1.0}


class Numbers(Config):
    epochs: PositiveInt = 1
    rate: float | None = None
    seed: int = 0
    enabled: bool = False
    either: bool | int = 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 1\nepochs: 2\n", "`epochs` stands twice"),
        ("epochs: true\n", "is a number, not"),
        ("rate: false\n", "is a number, not"),
        ("seed: -1\n", "seed is an integer from"),
        ("seed: 99999999999999999999\n", "seed is an integer from"),
        ("rate: " + "[" * 3000 + "]" * 3000 + "\n", "nested too deeply"),
    ],
)
def test_settings_that_yaml_or_python_would_accept(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Numbers.from_yaml(path)


def test_settings_of_the_right_kind_pass(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("base: &base {epochs: 3}\n")
    assert read_yaml(path) == {"base": {"epochs": 3}}
    path.write_text("enabled: true\neither: true\nseed: 4294967295\nrate: 1\n")
    numbers = Numbers.from_yaml(path)
    assert (numbers.enabled, numbers.either, numbers.seed, numbers.rate) == (True, True, 2**32 - 1, 1.0)
