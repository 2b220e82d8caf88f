"""Worker process of an isolated force field: `python -m flatforce.models.isolated.worker SPEC DEVICE DTYPE`.

It runs in the environment of the force field, sends the properties of the backend, and then answers one batch of frames for
each message. It ends when its input is closed or its parent process has ended, so that no worker is left behind.
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

PARENT_CHECK_INTERVAL: Final = 1.0
"""Time in seconds between two checks whether the parent process is alive."""

HANDSHAKE: Final = ("elements", "cutoff", "layers", "local", "dtype", "device", "batch_atoms")
"""Properties of the backend that are sent first."""


def main() -> None:
    """Load the force field and answer requests until the input is closed."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the output of other packages goes to the log instead of between the messages
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    spec, device, dtype = sys.argv[1:4]
    with suppress(EOFError, BrokenPipeError):
        _serve(spec, device, dtype, output)


def _serve(spec: str, device: str, dtype: str, output: BinaryIO) -> None:
    try:
        backend = load_in_process(spec, device=device, dtype=dtype)
    except Exception as error:  # noqa: BLE001  # every error is reported to the parent
        send(output, _portable_error(error))
        return
    send(output, {name: getattr(backend, name) for name in HANDSHAKE})
    while True:
        cells, stress = receive(sys.stdin.buffer)
        try:
            frames = [
                Atoms(numbers, positions, cell=cell, pbc=True, info=info)
                for numbers, positions, cell, info in cells
            ]
            send(output, backend.predict(frames, stress=stress))
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001  # every error is reported to the parent
            send(output, _portable_error(error))


def _portable_error(error: Exception) -> FlatforceError:
    """Convert an error to a class that the parent process can import."""
    if isinstance(error, FlatforceError):
        return error
    last = traceback.extract_tb(error.__traceback__)[-1]
    return ModelError(
        f"The force field failed: {type(error).__name__}: {error}",
        why=f"in {last.name}, {last.filename}:{last.lineno}",
    )


def _exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_INTERVAL)
    os._exit(1)


if __name__ == "__main__":
    main()
