"""A backend that runs in another environment, in a worker process."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import weakref
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import FlatforceError, ModelError
from flatforce.models.isolated.environments import clean_environ
from flatforce.models.isolated.wire import receive, send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.protocols import RawPrediction

MAX_ATTEMPTS: Final = 2
"""Number of workers that evaluate a batch before an error is raised: a batch may end its worker by chance."""

SHOWN_LOG_LINES: Final = 3
"""Number of last lines from the log of a dead worker that the error shows."""

EXIT_TIMEOUT: Final = 5.0
"""Time in seconds after which a worker that does not end is killed."""


class IsolatedBackend:
    """A force field in an isolated environment.

    Parameters
    ----------
    python
        Python interpreter of the environment.
    spec
        Name of the force field.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.
    """

    def __init__(self, python: Path, spec: str, *, device: str, dtype: str) -> None:
        self.command = [str(python), "-m", "flatforce.models.isolated.worker", spec, device, dtype]
        self.spec, self.lock = spec, threading.Lock()
        self.finalizer: weakref.finalize[[subprocess.Popen[bytes], IO[bytes]], Any] | None = None
        handshake = self._start()
        self.elements: frozenset[str] = handshake["elements"]
        self.cutoff: float = handshake["cutoff"]
        self.layers: int = handshake["layers"]
        self.local: bool = handshake["local"]
        self.dtype: str = handshake["dtype"]
        self.device: str = handshake["device"]
        self.batch_atoms: int = handshake["batch_atoms"]

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate one batch of fully periodic cells.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is computed.

        Returns
        -------
        One prediction for each frame, in their order.

        Raises
        ------
        ModelError
            If two workers die while they evaluate these frames, or the model raises an error.
        """
        cells = [
            (frame.numbers, frame.positions, frame.cell.array, _numeric_info(frame.info)) for frame in frames
        ]
        with self.lock:
            for _ in range(MAX_ATTEMPTS):
                if self.worker.poll() is not None:
                    self._start()
                try:
                    assert self.worker.stdin is not None  # noqa: S101  # it is a pipe
                    send(self.worker.stdin, (cells, stress))
                    predictions: list[RawPrediction] | None = self._receive()
                except BrokenPipeError:
                    predictions = None
                except FlatforceError:  # the worker has answered, with an error
                    raise
                except BaseException:  # an unread answer would be taken for that to the next request
                    self.worker.kill()
                    raise
                if predictions is not None:
                    return predictions
                self.worker.kill()
                self.worker.wait()
        raise self._worker_error()

    def _start(self) -> dict[str, Any]:
        """Start a worker and return the properties of its backend."""
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        self.worker = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=clean_environ(),
        )
        previous = self.finalizer
        self.finalizer = weakref.finalize(self, _stop, self.worker, self.log)
        if previous is not None:
            previous()
        handshake: dict[str, Any] | None = self._receive()
        if handshake is None:
            raise self._worker_error()
        return handshake

    def _receive(self) -> Any:
        """Read the answer of the worker; None if it died."""
        assert self.worker.stdout is not None  # noqa: S101  # it is a pipe
        try:
            answer = receive(self.worker.stdout)
        except EOFError:
            self.worker.wait()
            return None
        if isinstance(answer, FlatforceError):
            raise answer
        return answer

    def _worker_error(self) -> ModelError:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        kind = self.spec.partition(":")[0]
        return ModelError(
            f"The worker of {self.spec} died with status {self.worker.poll()}.",
            why=" | ".join(lines[-SHOWN_LOG_LINES:]),
            fix="evaluate a smaller frame if the memory was exhausted, or build the environment again: "
            f"flatforce env remove {kind}, then flatforce env create {kind}",
        )


def _numeric_info(info: dict[str, Any]) -> dict[str, Any]:
    """Keep the entries that a force field may read, such as a charge."""
    return {key: value for key, value in info.items() if isinstance(value, float | int | np.number)}


def _stop(worker: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Close the pipes of a worker, which ends it, and kill it if it does not end."""
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):  # data that a dead worker did not read
                pipe.close()
    try:
        worker.wait(EXIT_TIMEOUT)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    log.close()
