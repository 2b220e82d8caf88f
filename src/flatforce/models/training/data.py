"""The frames of a training run: read from files and separated into training, test and isolated-atom frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled
from flatforce.data.frames import ISOLATED, config_type, get_labels
from flatforce.data.split_files import split_path
from flatforce.models.spec import model_files
from flatforce.models.training.splits import choose_subsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


@dataclass(frozen=True)
class TrainingData:
    """Frames of a training run."""

    train_valid: list[Atoms]
    """Frames for training and validation, before each member of a committee separates the two with its own seed."""
    test: list[Atoms]
    """Test set, which the run neither trains on nor validates with."""
    isolated: list[Atoms]
    """Isolated atoms, whose energies may serve as reference energies."""
    hashes: dict[str, str]
    """Name of each input file → hash of its content."""
    valid: list[Atoms] = field(default_factory=list)
    """Validation set that the split names, which all members share; empty if each separates its own from `train_valid`."""
    n_excluded: int = 0
    """Number of frames that were left out, since they are in no subset of the split."""
    split: dict[str, Any] = field(default_factory=dict)
    """File, hash and fold of the split; empty if it was drawn."""

    @property
    def all_frames(self) -> list[Atoms]:
        """Frames of all subsets, without isolated atoms."""
        return [*self.train_valid, *self.valid, *self.test]


def load_data(config: TrainConfig) -> TrainingData:
    """Read and split the frames of a training run.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    The frames; the same for the same files and seeds.

    Raises
    ------
    DataError
        If no file is given, or fewer than two frames are left to train on.
    """
    check_named(config)
    all_frames = [frame for name in config.data for frame in read_training_frames(dataset_path(name), config)]
    isolated = [frame for frame in all_frames if config_type(frame) == ISOLATED]
    frames = [frame for frame in all_frames if config_type(frame) != ISOLATED]
    subsets = choose_subsets(frames, config)
    others = {*subsets.test, *subsets.valid, *subsets.excluded}
    train_valid = [frame for index, frame in enumerate(frames) if index not in others]
    _check_weighted_config_types(config, frames)
    if len(train_valid) < 2:
        raise DataError("Fewer than two frames are left to train on.", fix="add labelled frames to `data`")
    return TrainingData(
        train_valid,
        [frames[index] for index in subsets.test],
        isolated,
        hash_inputs(config),
        valid=[frames[index] for index in subsets.valid],
        n_excluded=len(subsets.excluded),
        split=subsets.origin,
    )


def check_named(config: TrainConfig) -> None:
    """Refuse a training without data.

    Parameters
    ----------
    config
        Settings of the training.

    Raises
    ------
    DataError
        If no file and no dataset is named.
    """
    if not config.data:
        raise DataError(
            "No training data are given.",
            fix="write `data: [frames.extxyz]` into the settings, or name a bundled dataset: `data: [wse2-pbe]`",
        )


def read_training_frames(path: Path, config: TrainConfig) -> list[Atoms]:
    """Read labelled frames and check that each has the labels that the loss needs.

    Parameters
    ----------
    path
        File of labelled frames.
    config
        Settings of the training.

    Returns
    -------
    The frames. Isolated atoms need no forces, and no frame does if only energies are fitted.
    """
    frames = read_labelled(path, need_forces=False)
    if not config.energy_only:
        for frame in frames:
            get_labels(frame, need_forces=config_type(frame) != ISOLATED)
    return frames


def _check_weighted_config_types(config: TrainConfig, frames: Sequence[Atoms]) -> None:
    config_types = {config_type(frame) for frame in frames}
    unknown = sorted(set(config.config_type_weights) - config_types)
    if unknown:
        raise DataError(
            f"No frame has the config type {', '.join(unknown)}, which `config_type_weights` names.",
            fix=f"use the config types of the data: {', '.join(sorted(config_types))}",
        )


def hash_inputs(config: TrainConfig) -> dict[str, str]:
    """Hash every file that a training run reads.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    Name of each input → hash of its content.
    """
    hashes = {name: hash_file(dataset_path(name)) for name in config.data}
    if config.split is not None:
        hashes["split"] = hash_file(split_path(Path(config.split)))
    if config.valid_file is not None:
        hashes["valid_file"] = hash_file(dataset_path(config.valid_file))
    for name in config.replay.data if config.replay is not None else []:
        hashes[f"replay: {name}"] = hash_file(dataset_path(name))
    if config.start_from is not None:
        hashes["start_from"] = "+".join(map(hash_file, model_files(config.start_from))) or config.start_from
    return hashes


def species_of(frames: Iterable[Atoms]) -> set[str]:
    """Collect the elements of frames.

    Parameters
    ----------
    frames
        Structures.

    Returns
    -------
    Chemical symbols of all elements that occur.
    """
    return {symbol for frame in frames for symbol in frame.get_chemical_symbols()}
