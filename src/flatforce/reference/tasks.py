"""One frame as a task: a file that any worker on the shared file system can take up.

`python -m flatforce.reference.tasks TASK.json` does what a worker does; job arrays call it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.io.jsonio import encode

from flatforce.core.execution.locks import held
from flatforce.core.files import write_text
from flatforce.reference.config import spins
from flatforce.reference.worker import RANKS, UNWRITTEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.reference.config import LabelConfig

OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)

ENDED_FROM_OUTSIDE = tuple(status for one in OUTSIDE for status in (-one, 128 + one))
"""Statuses of a process at the end of a job's wall time, or out of memory: the frame is not to blame and is tried again."""

_stopping = threading.Event()
_processes: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()


def write_task(key: str, atoms: Atoms, config: LabelConfig, *, cache: Path) -> Path:
    """Write all that a worker has to know.

    Parameters
    ----------
    key
        Names the task, its outcome and its logs.
    atoms
        The frame; only species, positions, cell and periodicity are kept, and initial magnetic moments if spins count.
    config
        Settings.
    cache
        Folder of outcomes; tasks and logs stand below it.

    Returns
    -------
    The file of the task.
    """
    bare = atoms.copy()
    bare.info, bare.calc = {}, None
    bare.set_constraint()
    kept = {"numbers", "positions", *(["initial_magmoms"] if spins(config.settings) else [])}
    for name in set(bare.arrays) - kept:
        del bare.arrays[name]
    task = cache / "tasks" / f"{key}.json"
    (cache / "logs").mkdir(exist_ok=True)
    content = {
        "structure": json.loads(encode(bare)),
        "settings": config.settings.model_dump(mode="json"),
        "machine": config.machine.model_dump(mode="json"),
        "launcher": config.launcher,
        "threads": config.threads,
        "timeout": config.timeout,
        "outcome": str(cache / f"{key}.json"),
        "log": str(cache / "logs" / f"{key}.txt"),
    }
    write_text(task, json.dumps(content))
    return task


def read_outcome(path: Path) -> dict[str, Any] | None:
    """Read what became of a task.

    Parameters
    ----------
    path
        File of the outcome.

    Returns
    -------
    Its content; None if absent or damaged.
    """
    if not path.is_file():
        return None
    try:
        outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return None
    return outcome if "status" in outcome else None


def run_task(task: str) -> str:
    """Compute a task's frame in a process of its own, unless that has been done.

    A lock keeps two workers, such as one left over by a driver that died and one of the next driver, from
    computing the same frame.

    Parameters
    ----------
    task
        File of the task.

    Returns
    -------
    Name of the file.
    """
    path = Path(task)
    lock = path.with_suffix(".lock")
    with held(lock, give_up=_stopping.is_set) as mine:
        if mine is not None and path.is_file():
            _run(json.loads(path.read_text(encoding="utf-8")), path, lock=mine)
        if mine is not None and not path.is_file():
            lock.unlink(missing_ok=True)  # who waits for it finds no task
    return path.name


def stands(outcome: dict[str, Any], *, timeout: float) -> bool:
    """Tell whether an outcome is the last word on its frame.

    Parameters
    ----------
    outcome
        What a worker left.
    timeout
        s that a frame may take now.

    Returns
    -------
    True for labels and for failures of the code; False for those of the machine, and where there was less time.
    """
    if outcome["status"] == "done":
        return True
    return bool(outcome.get("lasting", True)) and float(outcome.get("timeout", timeout)) >= timeout


def _run(content: dict[str, Any], task: Path, *, lock: int) -> None:
    outcome = Path(content["outcome"])
    if read_outcome(outcome) is None:
        outcome.unlink(missing_ok=True)  # a damaged one
        failed = {"status": "failed"} | _wait(content, task, lock)
        if read_outcome(outcome) is None and not _stopping.is_set():
            write_text(outcome, json.dumps(failed))
    if not _stopping.is_set():
        task.unlink(missing_ok=True)


def _wait(content: dict[str, Any], task: Path, lock: int) -> dict[str, Any]:
    """Run the worker; what to write where it leaves no outcome."""
    command = [*content["launcher"], sys.executable, "-m", "flatforce.reference.worker", str(task)]
    environment = {
        name: value for name, value in os.environ.items() if name not in RANKS
    }  # of this process, not its own
    environment["OMP_NUM_THREADS"] = str(content["threads"])
    if content["launcher"]:
        environment["GPAW_MPI_BACKEND"] = "cgpaw"  # GPAW under plain python computes on one rank otherwise
    errors = Path(content["log"]).with_suffix(".err")
    with errors.open("wb") as stream:
        with _guard:
            if _stopping.is_set():
                return {"reason": "stopped"}
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                pass_fds=[lock],  # outlives this process as long as the worker does
            )
            _processes.add(process)
        try:
            code = process.wait(content["timeout"])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return {"reason": f"no result after {content['timeout']:.0f} s", "timeout": content["timeout"]}
        finally:
            with _guard:
                _processes.discard(process)
            if process.stdin:
                process.stdin.close()
    if code in ENDED_FROM_OUTSIDE:
        raise InterruptedError(f"ended from outside with status {code}")
    if code == UNWRITTEN:
        raise OSError(f"the worker could not write its result beside {task}: the disk may be full")
    return {"reason": f"the worker ended with status {code}; see {errors}"}


@contextmanager
def stopped_on_error() -> Iterator[None]:
    """End the processes that threads of this process wait for, and start no more, when the block fails."""
    try:
        yield
    except BaseException:
        with _guard:
            _stopping.set()
            for process in _processes:
                process.kill()
        raise


def allow_tasks() -> None:
    """Let threads start processes again, once those of a failed block are over."""
    _stopping.clear()


if __name__ == "__main__":
    run_task(sys.argv[1])
