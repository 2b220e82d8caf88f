"""A training run in the environment of a force field that cannot be installed here."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from flatforce.core.errors import ModelError
from flatforce.core.results import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flatforce.core.progress import Progress
    from flatforce.models.isolated.environments import Environment
    from flatforce.models.training.config import TrainConfig

FAILED_PHYSICS = 1
"""Exit status of a run that diverged: its result is written and says so."""

STEP = re.compile(r"(\d+)/(\d+) (.*)")
"""A line of progress where there is no terminal: `train: 12/300 force MAE …`."""


def train_isolated(
    environment: Environment, config: TrainConfig, folder: Path, *, progress: Progress
) -> dict[str, Any]:
    """Run `flatforce train` over there; a killed run goes on where it stopped.

    Parameters
    ----------
    environment
        Where the model's package is.
    config
        Settings.
    folder
        Result folder.
    progress
        Told what the run tells.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ModelError
        If the run fails.
    """
    plain = config.model_dump(mode="json") | {
        "executors": {name: pool.model_dump(mode="json") for name, pool in config.executors.items()}
    }
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    words = [str(environment.python), "-m", "flatforce", "train", "-o", str(folder), "-c"]
    with (
        _written(plain) as settings,
        subprocess.Popen(
            [*words, settings], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean
        ) as run,
    ):
        said: list[str] = []
        try:
            for line in run.stdout or ():
                step = STEP.search(line)
                if step is not None:
                    progress(int(step[1]), int(step[2]), step[3].strip())
                said = [*said[-20:], line.rstrip()]
        except BaseException:
            run.kill()
            raise
    if run.returncode not in {0, FAILED_PHYSICS} or not (folder / "result.json").is_file():
        raise ModelError(
            f"The training failed in the environment of {environment.name}.",
            why=" | ".join(line for line in said[-6:] if line),
        )
    return read_record(folder)


@contextmanager
def _written(settings: dict[str, Any]) -> Iterator[str]:
    """Stand the settings in a file of their own: the folder of the run may hold another `train.yaml`, or another run."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as stream:
        yaml.safe_dump(settings, stream, sort_keys=False)
        stream.flush()
        yield stream.name
