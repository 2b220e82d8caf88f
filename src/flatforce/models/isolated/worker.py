"""The other end of an isolated force field: `python -m flatforce.models.isolated.worker SPEC DEVICE DTYPE`.

It runs in the environment of the force field, tells what the backend is, then answers one batch of frames a message. It
ends when its input is closed or its parent is gone, so that none is left behind.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import BinaryIO, Final

from ase import Atoms

from flatforce.core.errors import FlatforceError, ModelError
from flatforce.models.isolated.wire import receive, send
from flatforce.models.loading import load_in_process

WATCHED: Final = 1.0
"""Seconds between looks at the parent."""


def main() -> None:
    """Load the force field and answer until nobody asks."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a package prints goes to the log, not between the messages
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    spec, device, dtype = sys.argv[1:4]
    with suppress(EOFError, BrokenPipeError):
        _answer(spec, device, dtype, answers)


def _answer(spec: str, device: str, dtype: str, answers: BinaryIO) -> None:
    try:
        backend = load_in_process(spec, device=device, dtype=dtype)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is to be told
        send(answers, _told(error))
        return
    names = ("elements", "cutoff", "layers", "local", "dtype", "device", "batch_atoms")
    send(answers, {name: getattr(backend, name) for name in names})
    while True:
        frames, stress = receive(sys.stdin.buffer)
        try:
            cells = [
                Atoms(numbers, positions, cell=cell, pbc=True, info=info)
                for numbers, positions, cell, info in frames
            ]
            send(answers, backend.predict(cells, stress=stress))
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001  # as above
            send(answers, _told(error))


def _told(error: Exception) -> FlatforceError:
    """Tell an error without classes that the other side does not know."""
    if isinstance(error, FlatforceError):
        return error
    last = traceback.extract_tb(error.__traceback__)[-1]
    return ModelError(
        f"The force field failed: {type(error).__name__}: {error}",
        why=f"in {last.name}, {last.filename}:{last.lineno}",
    )


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCHED)
    os._exit(1)


if __name__ == "__main__":
    main()
