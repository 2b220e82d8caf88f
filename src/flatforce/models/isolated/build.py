"""Building of isolated environments from pinned versions, ending with a self-test of a model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ModelError
from flatforce.core.hashing import hash_file
from flatforce.core.progress import Progress, silent
from flatforce.models.isolated.environments import (
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
    environment = read_environment(environments_folder() / name)
    if environment.complete:
        return environment
    environment.folder.parent.mkdir(parents=True, exist_ok=True)
    log = environment.folder.with_suffix(".log")
    steps = _installation_steps(environment)
    for n_done, (step, command) in enumerate(steps.items()):
        progress(n_done, len(steps), step)
        _run(command, log, step)
    list_versions = [
        str(environment.python),
        "-m",
        "flatforce.models.isolated.package_versions",
        PACKAGES[name],
    ]
    content: dict[str, Any] = {
        "pins": hash_file(pins_file(name)),
        "code": hash_code(),
        "versions": json.loads(_run(list_versions, log, "list of versions").stdout),
        "failed": [],
    }
    if name in SELF_TESTS:
        progress(len(steps), len(steps), f"self-test of {SELF_TESTS[name]}")
        content["failed"] = _self_test(environment, log)
    (environment.folder / MARKER).write_text(json.dumps(content), encoding="utf-8")
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


def _self_test(environment: Environment, log: Path) -> list[str]:
    """Run `flatforce doctor` in the environment and return the failed checks."""
    spec = SELF_TESTS[environment.name]
    test = _run(
        [str(environment.python), "-m", "flatforce", "doctor", spec],
        log,
        "self-test",
        allowed=(0, EXIT_FAILED_CHECK),
    )
    failed = [line for line in test.stderr.splitlines() if line.startswith("warning: ")]
    if test.returncode and not failed:  # an unexpected exception ends with the same status
        raise _build_error("self-test", test, log)
    has_random_weights = spec.endswith(":random")
    return [line for line in failed if not (has_random_weights and PLAUSIBLE in line)]


def _run(
    command: list[str], log: Path, step: str, *, allowed: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[str]:
    process = subprocess.run(command, capture_output=True, text=True, env=clean_environ(), check=False)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n{process.stdout}{process.stderr}\n")
    if process.returncode not in allowed:
        raise _build_error(step, process, log)
    return process


def _build_error(step: str, process: subprocess.CompletedProcess[str], log: Path) -> ModelError:
    lines = (process.stdout + process.stderr).strip().splitlines()
    return ModelError(
        f"The environment could not be built: {step} failed.",
        why=" | ".join(lines[-SHOWN_LOG_LINES:]),
        fix=f"read the log {log}, then repeat the command",
    )
