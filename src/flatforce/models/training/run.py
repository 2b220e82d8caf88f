"""A training run, from the data to model files, model cards and the result folder."""

from __future__ import annotations

from concurrent.futures import as_completed
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.claims import claim, is_finished
from flatforce.core.execution.pools import parsl_pool
from flatforce.core.progress import Progress, silent
from flatforce.core.recording import record_outcome
from flatforce.core.results import read_record
from flatforce.models.isolated.environments import PACKAGES, Environment, environment_for
from flatforce.models.spec import split_spec
from flatforce.models.training.data import TrainingData, load_data
from flatforce.models.training.epochs import CHECKPOINT
from flatforce.models.training.identity import run_identity, training_files
from flatforce.models.training.isolated import train_isolated
from flatforce.models.training.member import train_member, train_member_remotely
from flatforce.models.training.member_data import write_split
from flatforce.models.training.outcome import TrainOutcome, data_warnings, trained_spec
from flatforce.models.training.startable import check_startable

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.models.training.config import TrainConfig

GPU_POOL: Final = "gpu"
"""Name of the Parsl pool that trains the members of a committee."""


def train(config: TrainConfig, folder: Path, *, progress: Progress = silent) -> dict[str, Any]:
    """Train one model or a committee; an interrupted run is resumed.

    Parameters
    ----------
    config
        Settings of the training.
    folder
        Result folder: a model file and `NAME.card.json` for each member, `split.json`, `metrics.csv`.
    progress
        Called after each epoch.

    Returns
    -------
    Content of `result.json`; `converged` is False if a member diverged, and `details` holds the spec of the force field.
    """
    environment = _required_environment(config)
    if environment is not None:
        return _locate(train_isolated(environment, config, folder, progress=progress), folder)
    data = load_data(config)
    identity = run_identity(config, data.hashes)
    if is_finished(folder, identity):
        return _locate(read_record(folder), folder)
    check_startable(config, data)
    # a run that ended before its first checkpoint, by a mistake in its settings, may be repeated with others
    started = any(path for name in (CHECKPOINT, "*.card.json") for path in folder.rglob(name))
    with claim(folder, identity, writes=training_files(config), may_restart=not started) as claimed:
        if claimed.finished:
            return _locate(read_record(folder), folder)
        write_split(folder, config, data)
        return record_outcome(
            folder,
            identity,
            lambda: TrainOutcome(
                folder, _train_members(config, data, folder, progress), data_warnings(data, config)
            ),
            config=config.model_dump(mode="json"),
            inputs=data.hashes,
            seed=config.seed,
        )


def _locate(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let the spec name the model files where they are now, since the folder may have been moved."""
    details = result["details"]
    return result | {"details": details | {"spec": trained_spec(folder, details["cards"])}}


def _required_environment(config: TrainConfig) -> Environment | None:
    """Return the isolated environment of the model's package; None if it is installed in this one."""
    kind = config.model.kind if config.start_from is None else split_spec(config.start_from)[0]
    return environment_for(kind) if kind in PACKAGES else None


def _train_members(
    config: TrainConfig, data: TrainingData, folder: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Train all members, one after the other or in parallel on a Parsl pool, and return their cards."""
    members = range(config.n_models)
    if not config.executors:
        return [train_member(member, config, data, folder, progress=progress) for member in members]
    cards = {}
    with parsl_pool(config.executors, GPU_POOL, folder=folder.resolve() / "parsl") as submit:
        futures = {
            submit(train_member_remotely, member, config, str(folder.resolve())): member for member in members
        }
        for n_trained, future in enumerate(as_completed(futures), start=1):
            cards[futures[future]] = future.result()
            progress(n_trained, config.n_models, f"model {futures[future]} is trained")
    return [cards[member] for member in members]
