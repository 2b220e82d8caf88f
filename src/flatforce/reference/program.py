"""A program run in a folder of its own, again with gentler settings where it failed in a known way."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from flatforce.data.readers.content import FileContent


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Remedy:
    """What to change after a failure."""

    sign: str
    """Text in the output, or in the reader's reason, that tells the failure."""
    changes: Mapping[str, Any]
    """Settings to change."""


@dataclass(frozen=True)
class Attempt:
    """One run."""

    changes: dict[str, Any]
    """What differed from the settings given."""
    reason: str | None
    """Why it failed; None for success."""


@dataclass(frozen=True)
class Outcome:
    """The runs of one frame."""

    content: FileContent
    """Of the last run."""
    attempts: list[Attempt] = field(default_factory=list)


def run_with_remedies(
    command: Sequence[str],
    folder: Path,
    *,
    prepare: Callable[[Mapping[str, Any]], None],
    read: Callable[[], FileContent],
    remedies: Sequence[Remedy],
) -> Outcome:
    """Run a program until it gives a label or no remedy is left.

    Parameters
    ----------
    command
        Words.
    folder
        Where it runs; its output goes to `output.txt`, numbered after the first attempt.
    prepare
        Writes the input, with changes to the settings.
    read
        Reads the result.
    remedies
        Each is tried once, the first whose sign shows.

    Returns
    -------
    What was read at last, and every attempt.

    Raises
    ------
    ConfigError
        If there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise ConfigError(
            f"There is no program {command[0]}.",
            fix="name it under `machine` in the YAML, with its full path or after loading its module",
        )
    changes: dict[str, Any] = {}
    left = list(remedies)
    attempts: list[Attempt] = []
    while True:
        prepare(changes)
        text = _run(command, folder, len(attempts))
        content = read()
        reason = None if content.frames else "; ".join(one.reason for one in content.refused) or "no output"
        attempts.append(Attempt(dict(changes), reason))
        remedy = next((one for one in left if reason is not None and one.sign in text + reason), None)
        if remedy is None:
            return Outcome(content, attempts)
        left.remove(remedy)
        changes |= remedy.changes


def _run(command: Sequence[str], folder: Path, number: int) -> str:
    """Run the program, which ends with this process, however that ends: a second run must not find it in its folder."""
    path = folder / ("output.txt" if number == 0 else f"output-{number}.txt")
    with path.open("wb") as stream:
        subprocess.run(
            command,
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    return path.read_text(encoding="utf-8", errors="replace")


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent is gone (prctl, Linux); `mpirun` and `srun` pass it on to their ranks."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
