"""A file lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RETRY_INTERVAL = 0.5
"""Time between two attempts to get the lock, in s."""


@contextmanager
def hold_lock(path: Path, *, give_up: Callable[[], bool] = lambda: False) -> Iterator[int | None]:
    """Hold a file lock; the kernel frees it when the process dies, so that nothing has to be cleaned up.

    Parameters
    ----------
    path
        File of the lock; it is created if missing, and stays.
    give_up
        Called while waiting; waiting ends when it returns True.

    Yields
    ------
    File descriptor of the lock, or None after giving up. A child process that inherits the descriptor holds the lock too, until
    it ends. On a file system without locks, the lock counts as held.
    """
    with path.open("w") as stream:
        while not give_up():
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(RETRY_INTERVAL)
            except OSError:  # some Lustre mounts have no flock; two drivers would compute a frame twice there
                yield stream.fileno()
                return
            else:
                yield stream.fileno()
                return
        yield None
