"""Classes that the functions of the package return or take, found by following annotations."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache, cached_property
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import flatforce
from flatforce.report import result as results

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "flatforce"


def result_classes() -> list[type]:
    """List the classes of results.

    Returns
    -------
    Classes that `ff.open` returns, in alphabetical order.
    """
    members = [getattr(results, name) for name in results.__all__]
    return [member for member in members if inspect.isclass(member)]


class Uses(NamedTuple):
    """Functions and members that return a class, and functions that take it."""

    returned_by: list[str]
    """Names such as `ff.load` or `TrainResult.model`."""
    taken_by: list[str]
    """Names such as `ff.relax`."""


def reachable_classes() -> dict[type, Uses]:
    """Follow the annotations from every public function and every result, through public members, to classes of the package.

    Returns
    -------
    Class → what returns and what takes it.
    """
    met = {kind: Uses([], []) for kind in result_classes()}
    for name in flatforce.__all__:
        function = getattr(flatforce, name)
        for kind in classes_of(function):
            met.setdefault(kind, Uses([], [])).returned_by.append(f"ff.{name}")
        for kind in classes_of(function, returned=False):
            met.setdefault(kind, Uses([], [])).taken_by.append(f"ff.{name}")
    waiting = list(met)
    for holder in waiting:
        for name, kind in _member_classes(holder):
            if kind not in met:
                met[kind] = Uses([], [])
                waiting.append(kind)
            if kind is not holder:
                met[kind].returned_by.append(f"{holder.__name__}.{name}")
    return met


def classes_of(function: Any, *, returned: bool = True) -> list[type]:
    """List the classes of the package in the annotations of a function.

    Parameters
    ----------
    function
        A function whose annotations are texts.
    returned
        Whether the annotation of the returned value counts, or those of the parameters.

    Returns
    -------
    Classes in the order of the annotations, without repetitions.
    """
    module = sys.modules[function.__module__]
    texts = [text for name, text in function.__annotations__.items() if (name == "return") == returned]
    return list(dict.fromkeys(kind for text in texts for kind in _classes_in(text, module)))


def public_members(holder: type) -> dict[str, Any]:
    """List what a user reads or calls on an object.

    Parameters
    ----------
    holder
        A class of the package.

    Returns
    -------
    Name → property, method, or text of the annotation of a field; those of base classes in the package included.
    """
    members: dict[str, Any] = {}
    for base in _bases(holder):
        fields = {
            name: text
            for name, text in vars(base).get("__annotations__", {}).items()
            if "ClassVar" not in text
        }
        functions = {
            name: value
            for name, value in vars(base).items()
            if isinstance(value, FunctionType | property | cached_property)
        }
        members |= {name: value for name, value in (fields | functions).items() if not name.startswith("_")}
    return members


def _bases(holder: type) -> list[type]:
    """List the base classes of the package, the most general first, and the class itself."""
    return [base for base in reversed(holder.__mro__) if base.__module__.startswith(f"{PACKAGE}.")]


def _member_classes(holder: type) -> Iterator[tuple[str, type]]:
    for name, member in public_members(holder).items():
        if isinstance(member, str):
            home = next(
                base for base in reversed(_bases(holder)) if name in vars(base).get("__annotations__", {})
            )
            kinds = list(_classes_in(member, sys.modules[home.__module__]))
        else:
            kinds = classes_of(_function(member))
        yield from ((name, kind) for kind in kinds)


def _function(member: Any) -> Any:
    if isinstance(member, property):
        return member.fget
    return member.func if isinstance(member, cached_property) else member


def _classes_in(annotation: str, module: ModuleType) -> Iterator[type]:
    """Classes of the package that an annotation names, aliases resolved."""
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if not isinstance(node, ast.Name):
            continue
        home, name = _imports(module).get(node.id, (module.__name__, node.id))
        if not f"{home}.".startswith(f"{PACKAGE}."):
            continue
        value = getattr(import_module(home), name, None)
        if isinstance(value, str):
            yield from _classes_in(value, import_module(home))
        elif inspect.isclass(value) and value.__module__.startswith(f"{PACKAGE}."):
            yield value


@cache
def _imports(module: ModuleType) -> dict[str, tuple[str, str]]:
    """Name in a module → module and name that it is imported from, also where only type checkers import it."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
