"""Result folders: `result.json` + `arrays.npz`, written whole or not at all."""

from __future__ import annotations

import json
import math
import platform
import re
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.files import write_arrays, write_text
from flatforce.core.hashing import hash_value
from flatforce.core.record_check import checked_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SCHEMA = 1
"""Version of the layout of `result.json`."""

MAX_DEPTH: Final = 200
"""Levels of nesting of a record that is read; results have fewer than ten."""

BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
"""A bracket of JSON, or a string, whose brackets do not count."""

REPORTED_PACKAGES = ("flatforce", "numpy", "ase", "phonopy", "torch", "mace-torch", "gpaw")
"""Packages whose versions stand in every result, where installed."""


@dataclass(frozen=True)
class Record:
    """What a finished piece of work leaves behind.

    `metrics` is flat name → number (null in the file where not finite, as JSON has no NaN), `units` name → unit,
    `details` any further plain values.
    """

    kind: str
    config: dict[str, Any]
    metrics: dict[str, float]
    units: dict[str, str]
    inputs: dict[str, str] = field(default_factory=dict)
    converged: bool = True
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    wall_time: float | None = None
    """s."""
    revision: int = 1
    """Revision of the method that computed the numbers; see `core.identity`."""
    subject: dict[str, Any] = field(default_factory=dict)
    """What was computed, for readers: `model`, `structure`, `architecture` and `labels` where they are known."""
    key: str = ""
    """Key of `core.identity.Identity`; empty for records that no stage takes up again, such as those of an import."""


def write_record(folder: Path, record: Record, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write `arrays.npz`, then `result.json`: a folder with a `result.json` is complete, even after a power failure.

    Parameters
    ----------
    folder
        The result folder.
    record
        What goes into `result.json`.
    arrays
        What goes into `arrays.npz`.
    """
    if arrays:
        write_arrays(folder / "arrays.npz", arrays, durable=True)
    content = {
        "schema": SCHEMA,
        "kind": record.kind,
        "versions": versions(),
        "subject": record.subject,
        "config": record.config,
        "inputs": record.inputs,
        "revision": record.revision,
        "key": record.key or hash_value([record.kind, to_json(record.config), record.inputs]),
        "seed": record.seed,
        "converged": record.converged,
        "warnings": record.warnings,
        "wall_time": record.wall_time,
        "metrics": {name: x if math.isfinite(x) else None for name, x in record.metrics.items()},
        "units": record.units,
        "details": record.details,
    }
    write_text(
        folder / "result.json", json.dumps(content, indent=1, default=plain_value) + "\n", durable=True
    )


def _check_depth(text: str) -> None:
    """Refuse JSON that is nested beyond reason: where a package has raised the limit of recursion, reading it ends the process."""
    depth = 0
    for match in BRACKET.finditer(text) if text.count("[") + text.count("{") > MAX_DEPTH else ():
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")


def read_record(folder: Path, *, kind: str = "", made_by: str = "") -> dict[str, Any]:
    """Read `result.json`.

    Parameters
    ----------
    folder
        The result folder.
    kind
        What it must hold; anything if not given.
    made_by
        The command that makes it, for the error.

    Returns
    -------
    Content of `result.json` as plain values, such as `metrics`, `units` and `config`.

    Raises
    ------
    ResultError
        If there is none, it is damaged or of another program, or holds something else.
    """
    path = folder / "result.json"
    if not path.is_file():
        raise ResultError(
            f"{folder} holds no finished result.", fix="run the command that makes it, to its end"
        )
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        content = checked_record(json.loads(text), path)
    except (
        ValueError,
        RecursionError,
        OSError,
    ) as error:  # no JSON, no text, nested beyond reason, or not to be read
        raise ResultError(
            f"{path} is damaged.",
            why=str(error),
            fix="choose another folder with -o; if flatforce wrote it, delete it and run again",
        ) from error
    if kind and content["kind"] != kind:
        raise ResultError(
            f"{folder} holds no {kind}.",
            why=f"it holds: {content['kind']}",
            fix=f"give a folder of `flatforce {made_by}`",
        )
    return content


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Read `arrays.npz`.

    Parameters
    ----------
    folder
        The result folder.

    Returns
    -------
    Name → array for every array of the file, read into memory.
    """
    with np.load(folder / "arrays.npz") as stored:
        return {name: stored[name] for name in stored.files}


def versions() -> dict[str, str]:
    """List the versions of the packages that numbers depend on.

    Returns
    -------
    Name of each installed package, and of Python → its version.
    """
    installed = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def to_json(values: Any) -> Any:
    """Turn nested values into those that JSON gives back.

    Parameters
    ----------
    values
        Nested mappings, lists, numbers, texts, arrays and paths.

    Returns
    -------
    The same with lists in place of tuples and arrays.
    """
    return json.loads(json.dumps(values, default=plain_value))


def plain_value(value: object) -> object:
    """Turn what numpy and pathlib return into what JSON can hold; the `default` of `json.dumps`.

    Parameters
    ----------
    value
        A numpy scalar or array, or a path.

    Returns
    -------
    The value as a number, list or text that JSON can hold.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot stand in result.json")
