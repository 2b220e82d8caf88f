"""`flatforce settings`: every key that a YAML file of a command may hold."""

from __future__ import annotations

import importlib
import textwrap
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

import typer
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from flatforce.core.config import Config

SETTINGS: Final = {
    "run": "flatforce.studies.config:StudyConfig",
    "train": "flatforce.models.training.config:TrainConfig",
    "sweep": "flatforce.models.training.sweep:SweepConfig",
    "learn": "flatforce.active.config:LearnConfig",
    "label": "flatforce.reference.config:LabelConfig",
    "relax": "flatforce.properties.relax_config:RelaxConfig",
    "phonons": "flatforce.properties.phonons.config:PhononConfig",
    "defect phonons": "flatforce.properties.phonons.config:DefectPhononConfig",
    "defect optimum": "flatforce.active.optimum_config:OptimumConfig",
    "defect unfold": "flatforce.properties.phonons.config:UnfoldConfig",
    "defect lineshape": "flatforce.properties.phonons.config:LineShapeConfig",
    "data import": "flatforce.data.importing:ImportConfig",
    "data curate": "flatforce.data.curation.run:CurationConfig",
    "data split": "flatforce.data.material_splits:SplitConfig",
    "benchmark relax": "flatforce.properties.benchmark.config:RelaxationBenchmarkConfig",
    "alloy": "flatforce.studies.alloy.files:AlloyStudy",
}
"""Command → class of its settings; those that take the settings of another are not repeated."""

MANY: Final[dict[Any, str]] = {list: "a list, each item ", dict: "by name, each "}

WIDTH: Final = 110
"""Of a line of text."""


def settings(
    command: Annotated[list[str] | None, typer.Argument(help="Such as learn, or defect phonons.")] = None,
) -> None:
    """List the settings of a command, each with its default, as the YAML that the command reads."""
    from flatforce.core.errors import ConfigError

    name = " ".join(command or [])
    if name in SETTINGS:
        kind = _class_of(name)
        typer.echo(f"# {kind.__doc__}")
        typer.echo("\n".join(_lines(kind, "")))
        return
    if name:
        raise ConfigError(
            f"There are no settings of `{name}`.", fix=f"name one of: {', '.join(sorted(SETTINGS))}"
        )
    for name in SETTINGS:
        typer.echo(f"flatforce settings {name:18s} {_class_of(name).__doc__}")


def _class_of(name: str) -> type[Config]:
    module, _, found = SETTINGS[name].partition(":")
    kind: type[Config] = getattr(importlib.import_module(module), found)
    return kind


def _lines(kind: type[BaseModel], indent: str, given: BaseModel | None = None) -> Iterator[str]:
    """Write the keys of a class with their defaults, or with the values of one that is given."""
    for name, field in kind.model_fields.items():
        for line in textwrap.wrap(field.description or "", WIDTH - len(indent)):
            yield f"{indent}# {line}"
        value = field.get_default(call_default_factory=True) if given is None else getattr(given, name)
        yield from _value(name, field, value, indent)


def _value(name: str, field: FieldInfo, value: Any, indent: str) -> Iterator[str]:
    """Write one key; what is not there by default stands behind a #."""
    from flatforce.core.config import nested_configs

    inner = nested_configs(field.annotation)
    required = field.is_required()
    if not inner:
        said = "required; " if required else ""
        yield f"{indent}{name}:{'' if required else ' ' + _plain(value)}  # {said}{_type_of(field.annotation)}"
        return
    said = "required; " if required else "left out by default; " if value is None else ""
    said += MANY.get(get_origin(field.annotation), "")
    for word in SETTINGS:
        if inner == [_class_of(word)]:
            differs = value.model_dump(mode="json", exclude_defaults=True) if type(value) in inner else {}
            here = f", here with {_plain(differs)}" if differs else ""
            yield f"#{indent}{name}:  # {said}as `flatforce settings {word}`{here}"
            return
    for model in inner:
        words = said + (model.__doc__ or "" if len(inner) > 1 else "")
        header = f"{indent}{name}:" + (f"  # {words.rstrip(' ;')}" if words else "")
        block = [header, *_lines(model, indent + "  ", value if type(value) is model else None)]
        yield from block if type(value) is model else ("#" + line.removeprefix("#") for line in block)


def _plain(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    return text.removesuffix("...\n").strip()


def _type_of(annotation: Any) -> str:
    """Say a type as a user would: choices, else the names of its parts."""
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    parts = [part for part in get_args(annotation) if isinstance(part, type) or get_origin(part)]
    if get_origin(annotation) in {list, dict, tuple}:
        return f"{get_origin(annotation).__name__} of {', '.join(map(_type_of, parts))}"
    if parts:
        return " | ".join(dict.fromkeys(map(_type_of, parts)))
    return "null" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
