"""Pools of workers that run tasks and return futures."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from flatforce.core.errors import MissingDependencyError
from flatforce.core.execution.config import Executor, format_walltime, select_executor, walltime_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

HEARTBEATS = 4
"""Number of signs of life that a node may miss before it counts as lost; Parsl's own default."""


PROGRAMS: Final = Path(sys.executable).parent
"""Folder of Parsl's own programs, whether it is on the path or not."""


class Submit(Protocol):
    """Function that submits a task to a pool."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Run `function(*args)` somewhere; both must be importable and picklable there."""
        ...


@contextmanager
def thread_pool(workers: int) -> Iterator[Submit]:
    """Open a pool of threads, for tasks that wait for processes of their own.

    Parameters
    ----------
    workers
        Number of tasks at the same time.

    Yields
    ------
    Function that submits a task. Tasks that have not started are dropped when an error ends the block.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool.submit
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def parsl_pool(executors: Mapping[str, Executor], name: str, *, folder: Path) -> Iterator[Submit]:
    """Open one of the pools of an `executors` block.

    Parameters
    ----------
    executors
        Pools by name.
    name
        Name of the pool; if only one pool is given, that one is used whatever its name.
    folder
        Folder of Parsl's logs and job scripts.

    Yields
    ------
    Function that submits a task.

    Raises
    ------
    MissingDependencyError
        If Parsl is not installed.
    """
    executor = select_executor(executors, name)
    try:
        import parsl
        from parsl.app.python import PythonApp
    except ImportError as error:
        raise MissingDependencyError(
            "Parsl is not installed.", why=str(error), fix="pip install 'flatforce[scale]'"
        ) from error
    config = parsl.Config(
        executors=[high_throughput(name, executor, folder=folder)],
        retries=executor.retries,
        run_dir=str(folder),
        initialize_logging=False,  # Parsl's own logging leaves its file open
        strategy_period=1 if executor.kind == "local" else 5,
        usage_tracking=0,
    )
    with _write_log(folder):
        kernel = parsl.DataFlowKernel(config)
        try:
            yield lambda function, /, *args: PythonApp(function, data_flow_kernel=kernel, executors=[name])(
                *args
            )
        finally:
            kernel.cleanup()


@contextmanager
def _write_log(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    logger, handler = logging.getLogger("parsl"), logging.FileHandler(folder / "parsl.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    old_level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(old_level)
        handler.close()


def high_throughput(name: str, executor: Executor, *, folder: Path) -> Any:
    """Create Parsl's executor.

    Parameters
    ----------
    name
        Name of the pool.
    executor
        Settings of the pool.
    folder
        Folder of the logs of its workers.

    Returns
    -------
    Parsl's `HighThroughputExecutor`, not started yet; Parsl's types are not checked here.
    """
    from parsl.executors import HighThroughputExecutor

    drain = max(60, walltime_seconds(executor.walltime) - 60 * executor.drain) if executor.drain else None
    return HighThroughputExecutor(
        label=name,
        provider=_provider(executor),
        address="127.0.0.1" if executor.kind == "local" else executor.address,
        cores_per_worker=1e-6,  # so that `max_workers_per_node` alone limits the workers
        max_workers_per_node=executor.workers,
        available_accelerators=executor.gpus_per_node,
        heartbeat_threshold=executor.heartbeat,
        heartbeat_period=max(1, executor.heartbeat // HEARTBEATS),
        drain_period=drain,
        worker_logdir_root=str(folder),
        interchange_launch_cmd=_interchange_command(),
    )


def _interchange_command() -> list[str]:
    """Return a command whose process ends with the driver; otherwise Parsl's interchange keeps running, and with it all blocks."""
    setpriv = shutil.which("setpriv")
    program = str(PROGRAMS / "interchange.py")
    return [setpriv, "--pdeathsig", "KILL", program] if setpriv else [program]


def _provider(executor: Executor) -> Any:
    from parsl.launchers import MpiExecLauncher, SrunLauncher
    from parsl.providers import LocalProvider, PBSProProvider, SlurmProvider

    common = {
        "init_blocks": 1,
        "min_blocks": 0,
        "max_blocks": executor.blocks,
        "nodes_per_block": executor.nodes,
        "worker_init": f"export PATH={shlex.quote(str(PROGRAMS))}:$PATH\n{executor.setup}",
    }
    if executor.kind == "local":
        return LocalProvider(**common | {"init_blocks": executor.blocks, "nodes_per_block": 1})
    common |= {"account": executor.account, "walltime": format_walltime(executor.walltime)}
    common |= {"scheduler_options": executor.options}
    if executor.kind == "slurm":
        return SlurmProvider(
            **common,
            partition=executor.queue,
            cores_per_node=executor.cores_per_node,
            gpus_per_node=executor.gpus_per_node or None,
            exclusive=False,
            launcher=SrunLauncher(overrides="--overlap") if executor.nodes > 1 else _single_node(),
        )
    gpus = f"ngpus={executor.gpus_per_node}" if executor.gpus_per_node else ""
    return PBSProProvider(
        **common,
        queue=executor.queue,
        cpus_per_node=executor.cores_per_node or 1,
        select_options=gpus,
        launcher=MpiExecLauncher() if executor.nodes > 1 else _single_node(),
    )


def _single_node() -> Any:
    from parsl.launchers import SingleNodeLauncher

    return SingleNodeLauncher()
