"""The frames of a training run: read, split, thinned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_file, hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.curation.run import CurationConfig, curate
from flatforce.data.frames import ISOLATED, config_type, describe, get_labels, read_labelled
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.splits import held_out_hashes, hold_out
from flatforce.models.spec import model_files, split_spec
from flatforce.models.training.targets import split_validation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


NOT_OF_THE_MODEL: Any = {
    "data": True,
    "valid_file": True,
    "split": True,
    "replay": {"data"},
    "device": True,
    "monitor": True,
    "checkpoint_seconds": True,
}
"""Settings that may differ when a run is taken up again; contents of files count, not their names."""


@dataclass(frozen=True)
class TrainingData:
    """Frames of a run, split."""

    fit: list[Atoms]
    test: list[Atoms]
    isolated: list[Atoms]
    """Single atoms, for reference energies."""
    hashes: dict[str, str]
    """Name of each file → hash."""


def load_data(config: TrainConfig) -> TrainingData:
    """Read and split the frames of a run.

    Parameters
    ----------
    config
        Settings.

    Returns
    -------
    The frames; the same for the same files and seed.

    Raises
    ------
    DataError
        If none is named, or nothing is left to train on.
    """
    if not config.data:
        raise DataError(
            "No frames are named to learn from.",
            fix="write `data: [frames.extxyz]` into the settings, or a set that comes along: `data: [wse2-pbe]`",
        )
    paths = [dataset_path(name) for name in config.data]
    every = [frame for path in paths for frame in _read(path, config)]
    isolated = [frame for frame in every if config_type(frame) == ISOLATED]
    frames = [frame for frame in every if config_type(frame) != ISOLATED]
    chosen = set(_held_out(frames, config))
    fit = [f for i, f in enumerate(frames) if i not in chosen]
    unknown = sorted(set(config.config_type_weights) - {config_type(frame) for frame in frames})
    if unknown:
        raise DataError(
            f"No frame is of config type {', '.join(unknown)}, which `config_type_weights` names.",
            fix=f"name some of {', '.join(sorted({config_type(frame) for frame in frames}))}",
        )
    if len(fit) < 2:
        raise DataError("Fewer than two frames are left to train on.", fix="add labelled frames")
    hashes = {name: hash_file(path) for name, path in zip(config.data, paths, strict=True)}
    if config.split is not None:
        hashes["split"] = hash_file(Path(config.split))
    if config.valid_file is not None:
        hashes["valid_file"] = hash_file(dataset_path(config.valid_file))
    for name in config.replay.data if config.replay is not None else []:
        hashes[f"replay: {name}"] = hash_file(dataset_path(name))
    if config.start_from is not None:
        hashes["start_from"] = "+".join(map(hash_file, model_files(config.start_from))) or config.start_from
    return TrainingData(fit, [frames[i] for i in sorted(chosen)], isolated, hashes)


def _held_out(frames: Sequence[Atoms], config: TrainConfig) -> list[int]:
    if config.split is not None:
        out = held_out_hashes(Path(config.split))
        chosen = [k for k, frame in enumerate(frames) if hash_structure(frame) in out]
        if not chosen:
            raise DataError(
                f"None of the frames is held out by {config.split}.", fix="was it made for other frames?"
            )
        return chosen
    split = hold_out_materials if config.hold_out == "material" else hold_out
    return split(frames, fraction=config.test_fraction, seed=config.split_seed)


def identity(config: TrainConfig, hashes: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Tell what makes a run the same: its settings but for where files stand, on what device, and who watches.

    Parameters
    ----------
    config
        Settings.
    hashes
        Of the files, as in `TrainingData`.

    Returns
    -------
    Settings and hashes for `stage_key`.
    """
    plain = config.model_dump(mode="json", exclude=NOT_OF_THE_MODEL)
    if config.start_from is not None:
        plain["start_from"] = split_spec(config.start_from)[0]
    replayed = [] if config.replay is None else config.replay.data
    contents = {f"data {k}": hashes[name] for k, name in enumerate(config.data)}
    contents |= {f"replay {k}": hashes[f"replay: {name}"] for k, name in enumerate(replayed)}
    return plain, contents | {
        name: hashes[name] for name in ("split", "valid_file", "start_from") if name in hashes
    }


def _read(path: Path, config: TrainConfig) -> list[Atoms]:
    """Read frames; single atoms need no forces, which are zero."""
    found = read_labelled(path, need_forces=False)
    if not config.energy_only:
        for frame in found:
            get_labels(frame, need_forces=config_type(frame) != ISOLATED)
    return found


def write_split(folder: Path, config: TrainConfig, data: TrainingData) -> None:
    """Write down which frames are held out, and which are learnt.

    Parameters
    ----------
    folder
        Gets `split.json`.
    config
        Settings.
    data
        The frames.
    """
    content = {
        "seed": config.split_seed,
        "fraction": config.test_fraction,
        "test": {hash_structure(frame): describe(frame) for frame in data.test},
        "learnt": [hash_structure(frame) for frame in data.fit],
    }
    write_text(folder / "split.json", json.dumps(content, indent=1) + "\n")


def fit_and_valid(config: TrainConfig, data: TrainingData, seed: int) -> tuple[list[Atoms], list[Atoms]]:
    """Part training from validation frames; only the former are thinned, so that errors compare.

    Parameters
    ----------
    config
        Settings.
    data
        The frames of the run.
    seed
        Of the member.

    Returns
    -------
    Frames to learn, frames to validate with.

    Raises
    ------
    DataError
        If fewer frames are left than `n_frames`, or those of `valid_file` do not fit the others.
    """
    if config.valid_file is None:
        learnt, valid = split_validation(
            data.fit, fraction=config.valid_fraction, seed=seed, by=config.hold_out
        )
    else:
        learnt, valid = data.fit, _valid_file(config.valid_file, config, data)
    if config.min_energy_step is not None:
        learnt = curate(learnt, CurationConfig(outliers=None, duplicates=None, e_cut=config.min_energy_step)).frames
    if config.n_frames is None:
        return learnt, valid
    if config.n_frames > len(learnt):
        raise DataError(f"n_frames is {config.n_frames}, but there are {len(learnt)} training frames.")
    chosen = np.random.default_rng([seed, 2]).permutation(len(learnt))[: config.n_frames]
    return [learnt[i] for i in sorted(chosen)], valid


def _valid_file(name: str, config: TrainConfig, data: TrainingData) -> list[Atoms]:
    valid = _read(dataset_path(name), config)
    known = {hash_structure(frame) for frame in (*data.fit, *data.test)}
    again = sum(hash_structure(frame) in known for frame in valid)
    strange = species_of(valid) - species_of([*data.fit, *data.test])
    if again or strange:
        raise DataError(
            f"The frames of {name} cannot judge this training.",
            why=f"{again} of them are training or test frames"
            if again
            else f"{', '.join(sorted(strange))} is not in the data",
            fix="give other frames as valid_file",
        )
    return valid


def species_of(frames: Iterable[Atoms]) -> set[str]:
    """Collect the species of frames.

    Parameters
    ----------
    frames
        Any.

    Returns
    -------
    Chemical symbols.
    """
    return {symbol for frame in frames for symbol in frame.get_chemical_symbols()}
