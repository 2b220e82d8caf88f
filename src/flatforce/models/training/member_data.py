"""Training and validation set of one member of a committee, and the record of the split."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.config import CurationConfig
from flatforce.data.curation.run import curate
from flatforce.data.frames import describe
from flatforce.data.leakage import structure_key
from flatforce.models.training.data import read_training_frames, species_of
from flatforce.models.training.splits import split_validation
from flatforce.models.training_set import initial_training_set

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.data import TrainingData


def split_member(config: TrainConfig, data: TrainingData, seed: int) -> tuple[list[Atoms], list[Atoms]]:
    """Separate the training from the validation set of one member.

    Only the training set is thinned by `min_energy_step` and `n_frames`, so that validation errors of runs with different
    training sets can be compared.

    Parameters
    ----------
    config
        Settings of the training.
    data
        Frames of the run.
    seed
        Seed of the member.

    Returns
    -------
    Training set and validation set.

    Raises
    ------
    DataError
        If the training set has fewer frames than `n_frames`, or the frames of `valid_file` cannot be used.
    """
    train, valid = _split_train_valid(config, data, seed)
    if config.min_energy_step is not None:
        steps = CurationConfig(outliers=None, duplicates=None, min_energy_step=config.min_energy_step)
        train = curate(train, steps).frames
    if config.n_frames is None:
        return train, valid
    if config.n_frames > len(train):
        raise DataError(
            f"n_frames is {config.n_frames}, but the training set has {len(train)} frames.",
            fix=f"set n_frames to at most {len(train)}, or add frames to `data`",
        )
    order = np.random.default_rng([seed, 2]).permutation(len(train))[: config.n_frames]
    return [train[index] for index in sorted(order)], valid


def write_split(folder: Path, config: TrainConfig, data: TrainingData) -> None:
    """Write the split of a run: `train`, `valid` and `test` frames by the hashes of their structures.

    `train` holds all frames that a member may be trained on, including those that `n_frames` or `min_energy_step` leave out.
    `initial` is the training set of the model that a fine-tuning starts from. `structures` describes them, so that their copies are known. `shared_valid` tells whether no member is trained on the validation frames. Else they are those of the first member, and
    the other members of a committee draw their own from `train` and `valid` together.

    Parameters
    ----------
    folder
        Folder in which `split.json` is written.
    config
        Settings of the training.
    data
        Frames of the run.
    """
    train, valid = _split_train_valid(config, data, config.seed)
    content = {
        "seed": config.split_seed,
        "fraction": config.test_fraction,
        **({"split": data.split} if data.split else {}),
        "shared_valid": config.valid_file is not None or bool(data.valid) or config.n_models == 1,
        "train": [hash_structure(frame) for frame in train],
        "valid": [hash_structure(frame) for frame in valid],
        "test": {hash_structure(frame): describe(frame) for frame in data.test},
        "structures": {hash_structure(frame): structure_key(frame) for frame in [*train, *valid]},
    }
    if config.start_from is not None and (initial := initial_training_set(config.start_from)):
        content["initial"] = initial
    write_text(folder / "split.json", json.dumps(content, indent=1) + "\n")


def _split_train_valid(config: TrainConfig, data: TrainingData, seed: int) -> tuple[list[Atoms], list[Atoms]]:
    if config.valid_file is not None:
        return data.train_valid, _read_valid_file(config.valid_file, config, data)
    if data.valid:
        return data.train_valid, data.valid
    return split_validation(data.train_valid, fraction=config.valid_fraction, seed=seed, by=config.hold_out)


def _read_valid_file(name: str, config: TrainConfig, data: TrainingData) -> list[Atoms]:
    valid = read_training_frames(dataset_path(name), config)
    other_frames = data.all_frames
    other_hashes = {hash_structure(frame) for frame in other_frames}
    n_duplicates = sum(hash_structure(frame) in other_hashes for frame in valid)
    unknown_species = species_of(valid) - species_of(other_frames)
    if n_duplicates or unknown_species:
        raise DataError(
            f"The frames of {name} cannot serve as validation set.",
            why=f"{n_duplicates} of them are in the training or test set"
            if n_duplicates
            else f"{', '.join(sorted(unknown_species))} does not occur in the data",
            fix="give other frames as valid_file",
        )
    return valid
