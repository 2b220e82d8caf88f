"""What killed labelling runs leave beside the labels, and which run may remove it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from flatforce.core.files import remove_abandoned_parts
from flatforce.reference.tasks import read_task_result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS: Final = "tasks"
"""Folder of the tasks in a cache of labels."""

QUEUED: Final = "queued.json"
"""File that names the job of each frame that was submitted without a driver."""


@contextmanager
def share_tasks(cache: Path) -> Iterator[None]:
    """Keep the tasks of a cache while this run needs them, and remove at its end what no run needs.

    Parameters
    ----------
    cache
        Folder of labels.

    Yields
    ------
    None. Runs share a cache; the last one that ends removes the tasks and locks that killed runs left.
    """
    folder = cache / TASKS
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        can_lock = _lock(handle, fcntl.LOCK_SH)
        yield
        if can_lock and _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _remove_leftovers(cache)
    finally:
        os.close(handle)


def _lock(handle: int, operation: int) -> bool:
    """Lock a folder; False if another run shares it, or the file system has no locks."""
    try:
        fcntl.flock(handle, operation)
    except OSError:
        return False
    return True


def _remove_leftovers(cache: Path) -> None:
    remove_abandoned_parts(cache)
    record = cache / QUEUED
    queued = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    for path in (cache / TASKS).iterdir():
        is_needed = path.stem in queued and read_task_result(cache / f"{path.stem}.json") is None
        if path.suffix in {".json", ".lock"} and not is_needed and not _is_running(path.with_suffix(".lock")):
            path.unlink(missing_ok=True)


def _is_running(lock: Path) -> bool:
    """Tell whether a worker, which may have outlived its run, still computes a frame."""
    if not lock.is_file():
        return False
    with lock.open("rb") as stream:
        return not _lock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
