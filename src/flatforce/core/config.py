"""Closed, frozen configuration classes that are read from YAML; an error lists all problems at once."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_SHOWN: Final = 80
"""Characters of a wrong value that a message shows."""


class Config(BaseModel):
    """Base of all configuration classes: unknown keys raise an error, and values cannot be changed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )

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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
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
