"""The command line: called in this process, where a new one would spend its time on imports, or in one that is killed."""

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

PATIENCE = 300.0
"""s to wait for a sign of life of a run that shall be killed."""


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *words: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["flatforce", *words])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def start(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "stderr.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "flatforce", *words],
            cwd=folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )


def kill_when(folder: Path, words: list[str], sign: Callable[[], bool]) -> None:
    process, begin = start(folder, words), time.monotonic()
    while not sign():
        assert process.poll() is None, f"ended by itself: {(folder / 'stderr.txt').read_text()}"
        assert time.monotonic() - begin < PATIENCE
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
