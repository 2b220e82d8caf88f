"""Result folders: `result.json` + `arrays.npz`, written whole or not at all."""

from __future__ import annotations

import copy
import json
import math
import platform
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.files import write_arrays, write_text
from flatforce.core.hashing import hash_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SCHEMA = 1
"""Version of the layout of `result.json`."""

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
    key: str = ""
    """What makes it the same stage, where that is less than all of `config` and `inputs`; see `stage_key`."""

    def taking(self, seconds: float) -> Record:
        """Return the record with its wall time; after a resumed run, the time of the last part.

        Parameters
        ----------
        seconds
            s.

        Returns
        -------
        A new record.
        """
        return replace(self, wall_time=seconds)


def write_record(folder: Path, record: Record, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write `arrays.npz`, then `result.json`: a folder with a `result.json` is complete.

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
        write_arrays(folder / "arrays.npz", arrays)
    content = {
        "schema": SCHEMA,
        "kind": record.kind,
        "versions": versions(),
        "config": record.config,
        "inputs": record.inputs,
        "revision": record.revision,
        "key": record.key or stage_key(record.config, record.inputs),
        "seed": record.seed,
        "converged": record.converged,
        "warnings": record.warnings,
        "wall_time": record.wall_time,
        "metrics": {name: x if math.isfinite(x) else None for name, x in record.metrics.items()},
        "units": record.units,
        "details": record.details,
    }
    write_text(folder / "result.json", json.dumps(content, indent=1, default=plain_value) + "\n")


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
    Its content.

    Raises
    ------
    ResultError
        If there is none, it is damaged, or holds something else.
    """
    path = folder / "result.json"
    if not path.is_file():
        raise ResultError(
            f"{folder} holds no finished result.", fix="run the command that makes it, to its end"
        )
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ResultError(f"{path} is damaged.", why=str(error), fix="delete it and run again") from error
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
    Name → array.
    """
    with np.load(folder / "arrays.npz") as stored:
        return {name: stored[name] for name in stored.files}


def stage_key(config: dict[str, Any], inputs: dict[str, str]) -> str:
    """Identify a stage by its settings and the hashes of its inputs.

    Parameters
    ----------
    config
        Resolved settings.
    inputs
        Name → hash.

    Returns
    -------
    20 hexadecimal digits.
    """
    plain = json.loads(json.dumps(config, default=plain_value))
    return hash_value([SCHEMA, plain, inputs])


def is_finished(folder: Path, config: dict[str, Any], inputs: dict[str, str]) -> bool:
    """Tell whether the folder already holds this very stage.

    Parameters
    ----------
    folder
        The result folder.
    config
        As given to `stage_key`.
    inputs
        As given to `stage_key`.

    Returns
    -------
    True if nothing is left to do.
    """
    if not (folder / "result.json").is_file():
        return False
    return bool(read_record(folder).get("key") == stage_key(config, inputs))


def claim_folder(
    folder: Path, config: dict[str, Any], inputs: dict[str, str], *, grows: Sequence[str] = ()
) -> bool:
    """Prepare a folder for a stage.

    Parameters
    ----------
    folder
        The result folder.
    config
        As given to `stage_key`.
    inputs
        As given to `stage_key`.
    grows
        Settings, as `section.name`, whose lists and counts a finished stage may be called with anew if they hold all that
        they held: it keeps its parts in the folder, and takes them up.

    Returns
    -------
    False if this very stage is finished there.

    Raises
    ------
    ResultError
        If another result stands there.
    """
    if is_finished(folder, config, inputs):
        return False
    if (folder / "result.json").exists() and not (grows and _same_but_for(folder, config, inputs, grows)):
        raise ResultError(
            f"{folder} holds another result.",
            why="its settings or inputs differ from the ones given now",
            fix="choose another folder with -o, or delete that one",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ResultError(
            f"{folder} is a file.",
            why="results of this command are a folder",
            fix="choose another name with -o",
        ) from error
    return True


def _same_but_for(folder: Path, config: dict[str, Any], inputs: dict[str, str], grows: Sequence[str]) -> bool:
    found = read_record(folder)
    both = copy.deepcopy([found["config"], config])
    for section, key in (name.split(".") for name in grows):
        before, after = (values[section].pop(key) for values in both)
        if not (set(before) <= set(after) if isinstance(before, list) else before <= after):
            return False
    return stage_key(both[0], found["inputs"]) == stage_key(both[1], inputs)


def versions() -> dict[str, str]:
    """List the versions of the packages that numbers depend on.

    Returns
    -------
    Package → version.
    """
    found = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def plain_value(value: object) -> object:
    """Turn what numpy and pathlib return into what JSON can hold; the `default` of `json.dumps`.

    Parameters
    ----------
    value
        A numpy scalar or array, or a path.

    Returns
    -------
    A number, list or text.

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
