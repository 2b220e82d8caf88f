"""A program run in a folder of its own, and run again with corrected settings after a known failure."""

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
class Correction:
    """Changes of the settings after a known failure."""

    message: str
    """Text in the output, or in the reason of the reader, by which the failure is recognised."""
    changes: Mapping[str, Any]
    """Settings to change."""


@dataclass(frozen=True)
class Attempt:
    """One run of a program."""

    changes: dict[str, Any]
    """Changes of the settings given."""
    reason: str | None
    """Why it failed; None for success."""


@dataclass(frozen=True)
class ProgramResult:
    """All runs for one frame."""

    content: FileContent
    """Content of the output of the last run."""
    attempts: list[Attempt] = field(default_factory=list)
    """All runs, in order."""

    def describe_attempts(self) -> str:
        """Return the changes and the reason of each failed run, for a message."""
        return "; ".join(f"{attempt.changes or 'as given'}: {attempt.reason}" for attempt in self.attempts)


def run_with_corrections(
    command: Sequence[str],
    folder: Path,
    *,
    prepare: Callable[[Mapping[str, Any]], None],
    read: Callable[[], FileContent],
    corrections: Sequence[Correction],
) -> ProgramResult:
    """Run a program until it gives a label or no correction is left.

    Parameters
    ----------
    command
        Command that runs the program.
    folder
        Working folder; the output goes to `output.txt`, numbered after the first run.
    prepare
        Function that writes the input, with changes of the settings.
    read
        Function that reads the result.
    corrections
        Known failures; each correction is tried once, the first whose message occurs.

    Returns
    -------
    Content of the last output, and all runs.

    Raises
    ------
    ConfigError
        If there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise ConfigError(
            f"There is no program {command[0]}.",
            fix="set machine: {vasp: [/full/path/vasp_std]} or {espresso: [/full/path/pw.x]}, or load its module first",
        )
    changes: dict[str, Any] = {}
    remaining = list(corrections)
    attempts: list[Attempt] = []
    while True:
        prepare(changes)
        text = _run(command, folder, len(attempts))
        content = read()
        reasons = "; ".join(refusal.reason for refusal in content.refused)
        reason = None if content.frames else reasons or "no output"
        attempts.append(Attempt(dict(changes), reason))
        correction = next(
            (
                candidate
                for candidate in remaining
                if reason is not None and candidate.message in text + reason
            ),
            None,
        )
        if correction is None:
            return ProgramResult(content, attempts)
        remaining.remove(correction)
        changes |= correction.changes


def _run(command: Sequence[str], folder: Path, number: int) -> str:
    """Run the program so that it ends with this process: it must not be running when the next run uses its folder."""
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
    """Request SIGTERM when the parent process ends (prctl, Linux); `mpirun` and `srun` forward it to their ranks."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
