"""The reference of the manual, which is written from the code, holds every command, option, key, function and error."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import typer

import flatforce as ff
from flatforce.active import learning_round
from flatforce.cli import app
from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core import errors
from flatforce.core.claims import RECORD_FILES
from flatforce.core.config import nested_configs
from flatforce.core.outcome import Outcome
from flatforce.models.errors import ALIGNED_UNITS, ERROR_UNITS
from flatforce.models.training.epochs import CHECKPOINT
from flatforce.models.training.optuna_study import DATABASE
from flatforce.properties.benchmark import phonons, score
from flatforce.studies.learn.rounds import ROUND_FILES
from flatforce.studies.stage import Stage
from metric_names import is_described, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

DOCS = Path(__file__).parents[1] / "docs"

MAX_WORDS = 2500
"""Words of a page of the manual."""


@pytest.fixture(scope="module")
def reference() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "_ext")
        yield importlib.import_module("reference")


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
        start = page.index(f"## flatforce {name}\n")
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
    assert long == {}


def outcomes(base: type[Outcome] = Outcome) -> Iterator[type[Outcome]]:
    for child in base.__subclasses__():
        if child.__module__.startswith("flatforce."):
            yield child
        yield from outcomes(child)


def import_everything() -> None:
    for module in pkgutil.walk_packages(ff.__path__, "flatforce."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_every_metric_with_its_unit() -> None:
    import_everything()
    entries = read_entries()
    kinds = [kind for kind in outcomes() if isinstance(kind.__dict__.get("units"), dict)]
    assert len(kinds) > 15
    for kind in kinds:
        for name, unit in kind.units.items():
            assert is_described(name, unit, entries), (kind, name, unit)
    constants = [ERROR_UNITS, ALIGNED_UNITS, learning_round.UNITS, score.UNITS, phonons.UNITS]
    for name, unit in (pair for units in constants for pair in units.items()):
        assert is_described(name, unit, entries), (name, unit)


def test_every_file_of_a_result_folder() -> None:
    import_everything()
    text = (DOCS / "reference" / "files.md").read_text(encoding="utf-8")
    stages: list[type[Stage]] = [Stage]
    for stage in stages:
        stages += stage.__subclasses__()
    names = {name for stage in stages if stage.__module__.startswith("flatforce.") for name in stage.files}
    names |= {
        *RECORD_FILES,
        *ROUND_FILES,
        "split.json",
        "model.card.json",
        "metrics.csv",
        CHECKPOINT,
        DATABASE,
    }
    assert len(names) > 30
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_the_messages_that_are_explained_exist() -> None:
    source = " ".join(path.read_text(encoding="utf-8") for path in Path(ff.__path__[0]).rglob("*.py"))
    headings = re.findall(r"^## (.*)$", (DOCS / "reference" / "messages.md").read_text(), re.MULTILINE)
    assert len(headings) > 10
    assert [one for one in headings if one.partition(" … ")[0] not in source] == []


def test_every_environment_variable() -> None:
    source = " ".join(path.read_text(encoding="utf-8") for path in Path(ff.__path__[0]).rglob("*.py"))
    names = set(re.findall(r"FLATFORCE_[A-Z_]+", source))
    assert len(names) >= 5
    text = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in text} == set()
