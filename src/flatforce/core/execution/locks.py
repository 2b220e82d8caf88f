"""A lock that ends with its holder."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT = 0.5
"""s between two tries."""


@contextmanager
def held(path: Path, *, give_up: Callable[[], bool] = lambda: False) -> Iterator[int | None]:
    """Hold a file lock; the kernel frees it when the process dies, so nothing has to be cleared away.

    Parameters
    ----------
    path
        File of the lock; made if absent, left in place.
    give_up
        Asked while waiting.

    Yields
    ------
    The lock's descriptor, None after giving up: a child that inherits it holds the lock as well, until it ends. A file
    system without locks counts as held.
    """
    with path.open("w") as stream:
        while not give_up():
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(WAIT)
            except OSError:  # some Lustre mounts know no flock; two drivers would compute a frame twice there
                yield stream.fileno()
                return
            else:
                yield stream.fileno()
                return
        yield None
