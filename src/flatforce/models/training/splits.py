"""Training, validation and test sets of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError, DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import config_type
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.split_files import read_split
from flatforce.data.splits import draw_trajectories, hold_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


@dataclass(frozen=True)
class Subsets:
    """Subsets of the frames of a run, as sorted indices."""

    test: list[int]
    """Test set."""
    valid: list[int]
    """Validation set that the split names; empty if each member of a committee draws its own."""
    excluded: list[int]
    """Frames in no subset of the split, which are left out."""
    origin: dict[str, Any]
    """What a model card records of the split; empty if it was drawn."""


def choose_subsets(frames: Sequence[Atoms], config: TrainConfig) -> Subsets:
    """Choose the subsets of a run: those of a given split, or a fraction for the test set drawn with `split_seed`.

    Parameters
    ----------
    frames
        All frames except isolated atoms.
    config
        Settings of the training.

    Returns
    -------
    The subsets; all other frames are for training, and for validation if `valid` is empty.

    Raises
    ------
    DataError
        If the given split holds out none of the frames.
    """
    if config.split is None:
        draw = hold_out_materials if config.hold_out == "material" else hold_out
        return Subsets(draw(frames, fraction=config.test_fraction, seed=config.split_seed), [], [], {})
    split = read_split(Path(config.split), fold=config.fold)
    hashes = [hash_structure(frame) for frame in frames]
    test, valid = (
        [k for k, key in enumerate(hashes) if key in subset] for subset in (split.test, split.valid)
    )
    if not test and (split.test or not valid):
        raise DataError(
            f"None of the frames is in the test set of {config.split}.",
            why="the split may have been made for other frames",
            fix="give the split.json of a run with the same data, or set test_fraction instead of split",
        )
    if valid and config.valid_file is not None:
        raise ConfigError(
            f"{config.split} has a validation set, and valid_file names another one.",
            fix="leave out valid_file, or give a split without validation set",
        )
    known = split.train | split.valid | split.test
    excluded = [k for k, key in enumerate(hashes) if split.is_complete and key not in known]
    return Subsets(test, valid, excluded, {"file": config.split, **split.origin})


def split_validation(
    frames: Sequence[Atoms], *, fraction: float, seed: int, by: str = "config_type"
) -> tuple[list[Atoms], list[Atoms]]:
    """Split off a validation set within each config type, or by material.

    A config type of few frames contributes no validation frame: the training set would lose much of what it holds of this
    type, and the epochs would be ranked by a single frame of it.

    Parameters
    ----------
    frames
        Labelled frames.
    fraction
        Fraction of each config type, rounded; at least one frame in total.
    seed
        Seed of the choice.
    by
        `config_type`, or `material` to draw whole materials.

    Returns
    -------
    Training set and validation set.

    Raises
    ------
    DataError
        If there are fewer than two frames.
    """
    if len(frames) < 2:
        raise DataError("Training needs at least two frames.", fix="add labelled frames to `data`")
    if by == "material":
        valid_indices = set(hold_out_materials(frames, fraction=fraction, seed=seed))  # at least one frame
    else:
        valid_indices = _draw_by_config_type(frames, fraction, np.random.default_rng(seed))
    train = [frame for index, frame in enumerate(frames) if index not in valid_indices]
    return train, [frames[index] for index in sorted(valid_indices)]


def _draw_by_config_type(frames: Sequence[Atoms], fraction: float, rng: np.random.Generator) -> set[int]:
    by_type: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        by_type.setdefault(config_type(frame), []).append(index)
    valid_indices: set[int] = set()
    for name in sorted(by_type):
        indices = by_type[name]
        valid_indices |= set(draw_trajectories(frames, indices, round(fraction * len(indices)), rng))
    return valid_indices or {int(rng.choice(max(by_type.values(), key=len)))}
