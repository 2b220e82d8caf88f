"""A training run in the isolated environment of a force field that cannot be installed in this one."""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import yaml

from flatforce.core.errors import ModelError
from flatforce.core.results import read_record
from flatforce.models.isolated.environments import clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flatforce.core.progress import Progress
    from flatforce.models.isolated.environments import Environment
    from flatforce.models.training.config import TrainConfig

EXIT_NOT_CONVERGED: Final = 1
"""Exit status of a run that diverged: its result is written and reports the divergence."""

PROGRESS_LINE: Final = re.compile(r"(\d+)/(\d+) (.*)")
"""A line of progress without a terminal: `train: 12/300 force MAE …`."""

MAX_LOG_LINES: Final = 21
"""Number of last lines of the run that are stored."""

SHOWN_LOG_LINES: Final = 6
"""Number of last lines of a failed run that the error shows."""


def train_isolated(
    environment: Environment, config: TrainConfig, folder: Path, *, progress: Progress
) -> dict[str, Any]:
    """Run `flatforce train` in an isolated environment; an interrupted run is resumed.

    Parameters
    ----------
    environment
        Environment of the model's package.
    config
        Settings of the training.
    folder
        Result folder.
    progress
        Called after each epoch.

    Returns
    -------
    Content of the `result.json` that the run in the environment wrote.

    Raises
    ------
    ModelError
        If the run fails.
    """
    settings = config.model_dump(mode="json") | {
        "executors": {name: pool.model_dump(mode="json") for name, pool in config.executors.items()}
    }
    command = [str(environment.python), "-m", "flatforce", "train", "-o", str(folder), "-c"]
    with (
        _write_settings(settings) as settings_file,
        subprocess.Popen(
            [*command, settings_file],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environ(),
        ) as process,
    ):
        log: list[str] = []
        try:
            for line in process.stdout or ():
                match = PROGRESS_LINE.search(line)
                if match is not None:
                    progress(int(match[1]), int(match[2]), match[3].strip())
                log = [*log[1 - MAX_LOG_LINES :], line.rstrip()]
        except BaseException:
            process.kill()
            raise
    if process.returncode not in {0, EXIT_NOT_CONVERGED} or not (folder / "result.json").is_file():
        raise ModelError(
            f"The training failed in the environment of {environment.name}.",
            why=" | ".join(line for line in log[-SHOWN_LOG_LINES:] if line),
            fix=f"build the environment again: flatforce env remove {environment.name}, then flatforce env create "
            f"{environment.name}",
        )
    return read_record(folder)


@contextmanager
def _write_settings(settings: dict[str, Any]) -> Iterator[str]:
    """Write the settings to a temporary file, since the result folder may hold another `train.yaml`, or another run."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as stream:
        yaml.safe_dump(settings, stream, sort_keys=False)
        stream.flush()
        yield stream.name
