"""`flatforce settings`: a template of the YAML file that a command reads, with every key, its meaning and its default."""

from __future__ import annotations

import importlib
import textwrap
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

import typer

from flatforce.cli.examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from flatforce.core.config import Config

ALLOY: Final = "flatforce.studies.alloy.config:AlloyStudy"
TRAIN: Final = "flatforce.models.training.config:TrainConfig"
DEFECT_PHONONS: Final = "flatforce.properties.phonons.config:DefectPhononConfig"

SETTINGS: Final = {
    "run": "flatforce.studies.config:StudyConfig",
    "train": TRAIN,
    "finetune": TRAIN,
    "sweep": "flatforce.models.training.sweep_config:SweepConfig",
    "learn": "flatforce.active.config:LearnConfig",
    "label": "flatforce.reference.config:LabelConfig",
    "relax": "flatforce.properties.relax_config:RelaxConfig",
    "screen": "flatforce.properties.screening.config:ScreenConfig",
    "phonons": "flatforce.properties.phonons.config:PhononConfig",
    "elastic": "flatforce.properties.elasticity.config:ElasticConfig",
    "neb": "flatforce.properties.barriers.config:NebConfig",
    "md": "flatforce.properties.dynamics.config:MdConfig",
    "expansion": "flatforce.properties.expansion.config:ExpansionConfig",
    "defect phonons": DEFECT_PHONONS,
    "defect energy": "flatforce.properties.defect_energies.config:DefectEnergyConfig",
    "defect strain": DEFECT_PHONONS,
    "defect hops": "flatforce.properties.barriers.config:HopsConfig",
    "defect optimum": "flatforce.active.optimum_config:OptimumConfig",
    "defect unfold": "flatforce.properties.phonons.config:UnfoldConfig",
    "defect lineshape": "flatforce.properties.phonons.config:LineShapeConfig",
    "export": "flatforce.properties.export.config:ExportConfig",
    "data import": "flatforce.data.config:ImportConfig",
    "data curate": "flatforce.data.config:CurationConfig",
    "data split": "flatforce.data.config:SplitConfig",
    "benchmark relax": "flatforce.properties.benchmark.config:RelaxationBenchmarkConfig",
    "alloy enumerate": ALLOY,
    "alloy energies": ALLOY,
    "alloy fit": ALLOY,
    "alloy compare": ALLOY,
    "alloy hull": ALLOY,
    "alloy mc": ALLOY,
    "alloy sqs": ALLOY,
}
"""Command → class of its settings."""

CONTAINERS: Final[dict[Any, str]] = {list: "a list, each item", dict: "by name, each"}

WIDTH: Final = 110
"""Characters of a line of text."""


def settings(
    command: Annotated[
        list[str] | None, typer.Argument(help="Command whose settings are printed, such as: defect phonons.")
    ] = None,
) -> None:
    """Print a template of the YAML file that a command reads: every key with its meaning and default.

    Without a command, the commands that read a YAML file are listed. Required keys hold an example; parts that are
    left out by default are commented out.
    """
    from flatforce.core.errors import ConfigError

    name = " ".join(command or [])
    if name in SETTINGS:
        typer.echo(template(name), nl=False)
        return
    if name:
        similar = [entry for entry in SETTINGS if entry.split()[0] == name.split()[0]] or sorted(SETTINGS)
        raise ConfigError(
            f"There are no settings of `{name}`.",
            fix="type one of: " + ", ".join(f"flatforce settings {entry}" for entry in similar),
        )
    for entry in SETTINGS:
        typer.echo(f"flatforce settings {entry:16s} {(config_class(entry).__doc__ or '').splitlines()[0]}")


def config_class(command: str) -> type[Config]:
    """Import the class of the settings of a command.

    Parameters
    ----------
    command
        Key of `SETTINGS`.

    Returns
    -------
    Configuration class whose fields are the keys of the command's YAML file.
    """
    module, _, name = SETTINGS[command].partition(":")
    kind: type[Config] = getattr(importlib.import_module(module), name)
    return kind


