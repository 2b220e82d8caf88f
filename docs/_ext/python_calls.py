"""Python calls that are equal to command lines with their YAML files, written from both."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from typing import Any

import click
import typer
import yaml

import flatforce
from flatforce.cli import app

EXAMPLES = Path(__file__).parents[2] / "examples"
"""Smallest and complete YAML files of every command."""

FUNCTIONS = {
    "relax": "relax",
    "screen": "screen",
    "phonons": "phonons",
    "elastic": "elastic",
    "md": "md",
    "expansion": "expansion",
    "neb": "neb",
    "export": "export",
    "defect energy": "defect_energies",
    "defect hops": "hops",
    "defect build": "build_defect",
    "defect phonons": "defect_phonons",
    "data import": "read",
    "train": "train",
    "finetune": "train",
    "evaluate": "evaluate",
    "learn": "learn",
    "benchmark compare": "compare",
    "cite": "cite",
}
"""Command → function that does the same."""

ARGUMENTS = {"structure": "sheet", "output": "folder", "folders": "results", "data": "frames"}
"""Argument or option of a command, or key of its YAML file → argument of the function, where the names differ."""

OWN_ARGUMENTS = {"finetune": {"model": "start_from"}}
"""Command → further names that differ."""

WIDTH = 40
"""Characters of a line; longer calls have one argument on each line."""


def minimal_yaml(command: str) -> str:
    """Read the smallest YAML file of a command.

    Parameters
    ----------
    command
        Name of the command.

    Returns
    -------
    The file; its first line is a comment with the command line.
    """
    path = EXAMPLES / command.replace(" ", "-") / "minimal.yaml"
    return path.read_text(encoding="utf-8").rstrip()


def call_of_example(command: str) -> str:
    """Write the Python call that does what a command does with its smallest YAML file.

    Parameters
    ----------
    command
        Key of `FUNCTIONS`.

    Returns
    -------
    An expression that begins with `ff.`.
    """
    text = minimal_yaml(command)
    line = text.partition("\n")[0].removeprefix("# flatforce ")
    return call_of(command, line, yaml.safe_load(text))


def call_of(command: str, line: str, settings: dict[str, Any] | None = None) -> str:
    """Write the Python call that does what a command line does.

    Parameters
    ----------
    command
        Key of `FUNCTIONS`.
    line
        What is typed after `flatforce`.
    settings
        Content of the YAML file that it names.

    Returns
    -------
    An expression that begins with `ff.`.
    """
    function = getattr(flatforce, FUNCTIONS[command])
    names = ARGUMENTS | OWN_ARGUMENTS.get(command, {})
    given = {
        names.get(name, name): _plain(value)
        for name, value in {**_given(command, line), **(settings or {})}.items()
        if name != "config"
    }
    arguments = []
    parameters = inspect.signature(function).parameters
    for name, parameter in sorted(
        parameters.items(),
        key=lambda item: item[0] == "folder" and item[1].kind is inspect.Parameter.KEYWORD_ONLY,
    ):  # the folder is the last, where it is no positional argument
        if name in given:
            value = given.pop(name)
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                arguments.append(f"{name}={_text(value)}")
            else:
                arguments.append(_text(value[0] if isinstance(value, list) and len(value) == 1 else value))
    if set(given) - {"folder"}:  # functions that keep their result in memory have no folder
        raise ValueError(f"{FUNCTIONS[command]} takes no {', '.join(given)}: {line}")
    call = f"ff.{FUNCTIONS[command]}({', '.join(arguments)})"
    if len(call) <= WIDTH:
        return call
    return "\n".join([f"ff.{FUNCTIONS[command]}(", *(f"    {argument}," for argument in arguments), ")"])


def _given(command: str, line: str) -> dict[str, Any]:
    """Arguments and options that a command line gives, as its function receives them."""
    leaf: Any = typer.main.get_command(app)
    for name in command.split():
        leaf = leaf.commands[name]
    words = shlex.split(line)[len(command.split()) :]
    context = leaf.make_context(command, words, resilient_parsing=True)
    given = click.core.ParameterSource.COMMANDLINE.name
    return {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name).name == given
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return str(value) if isinstance(value, Path) else value


def _text(value: Any) -> str:
    """Write a value in double quotes, as the manual does."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_text(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str) and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return repr(value)
