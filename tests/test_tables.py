"""Tables on a terminal: no word is folded or cut, however narrow the window is."""

from __future__ import annotations

import re

import pytest

from flatforce.cli.tables import show_table

HEADER = ("site", "fractional", "to centre (Å)", "taken by")
ROWS = [("#0", "0.0000 0.5000", "3.320", ""), ("#1", "0.1667 0.3333", "1.917", "v_Se, v_Se:bottom")]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_every_word_of_a_table_stays_whole(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the output for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    show_table(HEADER, ROWS)
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    shown = set(re.split(r"[\s│┃]+", text))
    assert {word for row in (HEADER, *ROWS) for cell in row for word in cell.split()} <= shown
    longest = max(map(len, text.splitlines()))
    assert longest <= width or width < 45  # 45 characters hold the longest word of each column


def test_a_pipe_gets_each_row_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show_table(HEADER, ROWS, title="sites")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert len(lines) == len(ROWS)


def test_a_table_without_rows_shows_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(HEADER, [])
    assert "to centre (Å)" in capsys.readouterr().out
