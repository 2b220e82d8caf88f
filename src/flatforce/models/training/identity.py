"""What makes two training runs the same, so that an interrupted run is continued only with its own settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ModelError
from flatforce.core.files import write_text
from flatforce.core.identity import Identity
from flatforce.models.spec import split_spec

if TYPE_CHECKING:
    from pathlib import Path

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


def check_same_run(folder: Path, identity: Identity, *, started: bool = True) -> None:
    """Refuse to continue a run that was started with other settings.

    Parameters
    ----------
    folder
        Result folder.
    identity
        What identifies the run.
    started
        Whether the folder holds a checkpoint or a model. A run that ended before its first, by a mistake in its settings,
        may be repeated with others.

    Raises
    ------
    ModelError
        If the folder holds an unfinished run with other settings.
    """
    marker = folder / "run.json"
    current = {"key": identity.key, "config": identity.settings, "inputs": identity.inputs}
    if started and marker.is_file() and _stored_key(marker) != identity.key:
        raise ModelError(
            f"{folder} holds an unfinished run with other settings or data.",
            why="continuing from its checkpoint would mix two runs",
            fix="choose another folder with -o, or delete that one",
        )
    write_text(marker, json.dumps(current, indent=1) + "\n")


def _stored_key(marker: Path) -> str | None:
    key: str | None = json.loads(marker.read_text(encoding="utf-8")).get("key")
    return key
