"""Checks of a training before it starts: packages, files, the force field that is fine-tuned."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import DataError, FlatforceError, MissingDependencyError
from flatforce.studies.checks import collected
from flatforce.studies.session import Session

if TYPE_CHECKING:
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.sweep_config import SweepConfig

PACKAGE_OF: Final = {
    "mace": ("mace", "mace"),
    "m3gnet": ("matgl", "matgl"),
    "tensornet": ("matgl", "matgl"),
    "matgl": ("matgl", "matgl"),
    "chgnet": ("chgnet", "chgnet"),
}
"""Kind of model → package that it imports, and the extra that installs it; other kinds live in isolated environments."""


def training_problems(config: TrainConfig) -> list[FlatforceError]:
    """Find what would stop a training.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    The problems: packages that are not installed, files that do not exist, and a force field that cannot be fine-tuned.
    """
    from flatforce.data.bundled import dataset_path
    from flatforce.data.split_files import read_split
    from flatforce.models.training.data import check_named

    errors = model_problems(config) + collected(lambda: check_named(config))
    names = [*config.data, *([config.valid_file] if config.valid_file else [])]
    names += [] if config.replay is None else config.replay.data
    for name in dict.fromkeys(names):
        errors += collected(partial(dataset_path, name))
    if config.split is not None:
        errors += collected(partial(read_split, Path(config.split), fold=config.fold))
    return errors


def model_problems(config: TrainConfig) -> list[FlatforceError]:
    """Find what would keep a training from making its model.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    The problems: packages that are not installed, and a force field that cannot be fine-tuned.
    """
    errors = missing_packages(config)
    if config.start_from is not None and not errors:
        session = Session(config.start_from, device=config.device)
        errors += collected(lambda: session.potential)
    return errors


def sweep_problems(config: SweepConfig) -> list[FlatforceError]:
    """Find what would stop a sweep, or make some of its runs fail.

    Parameters
    ----------
    config
        Settings of the sweep.

    Returns
    -------
    The problems: values that a training does not accept, and those that `training_problems` finds for the first run.
    """
    from flatforce.models.training.sweep import settings_with

    choices = {name: values for name, values in config.vary.items() if isinstance(values, list)}
    first = {name: values[0] for name, values in choices.items()}
    changed = [first | {name: value} for name, values in choices.items() for value in values] or [first]
    errors = [
        error for values in changed for error in collected(partial(settings_with, config.train, values))
    ]
    return errors or training_problems(settings_with(config.train, first))


def missing_packages(config: TrainConfig) -> list[FlatforceError]:
    """Find packages that a training needs and that are not installed.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    One error for each, with the command that installs it.
    """
    from flatforce.models.isolated.environments import PACKAGES, environment_for
    from flatforce.models.spec import split_spec

    try:
        kind = config.model.kind if config.start_from is None else split_spec(config.start_from)[0]
    except FlatforceError as error:
        return [error]
    if kind in PACKAGE_OF:
        package, extra = PACKAGE_OF[kind]
        if find_spec(package) is None:
            return [
                MissingDependencyError(
                    f"The training of {kind} needs the package {package}.",
                    fix=f"pip install 'flatforce[{extra}]'",
                )
            ]
    elif kind in PACKAGES:
        return collected(lambda: environment_for(kind))
    return []


def training_species(config: TrainConfig) -> frozenset[str] | None:
    """Read the species of the training set.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    Their symbols; None if a file cannot be read, or there is none.
    """
    species: set[str] = set()
    for name in config.data:
        if collected(partial(_add_species, species, name)):
            return None
    return frozenset(species) or None


def test_set_problems(config: TrainConfig, frames: str) -> list[FlatforceError]:
    """Check that the test set of a training that has not run yet holds some of the frames of an evaluation.

    Parameters
    ----------
    config
        Settings of the training.
    frames
        File of labelled frames, or name of a bundled dataset.

    Returns
    -------
    What is wrong with the training data or with the frames.
    """
    return collected(lambda: _check_test_set(config, frames))


def species_of_frames(frames: str) -> set[str]:
    """Read the species of labelled frames.

    Parameters
    ----------
    frames
        File of labelled frames, or name of a bundled dataset.

    Returns
    -------
    Symbols of the elements that the frames hold.
    """
    from flatforce.data.bundled import dataset_path
    from flatforce.data.frame_files import read_frames

    return {symbol for frame in read_frames(dataset_path(frames)) for symbol in frame.get_chemical_symbols()}


def _add_species(species: set[str], frames: str) -> None:
    species |= species_of_frames(frames)


def _check_test_set(config: TrainConfig, frames: str) -> None:
    from flatforce.core.hashing import hash_structure
    from flatforce.data.bundled import dataset_path
    from flatforce.data.frame_files import read_frames
    from flatforce.models.training.data import load_data

    held_out = {hash_structure(frame) for frame in load_data(config).test}
    if held_out.isdisjoint(map(hash_structure, read_frames(dataset_path(frames)))):
        raise DataError(
            f"None of the frames of {frames} will be in the test set of the training.",
            fix="evaluate the training data, or set evaluate.held_out: false to evaluate all frames",
        )
