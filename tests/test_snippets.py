"""Commands, settings and Python of the manual are accepted as they are printed."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import flatforce as ff
from flatforce.cli import app
from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core.errors import ConfigError

ROOT = Path(__file__).parents[1]

PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not {"_build", "generated", "auto_tutorials"} & set(page.parts)
    ),
]

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

ELLIPSIS = ("…", "DIR", "KIND:")
"""What stands for something else in a line that is not meant to be typed."""


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Name of the page and text of each block in these languages."""
    return [
        (str(page.relative_to(ROOT)), text)
        for page in PAGES
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language in languages
    ]


def command_lines() -> list[tuple[str, str]]:
    lines = []
    for page, text in blocks("sh", "bash", ""):
        for line in text.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = part.strip().removeprefix("$ ").strip()
                words = re.sub(r"^\S*/flatforce ", "flatforce ", words)
                if words.startswith("flatforce ") and not any(one in words for one in ELLIPSIS):
                    lines.append((page, words))
    return lines


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and its arguments."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="flatforce")
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        command = command.get_command(context, words[0])
        assert command is not None, words
        words = words[1:]
    return command, words


def test_every_command_line_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = command_lines()
    assert len(lines) > 30
    for page, line in lines:
        words = shlex.split(line, comments=True)[1:]
        command, arguments = resolve(words)
        if {"--help", "--version"} & set(arguments):
            continue
        try:
            command.make_context("flatforce", arguments)
        except typer.Exit:
            continue
        except Exception as error:  # noqa: BLE001  # any refusal is the failure that is reported
            pytest.fail(f"{page}: {line}: {error!r}")


def test_every_option_in_the_text_exists() -> None:
    mentions = [
        (page, line)
        for page, text in ((page, page.read_text(encoding="utf-8")) for page in PAGES)
        for line in re.findall(r"`(flatforce [^`]*)`", BLOCK.sub("", text))
        if not line.startswith("flatforce sparse force constants")  # the name of a file format
    ]
    assert len(mentions) > 100
    for page, line in mentions:
        words = [word for word in " ".join(line.split()).split(" ")[1:] if word not in {"…", "|"}]
        for alternative in " ".join(words).split(" \\| "):
            if not re.match(r"[a-z-]", alternative):  # COMMAND stands for any
                continue
            command, arguments = resolve(alternative.split())
            known = {
                option
                for parameter in getattr(command, "params", [])
                for option in parameter.opts + parameter.secondary_opts
            }
            options = {word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
            assert options <= known | {"--help", "--version"}, (page, line)


def test_all_python_is_valid_and_names_existing_functions() -> None:
    programs = blocks("python")
    assert len(programs) > 15
    for page, text in programs:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ff":
                assert node.attr in {*ff.__all__, "__version__"}, (page, node.attr)


def test_all_settings_are_accepted() -> None:
    """Each block holds settings of some command, or a part of them."""
    settings = blocks("yaml")
    assert len(settings) > 5
    kinds = {config_class(command) for command in SETTINGS}
    for page, text in settings:
        values = yaml.safe_load(text)
        assert isinstance(values, dict), (page, text)
        refusals = []
        for kind in kinds:
            try:
                kind.parse(values)
            except ConfigError as error:
                refusals.append(str(error))
                if all("Field required" in line for line in str(error.why).splitlines()):  # a part of a file
                    break
            else:
                break
        else:
            pytest.fail(f"{page}: no command accepts\n{text}\n" + "\n".join(refusals))
