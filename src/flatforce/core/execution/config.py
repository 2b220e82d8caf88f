"""Settings of a pool of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from flatforce.core.config import Config
from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


NAME: Final = r"^[\w.,:@+/-]+$"
"""Names of queues and accounts, which stand in lines of the job script: no spaces, quotes or line breaks."""


class Executor(Config):
    """A pool of Parsl workers; `flatforce label --template laptop | slurm | pbs` prints examples."""

    kind: Literal["local", "slurm", "pbs"] = "local"
    """What starts the blocks (jobs): this machine, or a queue."""
    blocks: PositiveInt = 1
    """Largest number of blocks (jobs) in the queue; a lost block is replaced while work is left."""
    nodes: PositiveInt = 1
    """Number of nodes that one block (job) requests."""
    workers: PositiveInt = 1
    """Number of tasks at the same time on each node."""
    cores_per_node: PositiveInt | None = None
    """Number of cores requested on each node."""
    gpus_per_node: NonNegativeInt = 0
    """Number of GPUs requested on each node; each worker uses one of its own."""
    walltime: str = Field("24:00:00", pattern=r"^(\d+-)?\d+:\d\d:\d\d$")
    """Time limit of a block, as [D-]HH:MM:SS."""
    drain: NonNegativeInt = 0
    """Time before the end of a block during which it starts no new task, in minutes; 0 for none."""
    retries: NonNegativeInt = 2
    """Number of times that a task is restarted after its worker died."""
    queue: str | None = Field(None, pattern=NAME)
    """Name of the partition (Slurm) or queue (PBS)."""
    account: str | None = Field(None, pattern=NAME)
    """Account that is charged for the jobs."""
    options: str = ""
    """Further lines of the job script, `#SBATCH …` or `#PBS …`."""
    setup: str = ""
    """Shell commands that run in the job before the workers start, such as loading modules and an environment."""
    address: str | None = None
    """Name or IP address of this host as the nodes see it; Parsl finds it if null."""
    heartbeat: PositiveInt = 120
    """Time without a sign of life after which a node counts as lost, in s."""


def select_executor(executors: Mapping[str, Executor], name: str) -> Executor:
    """Select a pool by name.

    Parameters
    ----------
    executors
        Pools by name.
    name
        Name of the pool; if only one pool is given, that one is selected whatever its name.

    Returns
    -------
    Settings of the pool that has this name.

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
        fix=f"name one `{name}`, or give only one; `flatforce label --template slurm` prints an example",
    )


def format_walltime(walltime: str) -> str:
    """Write a wall time without days, as every queue and Parsl accept it.

    Parameters
    ----------
    walltime
        Wall time as [D-]HH:MM:SS.

    Returns
    -------
    Wall time as HH:MM:SS.
    """
    minutes, seconds = divmod(walltime_seconds(walltime), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def walltime_seconds(walltime: str) -> int:
    """Convert a wall time to seconds.

    Parameters
    ----------
    walltime
        Wall time as [D-]HH:MM:SS.

    Returns
    -------
    The wall time as a whole number of seconds.
    """
    days, _, clock = walltime.rpartition("-")
    hour, minute, second = (int(number) for number in clock.split(":"))
    return 86400 * int(days or 0) + 3600 * hour + 60 * minute + second
