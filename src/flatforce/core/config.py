"""Closed, frozen configuration classes that are read from YAML; an error lists all problems at once."""

from __future__ import annotations

from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_SEED: Final = 2**32
"""Seeds of numpy and torch are smaller."""

MAX_SHOWN: Final = 80
"""Characters of a wrong value that a message shows."""


class Config(BaseModel):
    """Base of all configuration classes: unknown keys raise an error, and values cannot be changed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_values(cls, values: Any) -> Any:
        """Refuse true and false where a number is meant, and seeds that random generators refuse."""
        for name, value in values.items() if isinstance(values, dict) else ():
            field = cls.model_fields.get(str(name))
            kinds = set() if field is None else _value_types(field.annotation)
            if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
                raise ValueError(f"{name} is a number, not {str(value).lower()}")
            if str(name).endswith("seed") and isinstance(value, int) and not 0 <= value < MAX_SEED:
                raise ValueError(f"{name} is an integer from 0 to {MAX_SEED - 1}, not {value}")
        return values

    @classmethod
    def parse(cls, values: dict[str, Any], *, source: str = "settings") -> Self:
        """Validate plain values.

        Parameters
        ----------
        values
            Nested plain values, as read from YAML.
        source
            Origin of the values, for error messages.

        Returns
        -------
        The validated, frozen configuration, with defaults for all keys that are missing.

        Raises
        ------
        ConfigError
            If a value is invalid. The message lists all problems with their keys and, for an unknown key, the most similar known
            one.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = error.errors()
            lines = [_describe(problem, cls) for problem in problems]
            unknown = next((problem for problem in problems if problem["type"] == "extra_forbidden"), None)
            known = [] if unknown is None else _fields_at(cls, unknown["loc"][:-1])
            raise ConfigError(
                f"{source}: {len(lines)} invalid setting(s).",
                why="\n       ".join(lines),
                fix=f"use the known keys: {', '.join(known)}"
                if known
                else "correct or add what is named above",
            ) from error

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read and validate a YAML file.

        Parameters
        ----------
        path
            Path of the file.

        Returns
        -------
        The validated, frozen configuration, with defaults for all keys that are missing.
        """
        return cls.parse(read_yaml(path), source=str(path))


class UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader of YAML that refuses a key which stands twice in one mapping, of which PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping.

        Parameters
        ----------
        node
            Its node.
        deep
            Whether its values are built at once.

        Returns
        -------
        The mapping of keys to values, in the order of the file.

        Raises
        ------
        ConstructorError
            If a key stands twice.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key `{key.value}` stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


ConfigT = TypeVar("ConfigT", bound=Config)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Parameters
    ----------
    path
        Path of the file.

    Returns
    -------
    Content of the file; an empty mapping for an empty file.

    Raises
    ------
    ConfigError
        If the file does not exist, is not valid YAML, or does not contain a mapping.
    """
    if not path.is_file():
        raise ConfigError(
            f"The settings file {path} does not exist.",
            fix="check its path; flatforce settings lists all settings",
        )
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506  # a safe loader
    except RecursionError as error:
        raise ConfigError(
            f"{path} is nested too deeply.", fix="write the settings as flatforce settings prints them"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not valid YAML.",
            why=str(error),
            fix="correct the file at the line that is named above",
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} contains no settings.",
            why="its top level is not a mapping",
            fix="write one setting a line: `key: value`",
        )
    return content


def _value_types(annotation: Any) -> set[Any]:
    """Collect the types that a field takes, inside unions and `Annotated` too, but not those inside containers."""
    origin = get_origin(annotation)
    if origin in {Union, UnionType, Annotated}:
        arguments = get_args(annotation)
        return set().union(*map(_value_types, arguments[:1] if origin is Annotated else arguments))
    return {annotation} if isinstance(annotation, type) else set()


def _describe(problem: Any, root: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    if problem["type"] == "union_tag_invalid":
        context = problem["ctx"]
        return f"{key}: unknown kind {context['tag']}; known kinds: {context['expected_tags']}"
    if problem["type"] != "extra_forbidden":
        return f"{key}: {problem['msg']} (got {_short(problem['input'])})"
    similar = get_close_matches(str(problem["loc"][-1]), _fields_at(root, problem["loc"][:-1]), n=1)
    return f"{key}: unknown key" + (f"; did you mean `{similar[0]}`?" if similar else "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _fields_at(root: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """List the keys at a path through nested, optional and union settings; a tag of a union narrows it, an index does not."""
    models = [root]
    for part in path:
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        nested = [model for field in fields for model in nested_configs(field.annotation)]
        tagged = [
            model
            for model in models
            if any(part in get_args(field.annotation) for field in model.model_fields.values())
        ]
        models = nested or tagged or models
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def nested_configs(annotation: Any) -> list[type[BaseModel]]:
    """Find the configuration classes in a type annotation.

    Parameters
    ----------
    annotation
        Annotation of a field: a class, an optional class, a list or a union.

    Returns
    -------
    Configuration classes in the order of the annotation.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in nested_configs(part)]
