"""Fixtures for all tests: sheets, frames, a small model."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase.io import write

from flatforce.core import claims
from flatforce.core.trust import trust
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled
from flatforce.models import load
from flatforce.structures.prototypes import monolayer
from flatforce.studies import stage
from flatforce.testing.zoo import make_test_sheet
from metric_names import is_described, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.models import Potential

TEST_KINDS = frozenset({"listing", "other", "sum"})
"""Kinds of stages that tests define."""

os.environ["FLATFORCE_TRUST_FILE"] = str(Path(tempfile.mkdtemp(prefix="flatforce-")) / "trusted.txt")
trust(Path(__file__).with_name("counted_emt.py"))  # a calculator that is not installed


@pytest.fixture(autouse=True)
def no_stage_writes_what_it_does_not_announce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage that any test runs is watched: a folder with a file that it writes could not be refused otherwise.

    The manual must describe every metric that such a stage writes.
    """
    original = claims.claim

    @contextmanager
    def watched(folder: Path, identity: Any, **options: Any) -> Iterator[claims.Claim]:
        before = {path.name for path in folder.glob("*")}
        with original(folder, identity, **options) as claimed:
            yield claimed
        names = {path.name for path in folder.iterdir() if path.is_file()} - before
        assert names <= {*options["writes"], *claims.RECORD_FILES}, identity.kind
        if identity.kind not in TEST_KINDS and (folder / "result.json").is_file():
            record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            metrics = {name: record["units"].get(name, "") for name in record["metrics"]}
            entries = read_entries()
            assert [one for one in metrics.items() if not is_described(*one, entries)] == [], identity.kind

    monkeypatch.setattr(stage, "claim", watched)


@pytest.fixture(scope="session")
def frames() -> list[Atoms]:
    return read_labelled(dataset_path("wse2-pbe"))


@pytest.fixture(scope="session")
def few_frames(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of the primitive cell, a training set that takes seconds."""
    primitive_frames = [frame for frame in frames if len(frame) == 3][:12]
    path = tmp_path_factory.mktemp("frames") / "few.extxyz"
    write(path, primitive_frames, format="extxyz")
    return path


@pytest.fixture
def unit() -> Atoms:
    return monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)


@pytest.fixture
def sheet() -> Atoms:
    """A 2 × 2 WSe2 sheet with strain and random displacements."""
    return make_test_sheet(frozenset({"W", "Se"}))


def random_model(frames: list[Atoms], path: Path, **shape: Any) -> Path:
    """Write a small MACE model with random weights: it obeys exact laws, but is not accurate."""
    import torch

    from flatforce.models.precision import default_dtype
    from flatforce.models.training.architectures import MaceArchitecture
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.initial_model import MemberFrames, make_initial_model

    small = {"hidden_irreps": "4x0e + 4x1o", "r_max": 4.0, "max_ell": 2, "correlation": 2}
    config = TrainConfig(model=MaceArchitecture(**(small | shape)), dtype="float64")
    with default_dtype("float64"):
        learner, _ = make_initial_model(
            config,
            MemberFrames(frames[:4], []),
            seed=0,
            species={"Se", "W"},
            e0s={"Se": -5.0, "W": -10.0},
        )
        learner.module.scale_shift.scale *= 300  # forces of random weights are otherwise a few meV/Å
    learner.save(path)
    assert torch.get_default_dtype() == torch.float32
    return path


@pytest.fixture(scope="session")
def model_file(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small MACE model with random weights."""
    return random_model(frames, tmp_path_factory.mktemp("model") / "random.model")


@pytest.fixture(scope="session")
def potential(model_file: Path) -> Potential:
    return load(f"mace:{model_file}")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)
