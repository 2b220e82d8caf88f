"""The reference of the manual, which is written from the code, holds every command, option, key, function and error."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import shlex
import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import typer
import yaml
from ase import Atoms
from ase.io import write
from sphinx.pycode import ModuleAnalyzer
from typer.testing import CliRunner

import flatforce as ff
from flatforce.active import learning_round
from flatforce.cli import app
from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core import errors
from flatforce.core.claims import RECORD_FILES
from flatforce.core.config import nested_configs
from flatforce.core.errors import ResultError
from flatforce.core.outcome import Outcome
from flatforce.models.errors import ALIGNED_UNITS, ERROR_UNITS
from flatforce.models.training.epochs import CHECKPOINT
from flatforce.models.training.optuna_study import DATABASE
from flatforce.properties.benchmark import phonons, score
from flatforce.report.references.bibliography import all_references
from flatforce.studies.learn.rounds import ROUND_FILES
from flatforce.studies.stage import Stage
from metric_names import is_described, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS.parent / "examples"

MODEL = "mace:wse2-pbe"
PAIR = "ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.5&rc=3.5&cutoff=3.5&elements=Cu"

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
        assert f"autofunction:: flatforce.{name}\n" in pages[f"python/{name}"]
        summary = (getattr(ff, name).__doc__ or "").partition("\n")[0]
        assert f"| [`ff.{name}`](python/{name}.md) | {summary} |" in pages["python"]
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


def sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in Path(ff.__path__[0]).rglob("*.py")]


def pattern_of(value: ast.AST) -> str:
    """The texts that an expression may give, as a pattern: any text stands for a value that is filled in."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return re.escape(value.value)
    return "".join(map(pattern_of, value.values)) if isinstance(value, ast.JoinedStr) else ".*"


def is_specific(pattern: str) -> bool:
    return len(pattern.replace(".*", "")) > 10


def raised_errors() -> list[tuple[str, list[str]]]:
    """Patterns of each error: what is wrong, and the texts of why and fix."""
    return [
        (what, [pattern_of(keyword.value) for keyword in node.keywords])
        for source in sources()
        if "why=" in source
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and node.args and is_specific(what := pattern_of(node.args[0]))
    ]


