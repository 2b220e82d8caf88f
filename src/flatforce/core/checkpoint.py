"""State of a long computation, kept on disk so that a run that was killed continues where it was."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.files import write_atomically
from flatforce.core.signing import sign, signed_content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIN_INTERVAL: Final = 5.0
"""s, smallest time between two checkpoints."""

MAX_COST: Final = 0.02
"""Largest fraction of the time that is spent on writing checkpoints."""


class Checkpoint:
    """File that holds the state of a computation, written from time to time.

    Parameters
    ----------
    path
        The file; nothing is kept if None.
    key
        Identifies the computation: a file with another key is not read.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self.path, self.key = path, key
        self.last, self.cost = time.monotonic(), 0.0

    def load(self) -> Any:
        """Read the state that was kept last.

        Returns
        -------
        The state; None if there is none, or it belongs to another computation, another user or another version of a package.
        """
        if self.path is None or not self.path.is_file():
            return None
        try:
            content = signed_content(self.path.read_bytes())
            if content is None:  # of another user, or damaged: a pickle could run code
                return None
            key, state = pickle.loads(content)
        except Exception:  # noqa: BLE001  # a pickle of another version fails in any way; the computation starts anew
            return None
        return state if key == self.key else None

    def save(self, state: Callable[[], Any], *, now: bool = False) -> None:
        """Keep a state, unless one was kept a moment ago.

        Parameters
        ----------
        state
            Returns the state, any object that can be pickled; called only if it is kept.
        now
            Whether it is kept in any case.
        """
        start = time.monotonic()
        if self.path is None or (not now and start - self.last < max(MIN_INTERVAL, self.cost / MAX_COST)):
            return
        content = sign(pickle.dumps((self.key, state()), protocol=pickle.HIGHEST_PROTOCOL))
        if content is not None:
            write_atomically(self.path, lambda part: _write_bytes(part, content))
        self.last = time.monotonic()
        self.cost = self.last - start


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
