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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.reference.config import LabelConfig

ENDED_FROM_OUTSIDE = (-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)
"""Statuses of a process at the end of a job's wall time: the frame is not to blame and may be tried again."""

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
        The frame; only species, positions, cell and periodicity are kept.
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
    for name in set(bare.arrays) - {"numbers", "positions"}:
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
        if mine and path.is_file():
            _run(json.loads(path.read_text(encoding="utf-8")), path)
        if mine and not path.is_file():
            lock.unlink(missing_ok=True)  # who waits for it finds no task
    return path.name


def _run(content: dict[str, Any], task: Path) -> None:
    outcome = Path(content["outcome"])
    if read_outcome(outcome) is None:
        outcome.unlink(missing_ok=True)  # a damaged one
        reason = _wait(content, task)
        if read_outcome(outcome) is None and not _stopping.is_set():
            write_text(outcome, json.dumps({"status": "failed", "reason": reason}))
    if not _stopping.is_set():
        task.unlink(missing_ok=True)


def _wait(content: dict[str, Any], task: Path) -> str:
    command = [*content["launcher"], sys.executable, "-m", "flatforce.reference.worker", str(task)]
    environment = os.environ | {"OMP_NUM_THREADS": str(content["threads"])}
    if content["launcher"]:
        environment["GPAW_MPI_BACKEND"] = "cgpaw"  # GPAW under plain python computes on one rank otherwise
    errors = Path(content["log"]).with_suffix(".err")
    with errors.open("wb") as stream:
        with _guard:
            if _stopping.is_set():
                return "stopped"
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=stream, stderr=stream
            )
            _processes.add(process)
        try:
            code = process.wait(content["timeout"])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"no result after {content['timeout']:.0f} s"
        finally:
            with _guard:
                _processes.discard(process)
            if process.stdin:
                process.stdin.close()
    if code in ENDED_FROM_OUTSIDE:
        raise InterruptedError(f"ended from outside with status {code}")
    return f"the worker ended with status {code}; see {errors}"


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
