"""How an active-learning run divides its frames: initial, test, pool; training and calibration sets; folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from alloy_sheets import TRAIN, make_labelled
from flatforce.active.calibration_folds import split_folds
from flatforce.active.calibration_split import CalibrationSplit, split_calibration
from flatforce.active.config import LearnConfig
from flatforce.active.dynamics_config import DynamicsConfig
from flatforce.active.sampling import SamplingConfig
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frame_files import write_frames
from flatforce.data.frames import Labels, attach_labels, get_labels
from flatforce.data.splits import TRAJECTORY
from flatforce.studies.learn.frames import read_run_frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("splits")
    write_frames(path / "initial.extxyz", make_labelled(16, 1))
    write_frames(path / "pool.extxyz", make_labelled(12, 2))
    write_frames(path / "test.extxyz", make_labelled(5, 3))
    return path


def parse(folder: Path, **settings: Any) -> LearnConfig:
    values: dict[str, Any] = {"initial": [str(folder / "initial.extxyz")], "train": TRAIN}
    return LearnConfig.parse(values | {"pool": [str(folder / "pool.extxyz")]} | settings)


def test_no_frame_is_in_two_subsets(folder: Path) -> None:
    overlapping = folder / "overlapping.extxyz"
    write_frames(overlapping, [*make_labelled(6, 1), *make_labelled(6, 2)])
    labelled = read_run_frames(parse(folder, pool=[str(overlapping)], test_fraction=0.3)).labelled
    initial, test, pool = (
        {frame.info["name"] for frame in frames}
        for frames in (labelled.initial, labelled.test, labelled.pool)
    )
    assert initial
    assert test
    assert pool
    assert not initial & test
    assert not initial & pool
    assert not test & pool


def test_copies_count_once(folder: Path) -> None:
    frames = make_labelled(12, 4)
    write_frames(folder / "copies.extxyz", [*frames, *frames])
    config = parse(folder, initial=[str(folder / "copies.extxyz")], test=str(folder / "test.extxyz"))
    assert len(read_run_frames(config).labelled.initial) == 12


def test_the_calibration_set_has_no_species_of_its_own(folder: Path) -> None:
    copper = make_labelled(12, 4)
    for frame in copper:
        frame.symbols[:] = "Cu"
    gold = make_labelled(1, 5)[0]
    gold.info["config_type"] = "gold"
    config = parse(folder, calibration_fraction=0.4)
    split = split_calibration(config, [[*copper, gold, gold, gold]])
    trained_species = {symbol for frame in split.training_set for symbol in frame.symbols}
    assert split.calibration_set
    assert {symbol for frame in split.calibration_set for symbol in frame.symbols} <= trained_species
    with pytest.raises(DataError, match="18 atoms, which are too few"):
        split_folds(config, [copper[:3]])
    write_frames(folder / "copper.extxyz", copper)
    with pytest.raises(DataError, match="Au occurs in the test set, but in no frame"):
        read_run_frames(
            parse(folder, initial=[str(folder / "copper.extxyz")], test=str(folder / "test.extxyz"))
        )


def test_a_pool_of_initial_frames_is_refused(folder: Path) -> None:
    config = parse(folder, pool=[str(folder / "initial.extxyz")], test=str(folder / "test.extxyz"))
    with pytest.raises(DataError, match="No frame is left in the pool"):
        read_run_frames(config)


def test_a_frame_stays_in_its_set_and_trajectories_are_whole(folder: Path) -> None:
    batches = [make_labelled(16, 1), *(make_labelled(6, seed) for seed in (6, 7, 8))]
    for number, batch in enumerate(batches[1:]):
        for k, frame in enumerate(batch):
            frame.info |= {"config_type": "relaxation", TRAJECTORY: f"{number}-{k % 2}"}
    config = parse(folder, calibration_fraction=0.3)
    calibration: set[str] = set()
    training: set[str] = set()
    for count in range(1, 5):
        split = split_calibration(config, batches[:count])
        assert hashes(split.training_set) >= training
        assert hashes(split.calibration_set) >= calibration
        training, calibration = hashes(split.training_set), hashes(split.calibration_set)
        assert not training & calibration
        assert is_disjoint(split, TRAJECTORY)
    assert len(calibration) == 5 + 6  # two trajectories of three frames, 30 % of 18 rounded up
    dynamics = DynamicsConfig(on_the_fly=True, uncertainty_threshold=0.1)
    on_the_fly = config.model_copy(
        update={"sampling": SamplingConfig(dynamics=dynamics), "structures": ["-"]}
    )
    for frame in (frame for batch in batches[1:] for frame in batch):
        frame.info["config_type"] = "dynamics"
    assert len(split_calibration(on_the_fly, batches).calibration_set) == 5  # none of the dynamics
    assert len(split_calibration(config, batches).calibration_set) > 5


def hashes(frames: list[Atoms]) -> set[str]:
    return {hash_structure(frame) for frame in frames}


def is_disjoint(split: CalibrationSplit, key: str) -> bool:
    """Whether no value of `key` in `info` occurs in both sets."""
    training, calibration = (
        {frame.info.get(key) for frame in frames} - {None}
        for frames in (split.training_set, split.calibration_set)
    )
    return not training & calibration


def checked_folds(config: LearnConfig, frames: list[Atoms]) -> list[CalibrationSplit]:
    """Folds, after checks: each has all frames, and no frame is in two calibration sets."""
    folds = split_folds(config, [frames])
    all_hashes = sorted(hash_structure(frame) for frame in frames)
    for fold in folds:
        members = [*fold.training_set, *fold.calibration_set]
        assert sorted(hash_structure(frame) for frame in members) == all_hashes
        assert 0 < len(fold.calibration_set) <= 0.25 * len(frames) + 2
    calibration = [hash_structure(frame) for fold in folds for frame in fold.calibration_set]
    assert len(set(calibration)) == len(calibration)
    return folds


@pytest.fixture
def fourfold(folder: Path) -> LearnConfig:
    return parse(folder, calibration_folds=4)


def test_folds_leave_out_whole_trajectories_but_not_the_last_frame_of_a_species(
    fourfold: LearnConfig,
) -> None:
    frames = make_labelled(34, 1)
    for number, frame in enumerate(frames[10:22]):
        frame.info |= {"config_type": "relaxation", TRAJECTORY: str(number // 2)}
    for number, frame in enumerate(frames[22:]):
        frame.info |= {"config_type": "run", "step": number, "source": str(number // 2), "material": "CuAu"}
    frames[1].symbols[0] = "Ag"  # the only frame with silver
    frames[2].info["config_type"] = "rare"
    atom = frames[0].copy()[:1]
    atom.symbols[:] = "Ag"
    atom.info["config_type"] = "IsolatedAtom"
    isolated = attach_labels(atom, Labels(0.0, np.zeros((1, 3)), None))
    folds = checked_folds(fourfold, [*frames, isolated])
    assert len(folds) == 4
    assert all(is_disjoint(fold, TRAJECTORY) and is_disjoint(fold, "source") for fold in folds)
    calibration = [frame for fold in folds for frame in fold.calibration_set]
    assert not {"s1-1", "s1-2"} & {frame.info["name"] for frame in calibration}
    assert len(calibration) >= 30
    counts = [
        sum(frame.info["config_type"] == "relaxation" for frame in fold.calibration_set) for fold in folds
    ]
    assert min(counts) >= 2


def test_a_trajectory_that_is_longer_than_a_fold_is_always_trained_on(fourfold: LearnConfig) -> None:
    frames = make_labelled(28, 1)
    for number, frame in enumerate(frames[16:]):
        frame.info |= {"config_type": "relaxation", TRAJECTORY: "short" if number < 3 else "long"}
    n_informative = 0
    for seed in range(6):
        first, *others = split_folds(fourfold.model_copy(update={"seed": seed}), [frames])
        assert all(len(fold.calibration_set) <= 7 and is_disjoint(fold, TRAJECTORY) for fold in others)
        names = {frame.info.get(TRAJECTORY) for frame in first.calibration_set}
        n_informative += names == {None, "short"}
    assert n_informative  # the first fold left out the short one, so that the long one was to be assigned


def test_folds_keep_materials_and_their_near_duplicates_in_one_set(fourfold: LearnConfig) -> None:
    by_material = fourfold.train.model_copy(update={"hold_out": "material"})
    config = fourfold.model_copy(update={"train": by_material})
    frames = make_labelled(24, 1)
    for number, frame in enumerate(frames):
        frame.info["material"] = f"alloy {number % 8}"
    duplicates = [frame.copy() for frame in frames[:2]]
    for duplicate, frame in zip(duplicates, frames[:2], strict=True):
        attach_labels(duplicate, get_labels(frame))
        duplicate.positions += np.random.default_rng(0).normal(scale=1e-5, size=duplicate.positions.shape)
    duplicates[0].info["material"], duplicates[1].info["material"] = "alloy 5", "alloy 6"
    folds = checked_folds(config, [*frames, *duplicates])
    assert len(folds) == 4
    assert all(is_disjoint(fold, "material") for fold in folds)
    fold_of = {frame.info["name"]: k for k, fold in enumerate(folds[1:]) for frame in fold.calibration_set}
    assert len({fold_of.get(name) for name in ("s1-0", "s1-5", "s1-8", "s1-13")}) == 1  # alloys 0 and 5
