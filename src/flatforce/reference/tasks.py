"""One frame as a task: a file that any worker on a shared file system can run.

Job arrays call `python -m flatforce.reference.tasks TASK.json`.
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

from flatforce.core.execution.locks import hold_lock
from flatforce.core.files import write_text
from flatforce.reference.keys import is_spin_polarised
from flatforce.reference.worker import RANK_VARIABLES, WRITE_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.reference.config import LabelConfig

KILL_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)

KILLED_STATUSES = tuple(status for number in KILL_SIGNALS for status in (-number, 128 + number))
"""Exit statuses of a process killed at the wall time of its job, or for lack of memory: its frame is computed again."""

_stopping = threading.Event()
_processes: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()


def write_task(key: str, atoms: Atoms, config: LabelConfig, *, cache: Path) -> Path:
    """Write the file from which a worker computes a frame.

    Parameters
    ----------
    key
        Key of the frame, which names the files of the task, its result and its logs.
    atoms
        The frame. Only species, positions, cell and periodicity are written, and initial magnetic moments of a spin-polarised
        calculation.
    config
        Settings.
    cache
        Folder of results; tasks and logs are in its subfolders.

    Returns
    -------
    Path of the task file, from which a worker computes the frame.
    """
    bare = atoms.copy()
    bare.info, bare.calc = {}, None
    bare.set_constraint()
    array_names = {"numbers", "positions"}
    if is_spin_polarised(config.settings):
        array_names.add("initial_magmoms")
    for name in set(bare.arrays) - array_names:
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
        "result": str(cache / f"{key}.json"),
        "log": str(cache / "logs" / f"{key}.txt"),
    }
    write_text(task, json.dumps(content))
    return task


def read_task_result(path: Path) -> dict[str, Any] | None:
    """Read the result of a task.

    Parameters
    ----------
    path
        File of the result.

    Returns
    -------
    Its content; None if the file is missing or damaged.
    """
    if not path.is_file():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return None
    return result if "status" in result else None


def run_task(task: str) -> str:
    """Compute the frame of a task in a process of its own, unless that has been done.

    A lock prevents that two workers, such as one of a driver that died and one of the next driver, compute the same frame.

    Parameters
    ----------
    task
        File of the task.

    Returns
    -------
    Name of the task's file; the labels themselves are written to the cache.
    """
    path = Path(task)
    lock = path.with_suffix(".lock")
    with hold_lock(lock, give_up=_stopping.is_set) as descriptor:
        if descriptor is not None and path.is_file():
            _compute_if_missing(json.loads(path.read_text(encoding="utf-8")), path, lock=descriptor)
        if descriptor is not None and not path.is_file():
            lock.unlink(missing_ok=True)  # a process that waits for the lock finds no task then
    return path.name


def is_final(result: dict[str, Any], *, timeout: float) -> bool:
    """Return whether a result is final, so that its frame is not computed again.

    Parameters
    ----------
    result
        Result of a task.
    timeout
        Present time limit of a frame, in s.

    Returns
    -------
    True for labels and for failures of the code; False for failures of the machine, and for a frame that exceeded a shorter
    time limit.
    """
    if result["status"] == "done":
        return True
    return bool(result.get("permanent", True)) and float(result.get("timeout", timeout)) >= timeout


def _compute_if_missing(content: dict[str, Any], task: Path, *, lock: int) -> None:
    result = Path(content["result"])
    if read_task_result(result) is None:
        result.unlink(missing_ok=True)  # it may be damaged
        failure = {"status": "failed"} | _run_worker(content, task, lock)
        if read_task_result(result) is None and not _stopping.is_set():
            write_text(result, json.dumps(failure), durable=True)
    if not _stopping.is_set():
        task.unlink(missing_ok=True)


def _run_worker(content: dict[str, Any], task: Path, lock: int) -> dict[str, Any]:
    """Run the worker, and return the failure to record in case it writes no result."""
    command = [*content["launcher"], sys.executable, "-m", "flatforce.reference.worker", str(task)]
    # the worker must not take the rank of this process for its own
    environment = {name: value for name, value in os.environ.items() if name not in RANK_VARIABLES}
    environment["OMP_NUM_THREADS"] = str(content["threads"])
    if content["launcher"]:
        environment["GPAW_MPI_BACKEND"] = "cgpaw"  # otherwise GPAW under plain python uses one rank only
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
                pass_fds=[lock],  # the worker holds the lock even if this process dies
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
    if code in KILLED_STATUSES:
        raise InterruptedError(f"the worker was killed, with status {code}")
    if code == WRITE_FAILED:
        raise OSError(f"the worker could not write its result to {content['result']}: the disk may be full")
    return {"reason": f"the worker ended with status {code}; see {errors}"}


@contextmanager
def kill_on_error() -> Iterator[None]:
    """Kill the processes that threads of this process wait for, and start no more, when the block fails."""
    try:
        yield
    except BaseException:
        with _guard:
            _stopping.set()
            for process in _processes:
                process.kill()
        raise


def allow_tasks() -> None:
    """Allow threads to start processes again, after those of a failed block have ended."""
    _stopping.clear()


if __name__ == "__main__":
    run_task(sys.argv[1])
