"""Errors of the machine, and signals, end a command with one message."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ase.io import write

from commands import run, start
from flatforce.cli import structure
from flatforce.cli.encoding import show_controls, transliterate
from flatforce.structures.prototypes import monolayer

if TYPE_CHECKING:
    from collections.abc import Callable


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


@pytest.mark.parametrize(
    "arguments", [["defect", "sites", "sheet.extxyz"], ["relax", "mace:nope", "x", "-o", "y"]]
)
def test_an_ascii_terminal_shows_what_it_can(tmp_path: Path, arguments: list[str]) -> None:
    write(tmp_path / "sheet.extxyz", monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597))
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = [
        subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": name},
            check=False,
        )
        for name in ("utf-8", "ascii")
    ]
    wide, narrow = (process.stdout + process.stderr for process in shown)
    assert not wide.isascii()
    assert narrow.isascii()
    words = [re.findall(r"[\w.>?]+", text) for text in (narrow.decode(), transliterate(wide.decode()))]
    assert words[0] == words[1]  # the lines of tables may differ
    assert [process.returncode for process in shown] == [0 if arguments[0] == "defect" else 2] * 2


def test_a_full_device_is_named(tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = subprocess.run(
            [sys.executable, "-m", "flatforce", "settings", "relax"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 2
    assert "No space left on device" in process.stderr
    assert "Traceback" not in process.stderr


def test_names_in_foreign_files_cannot_drive_the_terminal(tmp_path: Path) -> None:
    name = "vasprun\x1b]0;title\x07\x1b[32m.xml"
    (tmp_path / name).write_text("<modeling>")
    command = [sys.executable, "-m", "flatforce", "data", "import", name, "-o", "a.extxyz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout + done.stderr
    assert "\\x1b]0;title" in done.stdout + done.stderr
    styled = "\x1b[32mgreen\x1b[0m\x1b]0;title\x07"
    assert show_controls(styled, keep_styling=True) == "\x1b[32mgreen\x1b[0m\\x1b]0;title\\x07"
