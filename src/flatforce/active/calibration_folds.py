"""Folds of the labelled frames: committees that each leave out other frames, so that nearly all frames calibrate.

The first fold is that of `calibration_split`. The frames of its training set are distributed over the calibration sets of the other folds,
one group at a time, where a group is a trajectory, a single frame, or all frames of a material.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.calibration import check_atom_count
from flatforce.active.calibration_split import CalibrationSplit, split_calibration
from flatforce.active.sampling import DYNAMICS
from flatforce.data.frames import ISOLATED, config_type
from flatforce.data.material_splits import material_groups
from flatforce.data.splits import MIN_FRAMES, group_by_trajectory
from flatforce.models.training.data import species_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig

DUPLICATE_TOLERANCE: Final = 0.01
"""Å. Materials that share a near-duplicate stay in one fold."""


def split_folds(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> list[CalibrationSplit]:
    """Split the labelled frames into `calibration_folds` pairs of training and calibration set.

    Parameters
    ----------
    config
        Settings.
    batches
        Labelled frames: the initial ones, then those of each round.

    Returns
    -------
    One split for each committee, the first as `split_calibration` returns it. No frame is in two calibration sets. A
    calibration set is not larger than its fraction, and leaves at least one frame of each species and config type to
    train on; frames that no fold can leave out for that reason, and those that on-the-fly dynamics proposed, are in the
    training set of every fold.

    Raises
    ------
    DataError
        If no frame can be held out, or too few atoms to calibrate the uncertainty; before anything is trained.
    """
    first = split_calibration(config, batches)
    splits = [first]
    for groups in _distribute(config, first):
        held_out = _keep_trainable(config, first, groups)
        if held_out:
            remaining = [frame for k, frame in enumerate(first.training_set) if k not in held_out]
            splits.append(
                CalibrationSplit(
                    [*remaining, *first.calibration_set],
                    [first.training_set[k] for k in sorted(held_out)],
                )
            )
    check_atom_count(sum(len(frame) for split in splits for frame in split.calibration_set))
    return splits


@dataclass(frozen=True)
class _Stratum:
    """Frames of one config type, or one group of materials, that may be left out."""

    members: list[int]
    """Indices into the training set of the first fold."""
    groups: list[list[int]]
    """The members, by trajectory or material: a group is never divided."""


@dataclass(frozen=True)
class _HeldOut:
    """Groups of frames that one fold leaves out."""

    groups: list[set[int]] = field(default_factory=list)

    def count(self, members: Sequence[int] | None = None) -> int:
        """Count the frames, or those of them among `members`."""
        return sum(len(group if members is None else group.intersection(members)) for group in self.groups)


def _distribute(config: LearnConfig, first: CalibrationSplit) -> list[list[set[int]]]:
    """Assign each group to the fold that holds the fewest frames of its stratum: indices into the training set of `first`."""
    folds = [_HeldOut() for _ in range(config.calibration_folds - 1)]
    if not folds:
        return []
    n_frames = len(first.training_set) + len(first.calibration_set)
    capacity = math.ceil(config.held_out_fraction * n_frames)
    rng = np.random.default_rng([config.seed, config.calibration_folds])
    strata = _material_strata if config.train.hold_out == "material" else _config_type_strata
    for stratum in strata(config, first):
        for k in rng.permutation(len(stratum.groups)):
            group = set(stratum.groups[k])
            _assign(group, [fold for fold in folds if fold.count() + len(group) <= capacity], stratum)
    return [fold.groups for fold in folds]


def _assign(group: set[int], folds: Sequence[_HeldOut], stratum: _Stratum) -> None:
    """Add a group to the fold with the fewest frames of its stratum, then with the fewest frames; to none if there is none."""
    if folds:
        min(folds, key=lambda fold: (fold.count(stratum.members), fold.count())).groups.append(group)


def _material_strata(config: LearnConfig, first: CalibrationSplit) -> Iterator[_Stratum]:
    """Yield the frames of each group of materials, which are not divided."""
    frames = [*first.training_set, *first.calibration_set]
    labels = [str(number) for number in material_groups(frames, tolerance=DUPLICATE_TOLERANCE)]
    for label in sorted(set(labels)):
        members = _members(config, first, labels, label)
        if members:
            yield _Stratum(members, [members])


def _config_type_strata(config: LearnConfig, first: CalibrationSplit) -> Iterator[_Stratum]:
    """Yield the frames of each config type that has enough of them, in whole trajectories."""
    labels = [config_type(frame) for frame in [*first.training_set, *first.calibration_set]]
    for label in sorted(set(labels)):
        members = _members(config, first, labels, label)
        if members and labels.count(label) >= MIN_FRAMES:
            max_length = math.ceil(config.held_out_fraction * labels.count(label))
            yield _Stratum(members, group_by_trajectory(first.training_set, members, max_length=max_length))


def _members(config: LearnConfig, first: CalibrationSplit, labels: Sequence[str], label: str) -> list[int]:
    """Return the indices of the frames with a label that may be left out."""
    always_trained = {ISOLATED, DYNAMICS} if config.sampling.on_the_fly else {ISOLATED}
    return [
        k
        for k, frame in enumerate(first.training_set)
        if labels[k] == label and config_type(frame) not in always_trained
    ]


def _keep_trainable(config: LearnConfig, first: CalibrationSplit, groups: Sequence[set[int]]) -> set[int]:
    """Drop the groups whose species or config types would be missing in training: what remains may be left out."""
    held_out = set().union(*groups)
    for group in groups:
        remaining = [frame for k, frame in enumerate(first.training_set) if k not in held_out]
        if not _represents(
            config, [*remaining, *first.calibration_set], [first.training_set[k] for k in group]
        ):
            held_out -= group
    return held_out


def _represents(config: LearnConfig, training_set: Sequence[Atoms], left_out: Sequence[Atoms]) -> bool:
    """Tell whether a training set holds every species of other frames, and every config type that the training needs."""
    sheets = [frame for frame in training_set if config_type(frame) != ISOLATED]
    needed_types = {config_type(frame) for frame in left_out}
    if (
        config.train.hold_out == "material"
    ):  # materials may have a type of their own, unless the loss weights it
        needed_types &= set(config.train.config_type_weights)
    has_species = species_of(left_out) <= species_of(sheets)
    return has_species and needed_types <= {config_type(frame) for frame in sheets}