def template(command: str) -> str:
    """Write the settings of a command as YAML that the command reads.

    Parameters
    ----------
    command
        Key of `SETTINGS`.

    Returns
    -------
    Lines of YAML: each key with its description, and its default or an example.
    """
    kind = config_class(command)
    example = kind.parse(EXAMPLES.get(command, {}), source=f"example of {command}")
    heading = textwrap.wrap(f"flatforce {command}: {' '.join((kind.__doc__ or '').split())}", WIDTH)
    return "\n".join([*(f"# {line}" for line in heading), *_lines(kind, "", example, marked=True)]) + "\n"


def _lines(
    kind: type[BaseModel], indent: str, values: BaseModel | None = None, *, marked: bool = False
) -> Iterator[str]:
    """Write the keys of a class with the values of an instance, or with their defaults; examples can be marked."""
    for name, field in kind.model_fields.items():
        for line in textwrap.wrap(field.description or "", WIDTH - len(indent)):
            yield f"{indent}# {line}"
        value = field.get_default(call_default_factory=True) if values is None else getattr(values, name)
        yield from _field_lines(name, field, value, indent, marked=marked)


def _field_lines(name: str, field: FieldInfo, value: Any, indent: str, *, marked: bool) -> Iterator[str]:
    """Write one key; a part that is left out by default is commented out."""
    from flatforce.core.config import nested_configs

    models = nested_configs(field.annotation)
    is_default = not field.is_required() and value == field.get_default(call_default_factory=True)
    note = "" if is_default or not marked else "an example: "
    note = f"required; {note}" if field.is_required() else note
    if not models:
        from pydantic_core import PydanticUndefined

        text = "" if value is PydanticUndefined else f" {_flow(value)}"
        yield f"{indent}{name}:{text}  # {note}{_type_of(field.annotation)}"
        return
    for command in SETTINGS:
        if models == [config_class(command)]:
            yield _reference(name, value, indent, command=command, is_default=is_default, note=note)
            return
    container = CONTAINERS.get(get_origin(field.annotation), "")
    if not is_default and isinstance(value, list | dict):
        yield f"{indent}{name}:  # {note}{container}".rstrip(" :")
        yield from _items(value, indent)
        return
    note = note or ("left out by default: " if value is None else "")
    for model in models:
        text = f"{note}{container} {model.__doc__ if len(models) > 1 else ''}".strip(" :;")
        active = type(value) is model
        block = [f"{indent}{name}:" + (f"  # {text}" if text else "")]
        block += _lines(model, indent + "  ", value if active else None, marked=active and not is_default)
        yield from block if active else ("#" + line.removeprefix("#") for line in block)


def _reference(name: str, value: Any, indent: str, *, command: str, is_default: bool, note: str) -> str:
    """Write a key whose settings are those of another command."""
    values = value.model_dump(mode="json", exclude_defaults=True) if hasattr(value, "model_dump") else value
    if not is_default:
        return f"{indent}{name}: {_flow(values)}  # {note}keys as in `flatforce settings {command}`"
    defaults = f", by default with {_flow(values)}" if values else ""
    return f"#{indent}{name}:  # keys as in `flatforce settings {command}`{defaults}"


def _items(values: list[Any] | dict[str, Any], indent: str) -> Iterator[str]:
    """Write the items of a list or a dictionary of settings."""
    pairs = values.items() if isinstance(values, dict) else ((None, value) for value in values)
    for name, value in pairs:
        if not hasattr(type(value), "model_fields"):
            yield f"{indent}  - {_flow(value)}" if name is None else f"{indent}  {name}: {_flow(value)}"
            continue
        yield f"{indent}  -" if name is None else f"{indent}  {name}:"
        yield from _lines(type(value), indent + "    ", value, marked=True)


def _flow(value: Any) -> str:
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _type_of(annotation: Any) -> str:
    """Name a type as a user would: its choices, or the names of its parts."""
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    parts = [part for part in get_args(annotation) if isinstance(part, type) or get_origin(part)]
    if get_origin(annotation) in {list, dict, tuple}:
        return f"{get_origin(annotation).__name__} of {', '.join(map(_type_of, parts))}"
    if parts:
        return " | ".join(dict.fromkeys(map(_type_of, parts)))
    return "null" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
