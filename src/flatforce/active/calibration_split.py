"""Split of the labelled frames into the training set and the calibration set of a committee.

A frame stays in its set in all rounds. Frames of one trajectory are in one set, because neighbouring frames are near-duplicates.
Frames that on-the-fly dynamics proposed are in the training set, because the trajectory continues from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.active.sampling import DYNAMICS
from flatforce.core.errors import DataError
from flatforce.data.frames import ISOLATED, config_type, material_of
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.splits import MIN_FRAMES, group_by_trajectory, hold_out
from flatforce.models.training.data import species_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig


@dataclass(frozen=True)
class CalibrationSplit:
    """Training and calibration set of one committee; no frame is in both."""

    training_set: list[Atoms]
    """Frames that the members are trained on."""
    calibration_set: list[Atoms]
    """Frames that choose the best epoch of the members, and that calibrate their uncertainty."""


def split_calibration(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> CalibrationSplit:
    """Split the labelled frames.

    Parameters
    ----------
    config
        Settings.
    batches
        Labelled frames: the initial ones, then those of each round.

    Returns
    -------
    The split; each species of the calibration set occurs in the training set.

    Raises
    ------
    DataError
        If the calibration set would be empty.
    """
    frames = [frame for batch in batches for frame in batch]
    calibration = _draw_calibration_set(config, batches)
    trained_species = species_of(
        frame for k, frame in enumerate(frames) if k not in calibration and config_type(frame) != ISOLATED
    )
    calibration = {k for k in calibration if set(frames[k].symbols) <= trained_species}
    if not calibration:
        raise DataError(
            f"None of {len(frames)} frames can be held out to calibrate the uncertainty.",
            why="a frame is held out only if its config type has three frames or more and others hold its species",
            fix="add frames of one config type to `initial`",
        )
    return CalibrationSplit(
        [frame for k, frame in enumerate(frames) if k not in calibration],
        [frames[k] for k in sorted(calibration)],
    )


def hold_out_frames(config: LearnConfig, frames: Sequence[Atoms], fraction: float) -> list[int]:
    """Draw frames to be held out, by config type or by material as the training does.

    Parameters
    ----------
    config
        Settings; `train.hold_out` and `seed` are used.
    frames
        Labelled frames.
    fraction
        Fraction of them to be held out.

    Returns
    -------
    Sorted indices into `frames`.
    """
    split = hold_out_materials if config.train.hold_out == "material" else hold_out
    return split(frames, fraction=fraction, seed=config.seed)


def _draw_calibration_set(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> set[int]:
    """Draw the indices of the calibration set: from each batch what its config types still lack of their fraction."""
    initial, *later_batches = batches
    calibration = set(hold_out_frames(config, initial, config.held_out_fraction))
    frames = list(initial)
    for number, batch in enumerate(later_batches, start=1):
        n_previous = len(frames)
        frames += batch
        if config.train.hold_out == "material":
            materials = _draw_materials(config, frames, n_previous, calibration)
            calibration |= materials & _free_indices(config, frames, n_previous)
        else:
            free = _free_indices(config, frames, n_previous)
            calibration |= _draw_trajectories(config, frames, free, calibration, number)
    return calibration


def _free_indices(config: LearnConfig, frames: Sequence[Atoms], n_previous: int) -> set[int]:
    """Return the indices of new frames that may be held out: on-the-fly dynamics continues from those it proposed."""
    return {
        k
        for k in range(n_previous, len(frames))
        if not (config.sampling.on_the_fly and config_type(frames[k]) == DYNAMICS)
    }


def _draw_materials(
    config: LearnConfig, frames: Sequence[Atoms], n_previous: int, calibration: set[int]
) -> set[int]:
    """Draw new materials, and keep each known material in its set; indices of all their frames."""
    calibration_materials = {material_of(frames[k]) for k in calibration}
    known_materials = {material_of(frame) for frame in frames[:n_previous]}
    drawn_indices = hold_out_frames(config, frames, config.held_out_fraction)
    new_materials = {material_of(frames[k]) for k in drawn_indices} - known_materials
    return {
        k for k, frame in enumerate(frames) if material_of(frame) in calibration_materials | new_materials
    }


def _draw_trajectories(
    config: LearnConfig, frames: Sequence[Atoms], free: set[int], calibration: set[int], number: int
) -> set[int]:
    """Draw whole trajectories within each config type until it has its fraction; a known trajectory stays in its set."""
    drawn_indices: set[int] = set()
    config_types = [config_type(frame) for frame in frames]
    for name in sorted({config_types[k] for k in free}):
        members = {k for k, other in enumerate(config_types) if other == name}
        target = math.ceil(config.held_out_fraction * len(members)) if len(members) >= MIN_FRAMES else 0
        trajectories = [
            set(indices) for indices in group_by_trajectory(frames, sorted(members), max_length=target)
        ]
        held_out = calibration & members
        for trajectory in trajectories:
            if trajectory & calibration:  # a known trajectory goes on
                held_out |= trajectory & free
        new_trajectories = [trajectory for trajectory in trajectories if trajectory <= free]
        rng = np.random.default_rng([config.seed, number, *name.encode()])
        for k in rng.permutation(len(new_trajectories)):
            if len(held_out) < target:
                held_out |= new_trajectories[k]
        drawn_indices |= held_out - calibration
    return drawn_indices
