"""Locks of a file and of a folder that end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flatforce.core.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RETRY_INTERVAL = 0.5
"""Time between two attempts to get the lock, in s."""


@contextmanager
def hold_lock(
    path: Path, *, give_up: Callable[[], bool] = lambda: False, wait: bool = True
) -> Iterator[int | None]:
    """Hold a file lock; the kernel frees it when the process dies, so that nothing has to be cleaned up.

    Parameters
    ----------
    path
        File of the lock; it is created if missing, and stays.
    give_up
        Called before each attempt; waiting ends when it returns True.
    wait
        Whether there is more than one attempt.

    Yields
    ------
    File descriptor of the lock, or None without it. A child process that inherits the descriptor holds the lock too, until
    it ends. On a file system without locks, the lock counts as held.
    """
    with path.open("w") as stream:
        while not give_up():
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    break
                time.sleep(RETRY_INTERVAL)
            except OSError:  # some Lustre mounts have no flock; two drivers would compute a frame twice there
                yield stream.fileno()
                return
            else:
                yield stream.fileno()
                return
        yield None


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep a folder for this process while it computes there; no file is left.

    Parameters
    ----------
    folder
        An existing folder.

    Yields
    ------
    None. On a file system without locks of folders, two processes are not kept apart.

    Raises
    ------
    ResultError
        If another process computes there.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResultError(
                f"Another process computes in {folder}.",
                fix="wait for it and run again, which reads its result, or choose another folder with -o",
            ) from error
        except OSError:  # as above: some network disks have no flock of a folder
            pass
        yield
    finally:
        os.close(handle)
