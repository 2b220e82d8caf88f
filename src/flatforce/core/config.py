"""Closed, frozen configuration read from YAML; a mistake is answered with all problems at once."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class Config(BaseModel):
    """Base of every settings class: unknown keys are refused, values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )

    @classmethod
    def parse(cls, values: dict[str, Any], *, source: str = "settings") -> Self:
        """Check plain values and turn a mistake into one readable error.

        Parameters
        ----------
        values
            Nested plain values, as YAML gives them.
        source
            Where they came from, for the message.

        Returns
        -------
        The configuration.

        Raises
        ------
        ConfigError
            With every problem found, each with its place and, for an unknown key, the nearest known one.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = error.errors()
            lines = [_describe(item, cls) for item in found]
            raise ConfigError(
                f"{source}: {len(lines)} setting(s) cannot be used.",
                why="\n       ".join(lines),
                fix=f"known settings there: {', '.join(_fields_at(cls, found[0]['loc'][:-1]))}",
            ) from error

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a YAML file.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        The configuration.
        """
        return cls.parse(read_yaml(path), source=str(path))


ConfigT = TypeVar("ConfigT", bound=Config)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Its content; an empty file is an empty mapping.

    Raises
    ------
    ConfigError
        If the file is absent, is no YAML, or holds no mapping.
    """
    if not path.is_file():
        raise ConfigError(f"There is no file {path}.", fix="check the path of the settings file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML.", why=str(error)) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no settings.", why="a mapping `key: value` is expected")
    return content


def _describe(problem: Any, root: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "(top)"
    if problem["type"] == "union_tag_invalid":
        said = problem["ctx"]
        return f"{place}: there is no kind {said['tag']}; known: {said['expected_tags']}"
    if problem["type"] != "extra_forbidden":
        return f"{place}: {problem['msg']} (got {problem['input']!r})"
    near = get_close_matches(str(problem["loc"][-1]), _fields_at(root, problem["loc"][:-1]), n=1)
    return f"{place}: unknown key" + (f"; did you mean `{near[0]}`?" if near else "")


def _fields_at(root: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Follow a place through nested settings, optional ones and unions; a tag of a union narrows it, an index does not."""
    here = [root]
    for part in path:
        fields = [model.model_fields[part] for model in here if part in model.model_fields]
        inner = [model for field in fields for model in nested_configs(field.annotation)]
        tagged = [
            model
            for model in here
            if any(part in get_args(one.annotation) for one in model.model_fields.values())
        ]
        here = inner or tagged or here
    return list(dict.fromkeys(name for model in here for name in model.model_fields))


def nested_configs(annotation: Any) -> list[type[BaseModel]]:
    """Find the settings classes in a type.

    Parameters
    ----------
    annotation
        Of a field: a class, an optional one, a list, a union.

    Returns
    -------
    Classes in the order they are named.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in nested_configs(part)]