def test_the_messages_that_are_explained_exist() -> None:
    source = " ".join(sources())
    page = (DOCS / "reference" / "messages.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert len(headings) > 15
    parts = [(heading, part) for heading in headings for part in heading.split("…")]
    assert [(heading, part) for heading, part in parts if part not in source] == []


def test_printed_messages_are_those_of_the_source() -> None:
    """What, why and fix belong to one error; a list that is cut in the manual goes on in the source."""
    page = (DOCS / "reference" / "messages.md").read_text(encoding="utf-8")
    printed = re.findall(r"^```text\n(.*)\n  why: (.*)\n  fix: (.*)$", page, re.MULTILINE)
    assert len(printed) > 5
    errors_raised = raised_errors()
    for what, *reasons in printed:
        texts = [texts for pattern, texts in errors_raised if re.fullmatch(pattern, what)]
        assert any(
            all(
                re.match(text.partition("\\\n")[0] + "$", reason)
                for text, reason in zip(one, reasons, strict=True)
            )
            for one in texts
            if len(one) == 2
        ), what


@pytest.fixture(scope="module")
def objects(reference: ModuleType) -> ModuleType:
    assert reference.FOLDER  # loaded from the same folder
    return importlib.import_module("objects")


def test_every_class_that_python_hands_out(reference: ModuleType, objects: ModuleType, unit: Atoms) -> None:
    pages = reference.python_pages()
    names = {type(ff.build_defect(unit, "v_Se:top", (4, 4))).__name__}
    names |= {"Potential", "Prediction", "SheetCalculator", "Mode", "LdosPeak", "Reference"}
    assert names <= {kind.__name__ for kind in objects.reachable_classes()}
    for name in names:
        assert f".{name}\n   :members:" in pages[f"objects/{name}"]
        assert f"[{name}](objects/{name}.md)" in pages["objects"]
    assert "`ff.build_defect`](python/build_defect.md)" in pages["objects"]
    assert "Objects that it returns: [Potential](../objects/Potential.md)" in pages["python/load"]


def test_every_member_has_a_meaning(objects: ModuleType) -> None:
    """A unit alone, such as "THz.", is none."""
    thin, n_members = [], 0
    for kind in objects.reachable_classes():
        for name, member in objects.public_members(kind).items():
            text = field_text(kind, name) if isinstance(member, str) else inspect.getdoc(member) or ""
            n_members += 1
            if len(text.split()) < 4:
                thin.append((kind.__name__, name, text))
    assert n_members > 150
    assert thin == []


def field_text(kind: type, name: str) -> str:
    """The text below a field of a class or of one of its bases."""
    texts = {
        (holder, field): " ".join(lines)
        for base in kind.__mro__
        if base.__module__.startswith("flatforce.")
        for (holder, field), lines in ModuleAnalyzer.for_module(base.__module__).find_attr_docs().items()
    }
    return next((texts[base.__name__, name] for base in kind.__mro__ if (base.__name__, name) in texts), "")


@pytest.fixture(scope="module")
def calls(reference: ModuleType) -> dict[str, str]:
    """Command → the equal call of Python that its page shows."""
    python_calls = importlib.import_module("python_calls")
    pages = reference.command_pages()
    found = {}
    for command in set(SETTINGS) & set(python_calls.FUNCTIONS):
        found[command] = python_calls.call_of_example(command)
        page = pages[f"commands/{command.split()[0]}"]
        assert f":::{{grid-item}}\n```python\n{found[command]}\n```" in page
        assert f"```yaml\n{python_calls.minimal_yaml(command)}\n```" in page
    return found


def test_python_beside_every_yaml_file_that_has_an_equal(calls: dict[str, str]) -> None:
    table = (DOCS / "python.md").read_text(encoding="utf-8").partition("## Arguments")[0]
    commands = set(re.findall(r"`flatforce ([a-z ]+)(?: --\w+)?`(?=[^|]*\|$)", table, re.MULTILINE))
    assert len(commands) > 10
    assert set(calls) == commands & set(SETTINGS)


def test_python_beside_yaml_holds_the_same_values(calls: dict[str, str]) -> None:
    for command, text in calls.items():
        (call,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        assert isinstance(call.func, ast.Attribute)
        function = getattr(ff, call.func.attr)
        arguments = [ast.literal_eval(value) for value in call.args]
        keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg}
        bound = inspect.signature(function).bind(*arguments, **keywords).arguments
        folder = EXAMPLES / command.replace(" ", "-")
        values = yaml.safe_load((folder / "minimal.yaml").read_text(encoding="utf-8"))
        for key, value in values.items():
            if key == "data":
                assert [bound["frames"]] == value
            else:
                assert bound[key] == value, (command, key)
        settings = {key: value for key, value in bound.items() if key in config_class(command).model_fields}
        config_class(command).parse({**values, **settings}, source=command)


def test_python_beside_yaml_makes_the_result_of_the_command(
    calls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command finds the folder finished, so that inputs and settings are the same; a pair potential is quicker than MACE."""
    shutil.copytree(EXAMPLES / "relax", tmp_path / "relax")
    cell = [[2.65, 0, 0], [-1.325, 2.65 * 3**0.5 / 2, 0], [0, 0, 15]]
    write(tmp_path / "wse2.extxyz", Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True))
    monkeypatch.chdir(tmp_path)
    line = (tmp_path / "relax" / "minimal.yaml").read_text(encoding="utf-8").partition("\n")[0]
    words = shlex.split(line.removeprefix("# flatforce ").replace(MODEL, PAIR))
    relaxed = eval(calls["relax"].replace(MODEL, PAIR), {"ff": ff})  # noqa: S307  # as a user would copy it
    assert relaxed.config["max_force"] == 0.0005
    record = tmp_path / "results" / "relax" / "result.json"
    written = record.read_bytes()
    assert CliRunner().invoke(app, words).exit_code == 0
    assert record.read_bytes() == written
    assert isinstance(CliRunner().invoke(app, [*words, "--keep-symmetry"]).exception, ResultError)


def test_every_reference_is_on_one_page(reference: ModuleType) -> None:
    pages = reference.bibtex_pages().values()
    cite = (DOCS / "about" / "cite.md").read_text(encoding="utf-8")
    assert "@inproceedings{mace," in cite  # where the entry of flatforce ends in the file of all
    keys = set(all_references()) - {"flatforce"}
    assert next(iter(all_references())) == "flatforce"
    assert list(all_references())[1] == "mace"
    assert len(keys) > 40
    assert {key for key in keys if sum(f"{{{key},\n" in page for page in pages) != 1} == set()


def test_every_environment_variable() -> None:
    source = " ".join(path.read_text(encoding="utf-8") for path in Path(ff.__path__[0]).rglob("*.py"))
    names = set(re.findall(r"FLATFORCE_[A-Z_]+", source))
    assert len(names) >= 5
    text = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in text} == set()
