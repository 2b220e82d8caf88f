"""Runs the command line: in this process, where a new one would spend its time on imports, or in one that is killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from flatforce.cli import main

MAX_WAIT = 300.0
"""s to wait for the first output of a run that is to be killed."""


@dataclass(frozen=True)
class CommandResult:
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str) -> CommandResult:
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["flatforce", *arguments])
        try:
            main()
            status = 0
        except SystemExit as exit_:
            status = int(exit_.code or 0)
    return CommandResult(status, out.getvalue(), err.getvalue())


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "stderr.txt").open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "flatforce", *arguments],
            cwd=folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


def kill_when(folder: Path, arguments: list[str], condition: Callable[[], bool]) -> None:
    process, begin = start(folder, arguments), time.monotonic()
    while not condition():
        assert process.poll() is None, f"ended by itself: {(folder / 'stderr.txt').read_text()}"
        assert time.monotonic() - begin < MAX_WAIT
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
