"""Training of a round's force field: one committee, or one for each calibration fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flatforce.active.calibration_folds import split_folds
from flatforce.active.cross_conformal import Fold, UncertainModel
from flatforce.active.uncertainty import DescriptorDistance, committee_uncertainty
from flatforce.data.frame_files import write_frames
from flatforce.models import load
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.outcome import NO_TEST
from flatforce.models.training.run import train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.calibration_split import CalibrationSplit
    from flatforce.active.config import LearnConfig
    from flatforce.core.progress import Progress

TRAIN: Final = "train.extxyz"
"""File of the training set of a committee."""

CALIBRATION: Final = "calibration.extxyz"
"""File of its calibration set, which is also its validation set."""


@dataclass(frozen=True)
class TrainedRound:
    """The force field of a round."""

    model: UncertainModel
    """All members together."""
    folds: list[Fold]
    """The committees of the calibration folds; a single one is the whole force field."""
    warnings: list[str]
    """Warnings of the trainings."""
    training_time: float
    """s, sum over all members."""


@dataclass(frozen=True)
class _Members:
    """Members of one committee."""

    specs: list[str]
    """Name of each model, such as mace:committee/m-0.model."""
    warnings: list[str]
    training_time: float
    """s."""


def train_round(
    config: LearnConfig, batches: Sequence[list[Atoms]], folder: Path, progress: Progress
) -> TrainedRound:
    """Train on all labelled frames; members that are trained already are read.

    Parameters
    ----------
    config
        Settings.
    batches
        Labelled frames: the initial ones, then those of each round.
    folder
        Folder of the round. It receives `train.extxyz`, `calibration.extxyz` and `committee`; `fold-1`, `fold-2`, … hold those of
        the further folds. A round without new labels reads the folder of the round before.
    progress
        Called by the training.

    Returns
    -------
    The force field, its folds, and the warnings of their training.

    Raises
    ------
    DataError
        If too few frames can be held out to calibrate the uncertainty.
    """
    while len(batches) > 1 and not batches[-1]:  # no new labels
        batches, folder = batches[:-1], folder.parent / f"round-{len(batches) - 2:02d}"
    folds: list[Fold] = []
    committees: list[_Members] = []
    for number, split in enumerate(split_folds(config, batches)):
        fold_folder = folder if number == 0 else folder / f"fold-{number}"
        members = _train_committee(config, number, split, fold_folder, progress)
        model = _load_model(config, members.specs, split.training_set)
        folds.append(Fold(model.potential, model.uncertainty, split.calibration_set, split.training_set))
        committees.append(members)
    model = folds[0]
    if len(folds) > 1:
        specs = [spec for members in committees for spec in members.specs]
        model = _load_model(config, specs, [*folds[0].training_set, *folds[0].calibration_set])
    warnings = [text for members in committees for text in members.warnings]
    training_time = sum((members.training_time for members in committees), 0.0)
    return TrainedRound(model, folds, list(dict.fromkeys(warnings)), training_time)


def _load_model(config: LearnConfig, specs: Sequence[str], training_set: Sequence[Atoms]) -> UncertainModel:
    potential = load(specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}")
    if config.uncertainty == "committee":
        return UncertainModel(potential, committee_uncertainty)
    return UncertainModel(potential, DescriptorDistance(training_set))


def _train_committee(
    config: LearnConfig, number: int, split: CalibrationSplit, folder: Path, progress: Progress
) -> _Members:
    """Train the members of one fold; `number` is that of the fold."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in ((TRAIN, split.training_set), (CALIBRATION, split.calibration_set)):
        if not (folder / name).is_file():
            write_frames(folder / name, frames)
    files = {"data": [str(folder / TRAIN)], "valid_file": str(folder / CALIBRATION)}
    specs: list[str] = []
    warnings: list[str] = []
    training_time = 0.0
    seed_offset = number * config.n_members  # no two members of all folds have the same seed
    for k, training in enumerate(config.trainings):
        values = training.model_dump(mode="json") | files
        values |= {"test_fraction": 0.0, "seed": training.seed + seed_offset}
        settings = TrainConfig.parse(values).model_copy(update={"executors": training.executors})
        committee = folder / ("committee" if k == 0 else f"committee-{k}")
        result = train(settings, committee, progress=progress)
        cards = result["details"]["cards"]
        specs += [f"{card['kind']}:{committee / card['file']}" for card in cards]
        training_time += sum(card["wall_time"] for card in cards)
        warnings += [f"training: {text}" for text in result["warnings"] if text != NO_TEST]
        if not result["converged"]:
            warnings.append(
                "The training of a member diverged: lower `learning_rate`, or check the labels with `flatforce data audit`."
            )
    return _Members(specs, warnings, training_time)
