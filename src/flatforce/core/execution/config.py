"""Settings of a pool of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from flatforce.core.config import Config
from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Executor(Config):
    """A pool of Parsl workers; `templates/` holds one for a laptop, for Slurm and for PBS."""

    kind: Literal["local", "slurm", "pbs"] = "local"
    """Who starts the blocks: this machine, or a queue."""
    blocks: PositiveInt = 1
    """Jobs in the queue at most; a lost one is replaced while work is left."""
    nodes: PositiveInt = 1
    """Nodes of a block."""
    workers: PositiveInt = 1
    """Tasks at the same time on each node."""
    cores_per_node: PositiveInt | None = None
    """Cores asked for on each node."""
    gpus_per_node: NonNegativeInt = 0
    """GPUs asked for on each node; each worker sees its own."""
    walltime: str = Field("24:00:00", pattern=r"^(\d+-)?\d+:\d\d:\d\d$")
    """[D-]HH:MM:SS of a block."""
    drain: NonNegativeInt = 0
    """Minutes before the end of a block in which it takes no new task; 0 for none."""
    retries: NonNegativeInt = 2
    """How often a task is given out again after its worker died."""
    queue: str | None = None
    """Partition of Slurm, queue of PBS."""
    account: str | None = None
    """Who pays."""
    options: str = ""
    """Further lines of the job script, `#SBATCH …` or `#PBS …`."""
    setup: str = ""
    """Shell lines run in the job before the workers start: modules, the environment."""
    address: str | None = None
    """Name or IP of this host as the nodes see it; found by Parsl if not given."""
    heartbeat: PositiveInt = 120
    """s without a sign of life after which a node is given up."""


def chosen(executors: Mapping[str, Executor], name: str) -> Executor:
    """Choose a pool.

    Parameters
    ----------
    executors
        Pools by name.
    name
        The one wanted; where only one is given, that one is taken.

    Returns
    -------
    Its settings.

    Raises
    ------
    ConfigError
        If there is no such pool.
    """
    if name in executors:
        return executors[name]
    if len(executors) == 1:
        return next(iter(executors.values()))
    raise ConfigError(
        f"There is no executor `{name}`.",
        why=f"the settings name {', '.join(executors) or 'none'}",
        fix=f"name one `{name}`, or leave only one; `flatforce label --template slurm` prints an example",
    )


def hours(walltime: str) -> str:
    """Write a wall time without days, as every queue and Parsl read it.

    Parameters
    ----------
    walltime
        [D-]HH:MM:SS.

    Returns
    -------
    HH:MM:SS.
    """
    minutes, rest = divmod(seconds(walltime), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"


def seconds(walltime: str) -> int:
    """Turn a wall time into seconds.

    Parameters
    ----------
    walltime
        [D-]HH:MM:SS.

    Returns
    -------
    Seconds.
    """
    days, _, clock = walltime.rpartition("-")
    hour, minute, second = (int(part) for part in clock.split(":"))
    return 86400 * int(days or 0) + 3600 * hour + 60 * minute + second
