"""Pages of the reference about Python: functions, results, the objects that both hand out, and errors."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING

from markup import anchor, directive, first_paragraph, toctree
from objects import classes_of, reachable_classes, result_classes
from python_calls import FUNCTIONS
from settings_reference import title

import flatforce
from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from objects import Uses

FIRST_MODULES = ("structures", "force_fields", "sheets", "defects")
"""Modules of functions that are listed before the others, in the order in which they are used."""

MAX_LISTED = 5
"""Number of functions and members that are named as those that return or take a class."""


def python_pages() -> dict[str, str]:
    """Write the pages about Python.

    Returns
    -------
    Name of the page → text, with directives of autodoc for each function and class.
    """
    return function_pages() | class_pages() | {"errors": errors_page()}


def function_pages() -> dict[str, str]:
    """Write a page for each function, and one that lists them by the module that they are in.

    Returns
    -------
    Name of the page → text.
    """
    groups: dict[str, list[str]] = {}
    for name in flatforce.__all__:
        groups.setdefault(getattr(flatforce, name).__module__, []).append(name)
    lines = [
        "# Python functions",
        "",
        "All of `import flatforce as ff`. [Python](../../python.md) shows them at work.",
    ]
    for module, names in sorted(groups.items(), key=lambda group: _rank(group[0])):
        rows = [
            f"| [`ff.{name}`](python/{name}.md) | {first_paragraph(getattr(flatforce, name).__doc__)} |"
            for name in names
        ]
        heading = (import_module(module).__doc__ or "").partition(":")[0].partition(",")[0]
        lines += ["", f"## {heading}", "", "| function | does |", "|---|---|", *rows]
    contents = toctree(f"python/{name}" for name in sorted(flatforce.__all__))
    pages = {f"python/{name}": _function_page(name) for name in flatforce.__all__}
    return {"python": "\n".join([*lines, "", contents]), **pages}


def _rank(module: str) -> int:
    name = module.rpartition(".")[2]
    return FIRST_MODULES.index(name) if name in FIRST_MODULES else len(FIRST_MODULES)


def _function_page(name: str) -> str:
    lines = [f"# ff.{name}", "", directive("autofunction", f"flatforce.{name}")]
    commands = [command for command, function in FUNCTIONS.items() if function == name]
    if commands:
        links = [f"[`flatforce {one}`](../commands/{one.split()[0]}.md#{anchor(one)})" for one in commands]
        lines += [f"On the command line: {', '.join(links)}.", ""]
    kinds = dict.fromkeys(config_class(command) for command in commands if command in SETTINGS)
    if kinds:
        links = [f"[{title(kind)}](../settings/{kind.__name__}.md)" for kind in kinds]
        lines += [f"Types and bounds of the settings: {', '.join(links)}.", ""]
    for returned, verb in ((False, "takes"), (True, "returns")):
        classes = classes_of(getattr(flatforce, name), returned=returned)
        links = [f"[{kind.__name__}]({_path(kind, '../')})" for kind in classes]
        lines += [f"Objects that it {verb}: {', '.join(links)}.", ""] if links else []
    return "\n".join(lines)


def class_pages() -> dict[str, str]:
    """Write a page for each class that functions and results hand out, and two that list them: results and other objects.

    Returns
    -------
    Name of the page → text.
    """
    uses = reachable_classes()
    shown = result_classes()
    others = sorted((kind for kind in uses if kind not in shown), key=lambda kind: kind.__name__)
    pages = {}
    for kind in shown:
        options = ("members", "inherited-members", "exclude-members: count, index, KIND, MADE_BY")
        text = directive("autoclass", f"flatforce.report.result.{kind.__name__}", *options)
        pages[f"results/{kind.__name__}"] = f"# {kind.__name__}\n\n{text}"
    for kind in others:
        text = directive("autoclass", f"{kind.__module__}.{kind.__name__}", "members")
        pages[f"objects/{kind.__name__}"] = "\n\n".join([f"# {kind.__name__}", text, *_uses(uses[kind])])
    pages["results"] = _list_page(
        "Results in Python",
        "What the functions and `ff.open` return.",
        ("class", "holds"),
        ((kind, first_paragraph(kind.__doc__)) for kind in shown),
    )
    pages["objects"] = _list_page(
        "Objects in Python",
        "What functions and [results](results.md) take and hand out besides results.",
        ("class", "is", "returned by", "taken by"),
        ((kind, first_paragraph(kind.__doc__), *map(_links, uses[kind])) for kind in others),
    )
    return pages


def _list_page(
    heading: str, sentence: str, titles: tuple[str, ...], rows: Iterable[tuple[type, *tuple[str, ...]]]
) -> str:
    lines = [f"# {heading}", "", sentence, "", _row(titles), _row(["---"] * len(titles))]
    paths = []
    for kind, *texts in rows:
        paths.append(_path(kind).removesuffix(".md"))
        lines.append(_row([f"[{kind.__name__}]({_path(kind)})", *texts]))
    return "\n".join([*lines, "", toctree(paths)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _path(kind: type, start: str = "") -> str:
    return f"{start}{'results' if kind in result_classes() else 'objects'}/{kind.__name__}.md"


def _uses(uses: Uses) -> list[str]:
    """Write what returns and what takes a class as two sentences."""
    texts = (f"Returned by {_links(uses.returned_by, '../')}.", f"Taken by {_links(uses.taken_by, '../')}.")
    return [text for text, names in zip(texts, uses, strict=True) if names]


def _links(names: list[str], start: str = "") -> str:
    """Name functions and members; functions have links to their pages."""
    texts = [
        f"[`{name}`]({start}python/{name.removeprefix('ff.')}.md)" if name.startswith("ff.") else f"`{name}`"
        for name in names
    ]
    more = f" and {len(texts) - MAX_LISTED} more" if len(texts) > MAX_LISTED else ""
    return ", ".join(texts[:MAX_LISTED]) + more


def errors_page() -> str:
    """Write the page of the errors.

    Returns
    -------
    The page, with one directive of autodoc for each class.
    """
    return "# Errors in Python\n\n" + "\n".join(
        directive("autoexception", f"flatforce.core.errors.{name}", "show-inheritance")
        for name, error in vars(errors).items()
        if inspect.isclass(error) and issubclass(error, errors.FlatforceError)
    )
