"""The reference of the manual, which is written from the code, holds every command, option, key, function and error."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import typer

import flatforce as ff
from flatforce.cli import app
from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core import errors
from flatforce.core.config import nested_configs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

DOCS = Path(__file__).parents[1] / "docs"

MAX_WORDS = 2500
"""Words of a page of the manual; pages of measured results are longer."""

RESULTS = {"learning.md", "models.md"}
"""Guides that still hold measured results."""


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "_ext" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


def leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    members = getattr(command, "commands", None)
    if members is None:
        yield " ".join(path), command
        return
    for name, member in members.items():
        yield from leaves(member, (*path, name))


def test_every_command_and_option(reference: ModuleType) -> None:
    pages = reference.command_pages()
    found = dict(leaves(typer.main.get_command(app)))
    assert len(found) > 30
    for name, command in found.items():
        page = pages[f"commands/{name.split()[0]}"]
        start = page.index(f"## `flatforce {name}`")
        text = page[start:].partition("\n## ")[0]
        for parameter in command.params:  # type: ignore[attr-defined]
            if parameter.name != "help":
                shown = parameter.opts[0] if parameter.param_type_name == "option" else parameter.name
                assert f"`{shown}`" in text, (name, shown)
        assert f"commands/{name.split()[0]}.md#command-{name.replace(' ', '-')}" in pages["commands"]


def test_every_key(reference: ModuleType) -> None:
    pages = reference.settings_pages()
    seen: set[type[BaseModel]] = set()

    def check(kind: type[BaseModel]) -> None:
        if kind in seen:
            return
        seen.add(kind)
        for name, field in kind.model_fields.items():
            assert f"| `{name}` |" in pages[f"settings/{kind.__name__}"], (kind, name)
            for nested in nested_configs(field.annotation):
                check(nested)

    for command in SETTINGS:
        check(config_class(command))
    assert len(seen) > 25
    assert len({kind.__name__ for kind in seen}) == len(seen)  # one page for each


def test_every_function_and_error(reference: ModuleType) -> None:
    pages = reference.python_pages()
    for name in ff.__all__:
        assert f"autofunction:: flatforce.{name}\n" in pages["python"]
    names = [
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)
    ]
    assert len(names) > 7
    for name in names:
        assert f"autoexception:: flatforce.core.errors.{name}\n" in pages["errors"]


def test_pages_are_short() -> None:
    pages = [path for path in DOCS.rglob("*.md") if not {"_build", "generated"} & set(path.parts)]
    assert len(pages) > 20
    long = {
        path.name: words
        for path in pages
        if (words := len(path.read_text(encoding="utf-8").split())) > MAX_WORDS
    }
    assert set(long) <= RESULTS, long
