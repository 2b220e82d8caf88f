"""Held-out frames, chosen by seed within each config type; trajectories are not split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.hashing import hash_structure
from flatforce.data.frames import ISOLATED, config_type
from flatforce.data.leakage import merge_copies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

MIN_FRAMES = 3
"""Smallest number of frames of a config type from which at least one is held out."""

TRAJECTORY = "trajectory"
"""Key in `info`: frames that a sampler took from one trajectory or relaxation share its value."""


def hold_out(frames: Sequence[Atoms], *, fraction: float, seed: int) -> list[int]:
    """Choose test frames within each config type.

    The choice depends on the content of each frame alone, so that the order of the frames does not matter. Trajectories are
    not split, except those with more frames than are held out; see `group_by_trajectory`.

    Parameters
    ----------
    frames
        All frames.
    fraction
        Fraction of each config type that is held out, rounded up for config types of at least three frames; isolated atoms are
        not held out.
    seed
        Seed of the choice.

    Returns
    -------
    Sorted indices of the held-out frames.
    """
    if fraction <= 0:
        return []
    by_type: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        by_type.setdefault(config_type(frame), []).append(index)
    held_out: list[int] = []
    for name in sorted(by_type):
        indices = by_type[name]
        if name == ISOLATED or len(indices) < MIN_FRAMES:
            continue
        indices.sort(key=lambda index: hash_structure(frames[index]))
        rng = np.random.default_rng([seed, *name.encode()])
        held_out += draw_trajectories(frames, indices, math.ceil(fraction * len(indices)), rng)
    return sorted(held_out)


def draw_trajectories(
    frames: Sequence[Atoms], indices: Sequence[int], min_count: int, rng: np.random.Generator
) -> list[int]:
    """Draw whole trajectories at random (see `group_by_trajectory`), or single frames if all belong to one trajectory.

    Parameters
    ----------
    frames
        All frames.
    indices
        Indices of the frames to draw from.
    min_count
        Number of frames from which on the draw ends.
    rng
        Random generator.

    Returns
    -------
    Indices into `frames` of the drawn ones: `min_count`, or a few more.
    """
    groups = group_by_trajectory(frames, indices, max_length=min_count)
    if len(groups) == 1:
        groups = merge_copies(frames, [[index] for index in indices])
    drawn_indices: list[int] = []
    for k in rng.permutation(len(groups)):
        if len(drawn_indices) < min_count:
            drawn_indices += groups[k]
    return drawn_indices


def group_by_trajectory(
    frames: Sequence[Atoms], indices: Sequence[int], *, max_length: int
) -> list[list[int]]:
    """Group frames that belong to the same subset of a split: neighbours on a trajectory are near-duplicates.

    Parameters
    ----------
    frames
        All frames.
    indices
        Indices of the frames to group.
    max_length
        Number of frames above which an imported run (see `find_trajectories`) is split into single frames, as it would fill
        the subset. What a sampler took from one trajectory is never split.

    Returns
    -------
    Indices of each group, in the order of its first frame.
    """
    trajectories: dict[Any, list[int]] = {}
    for index in indices:
        trajectories.setdefault(_trajectory_name(frames[index]) or index, []).append(index)
    groups: list[list[int]] = []
    for members in trajectories.values():
        is_split = len(members) > max_length and TRAJECTORY not in frames[members[0]].info
        groups += [[index] for index in members] if is_split else [members]
    return merge_copies(frames, groups)


def group_correlated_frames(frames: Sequence[Atoms], *, other_subset: Iterable[Atoms]) -> list[list[int]]:
    """Group frames whose errors are correlated: those of one trajectory, unless it was split.

    Parameters
    ----------
    frames
        Frames of one subset.
    other_subset
        Frames of the other subset. A trajectory with frames there was split, and each of its frames is a group of its own.

    Returns
    -------
    Indices of each group, in the order of its first frame.
    """
    split_names = {_trajectory_name(frame) for frame in other_subset}
    groups: dict[Any, list[int]] = {}
    for index, frame in enumerate(frames):
        name = _trajectory_name(frame)
        groups.setdefault(index if name is None or name in split_names else name, []).append(index)
    return list(groups.values())


def split_trajectory_warnings(train: Iterable[Atoms], test: Iterable[Atoms]) -> list[str]:
    """Warn of trajectories with frames in both the training and the test set.

    Parameters
    ----------
    train
        Frames of the training set.
    test
        Frames of the test set.

    Returns
    -------
    The warning; empty if no trajectory is in both.
    """
    train_names, test_names = (
        {_trajectory_name(frame) for frame in subset} - {None} for subset in (train, test)
    )
    count = len(train_names & test_names)
    if count == 0:
        return []
    subject = "1 trajectory is" if count == 1 else f"{count} trajectories are"
    fix = "test on frames of other runs, or set hold_out: material"
    return [
        f"{subject} in both the training and the test set, so that near-duplicates leak into the test set: {fix}"
    ]


def find_trajectories(frames: Sequence[Atoms]) -> list[list[int]]:
    """Find the runs that frames were taken from: frames of one material and one source, in the order of their steps.

    Parameters
    ----------
    frames
        Frames; those without `step` in `info`, or alone in their run, belong to no trajectory.

    Returns
    -------
    Indices of the frames of each trajectory, in the order of their steps.
    """
    runs: dict[tuple[str, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        if frame.info.get("step") is not None:
            runs.setdefault(_run_name(frame), []).append(index)
    return [
        sorted(members, key=lambda index: int(frames[index].info["step"]))
        for members in runs.values()
        if len(members) > 1
    ]


def _run_name(frame: Atoms) -> tuple[str, ...]:
    return (str(frame.info.get("source", "")), str(frame.info.get("material", "")), str(frame.symbols))


def _trajectory_name(frame: Atoms) -> tuple[str, ...] | None:
    if TRAJECTORY in frame.info:
        return (str(frame.info[TRAJECTORY]),)
    return _run_name(frame) if frame.info.get("step") is not None else None
