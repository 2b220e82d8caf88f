"""What a docstring says of the returned value is more than the name of its type."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import flatforce

PACKAGE = Path(flatforce.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

MIN_WORDS = 4
"""Fewer words than this, articles and prepositions aside, repeat the name of the type: "The record.", "The frames."."""

FILLERS = {"the", "a", "an", "of", "and", "or", "in", "it", "its", "as", "to", "that", "each"}
SECTION = re.compile(r"^Returns\n-+\n(.*?)(?=\n\n[A-Z][A-Za-z ]+\n-+\n|\Z)", re.DOTALL | re.MULTILINE)


def returns(text: str) -> Iterator[tuple[str, str]]:
    """Name of each function of a module with a section `Returns` → the section."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            section = SECTION.search(ast.get_docstring(node) or "")
            if section is not None:
                yield node.name, " ".join(section[1].split())


def says_nothing(section: str) -> bool:
    """Whether a section `Returns` has too few words."""
    words = [word for word in re.findall(r"[\w'-]+", section) if word.lower() not in FILLERS]
    return len(words) < MIN_WORDS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_returned_values_are_described(path: Path) -> None:
    short = [name for name, section in returns(path.read_text(encoding="utf-8")) if says_nothing(section)]
    assert short == []


def test_sections_are_found() -> None:
    sections = [section for path in MODULES for section in returns(path.read_text(encoding="utf-8"))]
    assert len(sections) > 600


def test_what_says_nothing_is_noticed() -> None:
    def count() -> int:
        """Count.

        Returns
        -------
        The number.

        Raises
        ------
        ValueError
            If there is nothing to count, which takes more than three words.
        """
        return 1

    ((name, section),) = returns(textwrap.dedent(inspect.getsource(count)))
    assert name == "count"
    assert says_nothing(section)
    assert not says_nothing("(N, 3) eV/Å, forces on the atoms.")
