"""Training, validation and test sets of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import config_type
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.splits import draw_trajectories, hold_out, read_test_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


def choose_test_frames(frames: Sequence[Atoms], config: TrainConfig) -> list[int]:
    """Choose the test set of a run: the one of a given split, or a fraction drawn with `split_seed`.

    Parameters
    ----------
    frames
        All frames except isolated atoms.
    config
        Settings of the training.

    Returns
    -------
    Sorted indices of the test frames.

    Raises
    ------
    DataError
        If the given split holds out none of the frames.
    """
    if config.split is None:
        split = hold_out_materials if config.hold_out == "material" else hold_out
        return split(frames, fraction=config.test_fraction, seed=config.split_seed)
    test_hashes = read_test_hashes(Path(config.split))
    test_indices = [index for index, frame in enumerate(frames) if hash_structure(frame) in test_hashes]
    if not test_indices:
        raise DataError(
            f"None of the frames is in the test set of {config.split}.",
            why="the split may have been made for other frames",
            fix="give the split.json of a run with the same data, or set test_fraction instead of split",
        )
    return test_indices


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
