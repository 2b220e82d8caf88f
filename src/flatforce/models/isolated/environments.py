"""Environments of their own for force fields whose packages exclude each other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib import metadata, resources
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlparse

from flatforce.core.errors import ModelError
from flatforce.core.hashing import hash_file, hash_value
from flatforce.core.progress import Progress, silent

PACKAGES: Final = {"sevennet": "sevenn", "nequip": "nequip", "mattersim": "mattersim", "roost": "aviary"}
"""Kind of model → package that must be importable where it runs."""

SELF_TESTS: Final = {
    "sevennet": "sevennet:7net-0",
    "nequip": "nequip:random",
    "mattersim": "mattersim:random",
}
"""A model that needs no download, by kind."""

UNUSED: Final = {"mattersim": ["torchvision", "torchaudio"]}
"""Packages that a package asks for and does not use; built for another torch, they break its import."""

COMPLETE: Final = "flatforce.json"
"""Written last: an environment without it was cut short."""

PHYSICS_FAILED: Final = 1
"""Exit status of `flatforce doctor` when a law does not hold: the environment works, the model is not right."""

PLAUSIBLE: Final = "plausible"
"""Begins the name of a check that any trained model passes."""

TOLD: Final = 4
"""Last lines of a failed step that are shown."""


@dataclass(frozen=True)
class Environment:
    """An environment on disk."""

    name: str
    folder: Path
    complete: bool
    versions: dict[str, str]
    failed: list[str]
    """What its model did not pass of `flatforce doctor`."""

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"


def home() -> Path:
    """Find the folder of all environments.

    Returns
    -------
    `FLATFORCE_ENVS`, or `flatforce/envs` in the user's data folder.
    """
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get("FLATFORCE_ENVS") or data / "flatforce" / "envs")


def environments() -> list[Environment]:
    """List the environments that there are.

    Returns
    -------
    By name.
    """
    return [_read(folder) for folder in sorted(home().glob("*")) if folder.name in PACKAGES]


def environment_for(kind: str) -> Environment | None:
    """Find the environment that a kind of force field needs.

    Parameters
    ----------
    kind
        For instance `sevennet`.

    Returns
    -------
    The environment; None if the package is importable right here.

    Raises
    ------
    ModelError
        If there is neither.
    """
    spec = find_spec(PACKAGES[kind])
    if spec is not None and spec.origin is not None:  # a folder of that name is no package
        return None
    found = _read(home() / kind)
    if not found.complete:
        raise ModelError(
            f"{kind} is not installed.",
            why="it cannot be installed beside MACE, so it needs an environment of its own, built for this version",
            fix=f"flatforce env create {kind}",
        )
    return found


def create(name: str, *, progress: Progress = silent) -> Environment:
    """Build an environment from the pins that ship with the package, and test it.

    Parameters
    ----------
    name
        A kind of force field.
    progress
        Told before each step.

    Returns
    -------
    The environment; one that is complete is left as it is, one that was cut short is completed.

    Raises
    ------
    ModelError
        If the name is unknown, or a step fails.
    """
    if name not in PACKAGES:
        raise ModelError(f"There is no environment {name!r}.", fix=f"choose one of {', '.join(PACKAGES)}")
    found = _read(home() / name)
    if found.complete:
        return found
    found.folder.parent.mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv")
    make = (
        [uv, "venv", "-q", "--allow-existing", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "venv"]
    )
    install = (
        [uv, "pip", "install", "-q", "--python", str(found.python)]
        if uv
        else [str(found.python), "-m", "pip", "install", "-q"]
    )
    again = ["--reinstall-package", "flatforce"] if uv else ["--force-reinstall", "--no-deps"]
    steps = {
        "an empty environment": [*make, str(found.folder)],  # what stands there already is kept
        f"{name} and what it needs": [*install, "-r", str(_pins(name))],
        "the core of this package": [*install, *_ourselves()],
        "its code as it is now": [
            *install,
            *again,
            *_ourselves(),
        ],  # an older one of this version may stand there
    }
    if name in UNUSED:
        drop = [*install[: install.index("install")], "uninstall", *install[install.index("install") + 1 :]]
        steps["without what it does not use"] = [*drop, *([] if uv else ["-y"]), *UNUSED[name]]
    log = found.folder.with_suffix(".log")
    for done, (what, command) in enumerate(steps.items()):
        progress(done, len(steps), what)
        _run(command, log, what)
    listed = [str(found.python), "-m", "flatforce.models.isolated.environments", PACKAGES[name]]
    content: dict[str, Any] = {
        "pins": hash_file(_pins(name)),
        "code": _code(),
        "versions": json.loads(_run(listed, log, "its versions").stdout),
        "failed": [],
    }
    if name in SELF_TESTS:
        progress(len(steps), len(steps), f"self-test of {SELF_TESTS[name]}")
        test = [str(found.python), "-m", "flatforce", "doctor", SELF_TESTS[name]]
        said = _run(test, log, "its self-test", allowed=(0, PHYSICS_FAILED))
        failed = [line for line in said.stderr.splitlines() if line.startswith("warning: ")]
        random = SELF_TESTS[name].endswith(":random")  # which knows no physics
        content["failed"] = [line for line in failed if not (random and PLAUSIBLE in line)]
        if said.returncode and not failed:  # a traceback ends with the same status
            raise _broken("its self-test", said, log)
    (found.folder / COMPLETE).write_text(json.dumps(content), encoding="utf-8")
    return _read(found.folder)


def remove(name: str) -> None:
    """Delete an environment.

    Parameters
    ----------
    name
        A kind of force field.

    Raises
    ------
    ModelError
        If there is none.
    """
    folder = home() / name
    if name not in PACKAGES or not folder.is_dir():
        raise ModelError(f"There is no environment {name!r} in {home()}.", fix="flatforce env list")
    shutil.rmtree(folder)
    folder.with_suffix(".log").unlink(missing_ok=True)


def _read(folder: Path) -> Environment:
    kept = folder / COMPLETE
    content = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    versions = content.get("versions", {})
    found = Environment(
        folder.name, folder, complete=False, versions=versions, failed=content.get("failed", [])
    )
    stamp = [versions.get("flatforce"), content.get("pins"), content.get("code")]
    fits = stamp == [metadata.version("flatforce"), hash_file(_pins(folder.name)), _code()]
    return replace(found, complete=fits and found.python.exists())


def _code() -> str:
    """Hash the code that runs on both sides; nothing where it is one and the same."""
    if "-e" in _ourselves():
        return ""
    root = Path(str(resources.files("flatforce")))
    return hash_value([hash_file(path) for path in sorted(root.rglob("*.py"))])


def _pins(name: str) -> Path:
    return Path(str(resources.files("flatforce.models.isolated") / "requirements" / f"{name}.txt"))


def _ourselves() -> list[str]:
    """Name what pip is to install: this version of this package, its core alone."""
    text = metadata.distribution("flatforce").read_text("direct_url.json")
    origin = json.loads(text) if text else {}
    if "dir_info" not in origin:
        url = origin.get("url")
        if "vcs_info" in origin:
            url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
        return [f"flatforce @ {url}" if url else f"flatforce=={metadata.version('flatforce')}"]
    path = unquote(urlparse(origin["url"]).path)
    return ["-e", path] if origin["dir_info"].get("editable") else [path]


def _run(
    command: list[str], log: Path, what: str, *, allowed: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    if done.returncode not in allowed:
        raise _broken(what, done, log)
    return done


def _broken(what: str, done: subprocess.CompletedProcess[str], log: Path) -> ModelError:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return ModelError(
        f"The environment could not be built: {what} failed.", why=" | ".join(lines[-TOLD:]), fix=f"see {log}"
    )


if __name__ == "__main__":
    wanted = ("flatforce", "torch", "e3nn", *packages_distributions()[sys.argv[1]])
    there = {one.name for one in metadata.distributions()}
    sys.stdout.write(json.dumps({name: metadata.version(name) for name in wanted if name in there}))
