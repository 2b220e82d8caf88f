"""Pages of the reference about YAML files, written from the classes of settings."""

from __future__ import annotations

import json
import re
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from markup import anchor, cell, first_paragraph, toctree

from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core.config import nested_configs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel

ACRONYMS = {"Mace": "MACE", "Vasp": "VASP", "Gpaw": "GPAW", "Ase": "ASE", "Sqs": "SQS"}
"""Part of the name of a class → how it is written."""

KEPT = {"M3GNet", "NequIP", "TensorNet"}
"""Parts of names that keep their capitals."""

NAMES = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    type(None): "null",
    Any: "any value",
}
"""Python type → what a YAML file holds."""


def settings_pages() -> dict[str, str]:
    """Write one page for each class of settings.

    Returns
    -------
    Name of the page → text: a table of the keys, each group of keys linked to its own page.
    """
    kinds: dict[str, type[BaseModel]] = {}
    for command in SETTINGS:
        _collect(config_class(command), kinds)
    used: dict[str, list[str]] = {}
    for command in SETTINGS:
        used.setdefault(config_class(command).__name__, []).append(command)
    pages = {f"settings/{name}": _settings_page(kind, used.get(name, [])) for name, kind in kinds.items()}
    rows = [
        f"| [`flatforce {command}`](settings/{config_class(command).__name__}.md) | {first_paragraph(config_class(command).__doc__)} |"
        for command in SETTINGS
    ]
    contents = toctree(f"settings/{name}" for name in sorted(kinds))
    pages["settings"] = "\n".join(
        ["# Settings", "", "| command | settings |", "|---|---|", *rows, "", contents]
    )
    return pages


def _collect(kind: type[BaseModel], kinds: dict[str, type[BaseModel]]) -> None:
    if kind.__name__ not in kinds:
        kinds[kind.__name__] = kind
        for field in kind.model_fields.values():
            for nested in nested_configs(field.annotation):
                _collect(nested, kinds)


def _settings_page(kind: type[BaseModel], used: list[str]) -> str:
    lines = [f"# {title(kind)}", "", cell(kind.__doc__), ""]
    if used:
        names = ", ".join(
            f"[`flatforce {name}`](../commands/{name.split()[0]}.md#{anchor(name)})" for name in used
        )
        lines += [f"Read by {names}. `flatforce settings {used[0]}` prints a template with all keys.", ""]
    return "\n".join(
        [*lines, "| key | type | default | meaning |", "|---|---|---|---|", *_key_rows(kind), ""]
    )


def title(kind: type[BaseModel]) -> str:
    """Write the name of a class of settings in words.

    Parameters
    ----------
    kind
        The class.

    Returns
    -------
    Words with a capital first letter, such as `Defect phonon`.
    """
    words = re.findall(r"M3GNet|NequIP|TensorNet|[A-Z][a-z0-9]*", kind.__name__.removesuffix("Config"))
    names = [ACRONYMS.get(word, word if word in KEPT else word.lower()) for word in words]
    return names[0][0].upper() + " ".join(names)[1:]


def _key_rows(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        models = nested_configs(field.annotation)
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        default = "required" if field.is_required() else f"`{_plain(value)}`"
        if models:
            links = ", ".join(f"[{title(model)}]({model.__name__}.md)" for model in models)
            kept = default if field.is_required() or value is None or value in ([], {}) else ""
            yield f"| `{name}` | {links} | {kept} | {cell(field.description)} |"
        else:
            yield f"| `{name}` | {_type(field.annotation, field.metadata)} | {default} | {cell(field.description)} |"


def _plain(value: Any) -> str:
    plain = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    return json.dumps(plain, ensure_ascii=False, default=str).replace("|", "\\|")


def _type(annotation: Any, constraints: Iterable[Any] = ()) -> str:
    bounds = " ".join(filter(None, map(_bound, constraints)))
    return f"{_value(annotation)} {bounds}".strip()


def _value(annotation: Any) -> str:
    origin, members = get_origin(annotation), get_args(annotation)
    writers = {
        Annotated: lambda: _type(members[0], members[1:]),
        Literal: lambda: ", ".join(f"`{member}`" for member in members),
        Union: lambda: " or ".join(map(_value, members)),
        UnionType: lambda: " or ".join(map(_value, members)),
        list: lambda: f"list of {_value(members[0])}",
        tuple: lambda: f"[{', '.join(map(_value, members))}]",
        dict: lambda: f"mapping: {_value(members[0])} → {_value(members[1])}",
    }
    if origin in writers:
        return writers[origin]()
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)).lower())


def _bound(constraint: Any) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    parts = [
        f"{sign} {getattr(constraint, name):g}"
        for name, sign in signs.items()
        if isinstance(getattr(constraint, name, None), int | float)
    ]
    return ", ".join(parts)
