"""Errors of the machine, and signals, end a command with one message."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from commands import run, start
from flatforce.cli import structure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "/frozen"), ("Permission denied: /frozen", "permissions")),
        (MemoryError(), ("MemoryError", "smaller supercell")),
        (RuntimeError("CUDA out of memory"), ("CUDA out of memory",)),
        (EOFError("Ran out of input"), ("Ran out of input", "cut short")),
        (OSError(28, "No space left on device"), ("No space left on device", "disk")),
    ],
)
def test_errors_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: tuple[str, ...]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(structure, "settings_from", fail)
    result = run(tmp_path, "relax", "mace:wse2-pbe", "sheet.cif", "-o", "x")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    monkeypatch.setenv("FLATFORCE_TRACEBACK", "1")
    assert "Traceback" in run(tmp_path, "relax", "mace:wse2-pbe", "sheet.cif", "-o", "x").stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_answered(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, ["demo", "--quick", "-o", "demo"])
    wait_for((tmp_path / "demo").is_dir, process)
    os.kill(process.pid, number)
    assert process.wait(timeout=60) == 128 + number
    text = (tmp_path / "stderr.txt").read_text()
    assert "interrupted; run the same command again to resume" in text
    assert "Traceback" not in text


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    begin = time.monotonic()
    while not condition():
        assert process.poll() is None
        assert time.monotonic() - begin < 120
        time.sleep(0.05)
    time.sleep(1)
