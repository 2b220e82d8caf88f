"""One member of a committee: trained, tested, and described by a model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ModelError
from flatforce.core.files import flush_to_disk, write_text
from flatforce.core.progress import Progress, silent
from flatforce.core.results import versions
from flatforce.data.label_origin import label_methods
from flatforce.data.training_range import measure_range
from flatforce.models.errors import ERROR_UNITS, aligned_errors, compare, element_force_errors, error_metrics
from flatforce.models.loading import load
from flatforce.models.model_card import RANGE, training_range
from flatforce.models.potential import Potential
from flatforce.models.precision import default_dtype
from flatforce.models.training.data import TrainingData, load_data, species_of
from flatforce.models.training.epochs import CHECKPOINT, MemberRun, fit
from flatforce.models.training.initial_model import MemberFrames, make_initial_model
from flatforce.models.training.member_data import split_member
from flatforce.models.training.reference_energies import choose_reference_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.learners.base import Learner
    from flatforce.models.training.progression import TrainingHistory


@dataclass(frozen=True)
class TrainedMember:
    """A trained model with everything that its card describes."""

    learner: Learner
    """The model, with its best weights."""
    history: TrainingHistory
    """Best epoch and errors of all epochs."""
    e0s: dict[str, float]
    """Element → reference energy in eV; empty in fine-tuning."""
    train: Sequence[Atoms]
    """Training set, without replayed frames."""
    valid: Sequence[Atoms]
    """Validation set."""
    n_replayed: int
    """Number of replayed frames."""


def train_member_remotely(member: int, config: TrainConfig, folder: str) -> dict[str, Any]:
    """Train one member of a committee in a Parsl worker, which reads the data itself.

    Parameters
    ----------
    member
        Index of the member.
    config
        Settings of the training.
    folder
        Result folder of the run, on a file system that the worker can access.

    Returns
    -------
    Model card of the member: its settings, errors and origin, as plain values.
    """
    return train_member(member, config, load_data(config), Path(folder), progress=silent)


def train_member(
    member: int, config: TrainConfig, data: TrainingData, folder: Path, *, progress: Progress
) -> dict[str, Any]:
    """Train one member of a committee and write its model file and card.

    Parameters
    ----------
    member
        Index of the member, which is added to the seed.
    config
        Settings of the training.
    data
        Frames of the run.
    folder
        Result folder of the run.
    progress
        Called after each epoch.

    Returns
    -------
    Model card of the member; the one in the folder if the member is already trained.
    """
    name = config.name if config.n_models == 1 else f"{config.name}-{member}"
    card_file = folder / f"{name}.card.json"
    if card_file.is_file():
        card: dict[str, Any] = json.loads(card_file.read_text(encoding="utf-8"))
        return card
    member_folder = folder if config.n_models == 1 else folder / name
    member_folder.mkdir(exist_ok=True)
    seed = config.seed + member
    result = _fit_member(config, data, seed, member_folder, progress)
    learner = result.learner
    model_file = folder / f"{name}{learner.suffix}"
    learner.save(model_file)
    potential = Potential(f"{learner.loads_as}:{model_file}", learner.backend())
    card = {
        "file": model_file.name,
        "kind": learner.loads_as,
        "elements": sorted(learner.elements),
        "untrained_elements": sorted(species_of(data.all_frames) - species_of(result.train)),
        "history": str((member_folder / "metrics.csv").relative_to(folder)),
        "e0s": result.e0s,
        "cutoff": learner.cutoff,
        "layers": learner.layers,
        "settings": config.model_dump(mode="json"),
        "seed": seed,
        "data": data.hashes,
        "labels": label_methods([*data.train_valid, *data.test]),
        "split": data.split or None,
        "n_train": len(result.train),
        "n_replayed": result.n_replayed,
        "n_valid": len(result.valid),
        "n_test": len(data.test),
        **_describe_range(config, result.train),
        **_describe_history(result.history),
        "test": held_out_errors(potential, data.test or result.valid),
        "initial_test": initial_errors(config, data.test or result.valid),
        "units": ERROR_UNITS,
        "versions": versions(),
        "wall_time": sum(row["seconds"] for row in result.history.rows),
    }
    if model_file.is_file():
        flush_to_disk(model_file)
    write_text(card_file, json.dumps(card, indent=1) + "\n", durable=True)
    (member_folder / CHECKPOINT).unlink(missing_ok=True)
    return card


def _fit_member(
    config: TrainConfig, data: TrainingData, seed: int, folder: Path, progress: Progress
) -> TrainedMember:
    train, valid = split_member(config, data, seed)
    species = species_of(data.all_frames)
    e0s: dict[str, float] = {}
    if config.start_from is None:
        labelled = [*data.isolated, *train, *valid]
        e0s = choose_reference_energies(labelled, config, species=sorted(species))
    with default_dtype(config.dtype):
        frames = MemberFrames(train, [*valid, *data.test])
        learner, replayed = make_initial_model(config, frames, seed=seed, species=species, e0s=e0s)
        history = fit(
            learner,
            [*train, *replayed],
            valid,
            MemberRun(config, seed, folder),
            progress=progress,
        )
    if history.best_errors is None:
        raise ModelError(
            "The training diverged in its first epoch, so that there is no model.",
            why="the loss is not finite",
            fix="lower learning_rate, or check the frames: flatforce data audit FRAMES",
        )
    return TrainedMember(learner, history, e0s, train, valid, len(replayed))


def _describe_range(config: TrainConfig, train: Sequence[Atoms]) -> dict[str, Any]:
    """Describe distances in the training set, and in that of the initial model; nothing where that one is unknown."""
    measured = measure_range(train)
    if config.start_from is not None:
        initial = training_range(config.start_from)
        if initial is None:
            return {}
        measured = measured.united(initial)
    return {RANGE: measured.as_values()}


def _describe_history(history: TrainingHistory) -> dict[str, Any]:
    errors = history.best_errors or {}
    return {
        "best_epoch": history.best_epoch,
        "epochs": int(history.rows[-1]["epoch"]) + 1,
        "diverged": history.diverged,
        "valid": {name: value for name, value in errors.items() if name.startswith("valid_")},
    }


def initial_errors(config: TrainConfig, frames: Sequence[Atoms]) -> dict[str, float]:
    """Compute the errors of the model that fine-tuning starts from.

    Parameters
    ----------
    config
        Settings of the training.
    frames
        Test set, or validation set if there is none.

    Returns
    -------
    Errors over all frames with the names and units of `ERROR_UNITS` and `ALIGNED_UNITS`; empty without an initial model.
    """
    if config.start_from is None:
        return {}
    potential = load(config.start_from, device=config.device)
    comparison = compare(frames, potential.evaluate(frames))
    return error_metrics(comparison) | aligned_errors(frames, comparison)


def held_out_errors(potential: Potential, frames: Sequence[Atoms]) -> dict[str, Any]:
    """Compute the errors of a trained model for its card.

    Parameters
    ----------
    potential
        The model.
    frames
        Test set, or validation set if there is none.

    Returns
    -------
    Errors over all frames (`all`), by config type (`config_type`) and of the forces by element (`element_force_mae`), with
    the units of `ERROR_UNITS`.
    """
    comparison = compare(frames, potential.evaluate(frames))
    config_types = sorted(set(comparison.frame_group))
    return {
        "all": error_metrics(comparison),
        "config_type": {name: error_metrics(comparison, group=name) for name in config_types},
        "element_force_mae": element_force_errors(comparison),
    }
