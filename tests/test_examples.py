"""The examples of the package's docstrings run, and print what they say."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import pytest

import flatforce as ff
from flatforce.report import result
from flatforce.report.results.view import View

PACKAGE = Path(ff.__file__).parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules() -> list[str]:
    """Names of the modules with examples, found in their text so that the others are not imported."""
    paths = [path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")]
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in paths]
    return sorted(".".join(names).removesuffix(".__init__") for names in parts)


def examples() -> Iterator[doctest.DocTest]:
    """Every docstring with an example."""
    for name in modules():
        for example in doctest.DocTestFinder().find(import_module(name)):
            if example.examples:
                yield example


def failures(example: doctest.DocTest) -> str:
    """What doctest says of the lines that failed."""
    texts: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=texts.append, clear_globs=False)
    return "".join(texts)


EXAMPLES = {example.name: example for example in examples()}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_example_prints_what_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    assert failures(EXAMPLES[name]) == ""


def public_methods() -> list[str]:
    """Methods of the result classes, properties aside."""
    classes = [View, *(getattr(result, name) for name in result.__all__ if name != "open_result")]
    return sorted(
        f"{method.__module__}.{method.__qualname__}"
        for result_class in classes
        for name, method in vars(result_class).items()
        if inspect.isfunction(method) and not name.startswith("_")
    )


@pytest.mark.parametrize("name", public_methods())
def test_every_method_of_a_result_has_an_example(name: str) -> None:
    assert name in EXAMPLES


def test_every_function_of_the_python_interface_has_an_example() -> None:
    functions = {getattr(ff, name) for name in ff.__all__}
    assert {f"{function.__module__}.{function.__qualname__}" for function in functions} <= set(EXAMPLES)


def test_an_example_that_is_wrong_is_noticed() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert "Got:\n    2" in failures(wrong)
