"""What makes two training runs the same, so that an interrupted run is continued only with its own settings, and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flatforce.core.identity import Identity
from flatforce.models.spec import split_spec
from flatforce.models.training.epochs import BEST_EPOCH, CHECKPOINT

if TYPE_CHECKING:
    from flatforce.models.training.config import TrainConfig

EXCLUDED_SETTINGS: Final[Any] = {
    "data": True,
    "start_from": True,
    "valid_file": True,
    "split": True,
    "replay": {"data"},
    "device": True,
    "monitor": True,
    "checkpoint_seconds": True,
}
"""Settings that may change when a run is continued; files are identified by their contents, not by their names."""

SPLIT_REVISION: Final = 2
"""Revision of a training with a given split: since the second, its training and validation set are used too."""


MODEL_SUFFIXES: Final = (".model", ".pth.tar", ".matgl", ".nequip.pt")
"""Endings of the model files of all learners."""


def run_identity(config: TrainConfig, hashes: dict[str, str]) -> Identity:
    """Identify a run: by its settings except the paths of files, the device and the monitors, and by contents of files.

    Parameters
    ----------
    config
        Settings of the training.
    hashes
        Hashes of the input files, as in `TrainingData`.

    Returns
    -------
    The identity, which a finished run is compared with.
    """
    replay_files = [] if config.replay is None else config.replay.data
    contents = {f"data {k}": hashes[name] for k, name in enumerate(config.data)}
    contents |= {f"replay {k}": hashes[f"replay: {name}"] for k, name in enumerate(replay_files)}
    contents |= {name: hashes[name] for name in ("split", "valid_file", "start_from") if name in hashes}
    if config.start_from is not None:
        contents["kind of start_from"] = split_spec(config.start_from)[0]
    return Identity(
        "train",
        config.model_dump(mode="json", exclude=EXCLUDED_SETTINGS),
        contents,
        non_default=config.model_dump(mode="json", exclude=EXCLUDED_SETTINGS, exclude_defaults=True),
        partial=True,
        revision=1 if config.split is None else SPLIT_REVISION,
    )


def training_files(config: TrainConfig) -> list[str]:
    """Name the files that a training writes.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    Names in the result folder: split, history, and the models and cards of all members, in any format.
    """
    names, folders = [config.name], [""]
    if config.n_models > 1:
        names = [f"{config.name}-{member}" for member in range(config.n_models)]
        folders = [f"{name}/" for name in names]
    models = [f"{name}{suffix}" for name in names for suffix in (".card.json", *MODEL_SUFFIXES)]
    parts = ["metrics.csv", CHECKPOINT, *(f"{BEST_EPOCH}{suffix}" for suffix in MODEL_SUFFIXES)]
    return ["split.json", *models, *(f"{folder}{part}" for folder in folders for part in parts)]
