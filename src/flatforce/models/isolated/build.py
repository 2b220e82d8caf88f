"""Building of isolated environments from pinned versions, ending with a self-test of a model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ModelError
from flatforce.core.execution.locks import hold_lock
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_file
from flatforce.core.progress import Progress, silent
from flatforce.models.isolated.environments import (
    LOCK,
    MARKER,
    PACKAGES,
    Environment,
    clean_environ,
    environments_folder,
    hash_code,
    own_requirement,
    pins_file,
    read_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SELF_TESTS: Final = {
    "sevennet": "sevennet:7net-0",
    "nequip": "nequip:random",
    "mattersim": "mattersim:random",
}
"""Kind of force field → model for the self-test that needs no download."""

UNUSED: Final = {"mattersim": ["torchvision", "torchaudio"]}
"""Packages that are required but not used, and that break the import because they were built for another torch."""

EXIT_FAILED_CHECK: Final = 1
"""Exit status of `flatforce doctor` when a check fails: the environment works, the model does not obey a law."""

PLAUSIBLE: Final = "plausible"
"""Prefix of the names of checks that a trained model passes and random weights do not."""

SHOWN_LOG_LINES: Final = 4
"""Number of last lines of a failed step that the error shows."""


def create(name: str, *, progress: Progress = silent) -> Environment:
    """Build an environment from the pinned versions that ship with flatforce, and test it.

    Parameters
    ----------
    name
        Kind of force field.
    progress
        Called before each step.

    Returns
    -------
    The environment. A complete one is left unchanged, an incomplete one is completed.

    Raises
    ------
    ModelError
        If the name is unknown, or a step fails.
    """
    if name not in PACKAGES:
        raise ModelError(
            f"There is no environment {name!r}.", fix=f"flatforce env create {'|'.join(PACKAGES)}"
        )
    folder = environments_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_file = folder.with_suffix(LOCK)
    with hold_lock(lock_file, wait=False) as lock:
        if lock is not None:
            return _complete(read_environment(folder), lock, progress)
    progress(0, 0, "another process builds this environment; waiting until it has ended")
    with hold_lock(lock_file) as lock:
        assert lock is not None  # noqa: S101  # waiting ends with the lock
        return _complete(read_environment(folder), lock, progress)


def _complete(environment: Environment, lock: int, progress: Progress) -> Environment:
    """Build an environment unless it is complete; the processes that install packages inherit the lock."""
    if environment.complete:
        return environment
    name, log = environment.name, environment.folder.with_suffix(".log")
    run = partial(_run, log=log, lock=lock)
    (environment.folder / MARKER).unlink(missing_ok=True)  # what is changed from now on is not complete
    steps = _installation_steps(environment)
    for n_done, (step, command) in enumerate(steps.items()):
        progress(n_done, len(steps), step)
        run(command, step)
    module = "flatforce.models.isolated.package_versions"
    versions = run([str(environment.python), "-m", module, PACKAGES[name]], "list of versions")
    content: dict[str, Any] = {
        "pins": hash_file(pins_file(name)),
        "code": hash_code(),
        "versions": json.loads(versions.output.strip().splitlines()[-1]),
        "failed": [],
    }
    if name in SELF_TESTS:
        progress(len(steps), len(steps), f"self-test of {SELF_TESTS[name]}")
        content["failed"] = _self_test(environment, run)
    write_text(environment.folder / MARKER, json.dumps(content), durable=True)
    return read_environment(environment.folder)


def _installation_steps(environment: Environment) -> dict[str, list[str]]:
    """Return what each step does → its command, with uv if it is installed, else with venv and pip."""
    name, python = environment.name, str(environment.python)
    uv = shutil.which("uv")
    if uv:
        make = [uv, "venv", "-q", "--allow-existing", "--python", sys.executable]
        install = [uv, "pip", "install", "-q", "--python", python]
        reinstall = [*install, "--reinstall-package", "flatforce"]
        uninstall = [uv, "pip", "uninstall", "-q", "--python", python]
    else:
        make = [sys.executable, "-m", "venv"]
        install = [python, "-m", "pip", "install", "-q"]
        reinstall = [*install, "--force-reinstall", "--no-deps"]
        uninstall = [python, "-m", "pip", "uninstall", "-q", "-y"]
    steps = {
        "empty environment": [*make, str(environment.folder)],  # keeps what is already installed there
        f"{name} and its dependencies": [*install, "-r", str(pins_file(name))],
        "flatforce and its dependencies": [*install, *own_requirement()],
        # the code of this version may have changed since it was installed there
        "current code of flatforce": [*reinstall, *own_requirement()],
    }
    if name in UNUSED:
        steps["removal of unused packages"] = [*uninstall, *UNUSED[name]]
    return steps


def _self_test(environment: Environment, run: Callable[..., _Step]) -> list[str]:
    """Run `flatforce doctor` in the environment and return the failed checks."""
    spec = SELF_TESTS[environment.name]
    command = [str(environment.python), "-m", "flatforce", "doctor", spec]
    test = run(command, "self-test", allowed=(0, EXIT_FAILED_CHECK))
    failed = [line for line in test.output.splitlines() if line.startswith("warning: ")]
    if test.status and not failed:  # an unexpected exception ends with the same status
        raise _build_error("self-test", test)
    has_random_weights = spec.endswith(":random")
    return [line for line in failed if not (has_random_weights and PLAUSIBLE in line)]


@dataclass(frozen=True)
class _Step:
    """A step that has ended."""

    status: int
    output: str
    """What the step wrote to both streams."""
    log: Path
    """File that holds the output of all steps."""


def _run(command: list[str], step: str, *, log: Path, lock: int, allowed: tuple[int, ...] = (0,)) -> _Step:
    """Run a step whose output goes to the log while it runs, so that it is there even if the step is killed."""
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n")
        stream.flush()
        start = stream.tell()
        status = subprocess.call(
            command, stdout=stream, stderr=subprocess.STDOUT, env=clean_environ(), pass_fds=[lock]
        )
    with log.open("rb") as written:
        written.seek(start)
        output = written.read().decode(errors="replace")
    ended = _Step(status, output, log)
    if status not in allowed:
        raise _build_error(step, ended)
    return ended


def _build_error(step: str, ended: _Step) -> ModelError:
    lines = ended.output.strip().splitlines()
    return ModelError(
        f"The environment could not be built: {step} failed with status {ended.status}.",
        why=" | ".join(lines[-SHOWN_LOG_LINES:]),
        fix=f"read the log {ended.log}, then repeat the command",
    )
