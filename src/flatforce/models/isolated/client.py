"""A backend that lives in another environment, behind a worker process."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import weakref
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import FlatforceError, ModelError
from flatforce.models.isolated.wire import receive, send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.protocols import RawPrediction

ATTEMPTS: Final = 2
"""A batch that kills its worker is tried once more, by a new one."""

TOLD: Final = 3
"""Last lines of a dead worker's log that are shown."""

PATIENCE: Final = 5.0
"""Seconds that a worker has to end by itself."""


class IsolatedBackend:
    """A force field in an environment of its own.

    Parameters
    ----------
    python
        Interpreter of that environment.
    spec
        The force field.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Raises
    ------
    ModelError
        If the worker dies or the model cannot be loaded.
    """

    def __init__(self, python: Path, spec: str, *, device: str, dtype: str) -> None:
        self.command = [str(python), "-m", "flatforce.models.isolated.worker", spec, device, dtype]
        self.spec, self.lock = spec, threading.Lock()
        self.ending: weakref.finalize[[subprocess.Popen[bytes], IO[bytes]], Any] | None = None
        said = self._start()
        self.elements: frozenset[str] = said["elements"]
        self.cutoff: float = said["cutoff"]
        self.layers: int = said["layers"]
        self.local: bool = said["local"]
        self.dtype: str = said["dtype"]
        self.device: str = said["device"]
        self.batch_atoms: int = said["batch_atoms"]

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate frames.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is wanted.

        Returns
        -------
        One prediction a frame.

        Raises
        ------
        ModelError
            If the worker dies of these frames twice.
        """
        asked = [(one.numbers, one.positions, one.cell.array, _plain(one.info)) for one in frames], stress
        with self.lock:
            for _ in range(ATTEMPTS):
                if self.worker.poll() is not None:
                    self._start()
                try:
                    assert self.worker.stdin is not None  # noqa: S101  # it is a pipe
                    send(self.worker.stdin, asked)
                    answer: list[RawPrediction] | None = self._answer()
                except BrokenPipeError:
                    answer = None
                except FlatforceError:  # an answer, too
                    raise
                except BaseException:  # an answer that nobody read would be taken for the next one
                    self.worker.kill()
                    raise
                if answer is not None:
                    return answer
                self.worker.kill()
                self.worker.wait()
        raise self._death()

    def _start(self) -> dict[str, Any]:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
        self.worker = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=clean
        )
        before, self.ending = self.ending, weakref.finalize(self, _end, self.worker, self.log)
        if before is not None:
            before()
        said: dict[str, Any] | None = self._answer()
        if said is None:
            raise self._death()
        return said

    def _answer(self) -> Any:
        """Read what the worker says; None if it died."""
        assert self.worker.stdout is not None  # noqa: S101  # as above
        try:
            answer = receive(self.worker.stdout)
        except EOFError:
            self.worker.wait()
            return None
        if isinstance(answer, FlatforceError):
            raise answer
        return answer

    def _death(self) -> ModelError:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return ModelError(
            f"The worker of {self.spec} died with status {self.worker.poll()}.",
            why=" | ".join(lines[-TOLD:]),
            fix="a smaller frame may fit into memory; `flatforce env create` makes the environment anew",
        )


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    """Keep what a force field may ask for, such as a charge."""
    return {key: value for key, value in info.items() if isinstance(value, float | int | np.number)}


def _end(worker: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Let a worker end; it does when its input closes."""
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):  # what it did not take before it died
                pipe.close()
    try:
        worker.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    log.close()
