"""`flatforce doctor`: what is installed, and whether a force field obeys the laws that hold for a sheet."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import metadata
from typing import Annotated, Final

import typer

from flatforce.cli.options import finish
from flatforce.cli.tables import show_table

EXTRAS: Final = {
    "mace": "train, fine-tune and run MACE force fields, the bundled one among them",
    "chgnet": "run and fine-tune CHGNet",
    "matgl": "train and run M3GNet and TensorNet",
    "fast": "run MACE force fields faster on CPUs (symmetrix:)",
    "dispersion": "D3 dispersion on top of any force field (d3:)",
    "hull": "hand a screening to pymatgen",
    "dft": "label frames with GPAW",
    "alloys": "cluster expansions, Monte Carlo and special quasirandom structures of alloys",
    "data": "SOAP descriptors: the map of `data stats`, farthest-point sampling, uncertainty by descriptor distance",
    "sweep": "sweeps over training settings (Optuna)",
    "search": "Bayesian optimisation of strains (`defect optimum`)",
    "scale": "labels and trainings on clusters by Parsl",
    "live": "training curves in TensorBoard or Weights & Biases",
    "docs": "build the manual",
}
"""Optional dependencies of the package → what they are for."""

NVIDIA_SMI: Final = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]


def doctor(
    model: Annotated[
        str | None, typer.Argument(help="Force field to test; without one, the installation is described.")
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option(help="Two species of the sheet on which the force field is tested, such as W,Se."),
    ] = None,
) -> None:
    """Describe the installation, or test that a force field obeys the laws that hold for a sheet."""
    if model is None:
        _describe_installation()
    else:
        _test_model(model, elements)


def missing_packages(extra: str) -> list[str]:
    """List the packages of an optional dependency that are not installed.

    Parameters
    ----------
    extra
        Its name, such as `mace`.

    Returns
    -------
    Names of packages; requirements of other platforms are not counted.
    """
    pattern = re.compile(rf"extra\s*==\s*['\"]{extra}['\"]")
    missing = []
    for requirement in metadata.requires("flatforce") or []:
        package = re.match(r"[\w.-]+", requirement)
        if package is None or not pattern.search(requirement) or _is_for_another_platform(requirement):
            continue
        try:
            metadata.version(package[0])
        except metadata.PackageNotFoundError:
            missing.append(package[0])
    return missing


def _is_for_another_platform(requirement: str) -> bool:
    import platform
    import sys

    required_platform = re.search(r"sys_platform\s*==\s*['\"](\w+)['\"]", requirement)
    required_machine = re.search(r"platform_machine\s*==\s*['\"](\w+)['\"]", requirement)
    return (required_platform is not None and required_platform[1] != sys.platform) or (
        required_machine is not None and required_machine[1] != platform.machine()
    )


def _describe_installation() -> None:
    from flatforce.core.results import versions
    from flatforce.models.isolated import environments

    show_table(("package", "version"), versions().items(), title="versions")
    rows = []
    for extra, purpose in EXTRAS.items():
        missing = missing_packages(extra)
        state = f"missing: pip install 'flatforce[{extra}]'" if missing else "installed"
        rows.append((extra, state, purpose))
    show_table(("extra", "state", "needed to"), rows, title="optional dependencies")
    installed = {environment.name: environment for environment in environments.list_environments()}
    rows = []
    for name, package in environments.PACKAGES.items():
        environment = installed.get(name)
        if environment is None:
            state = f"missing: flatforce env create {name}"
        elif not environment.complete:
            kind = "damaged" if environment.damaged else "incomplete"
            state = f"{kind}: flatforce env create {name}"
        else:
            state = ", ".join(f"{package} {version}" for package, version in environment.versions.items())
        rows.append((name, package, state))
    show_table(("environment", "package", "state"), rows, title="isolated environments")
    gpus = _gpus()
    typer.echo(f"GPU: {'; '.join(gpus) if gpus else 'none found; force fields run on the CPU'}")


def _gpus() -> list[str]:
    """List names and memory of the NVIDIA GPUs that the driver shows."""
    if shutil.which(NVIDIA_SMI[0]) is None:
        return []
    try:
        process = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return process.stdout.strip().splitlines() if process.returncode == 0 else []


def _test_model(model: str, elements: str | None) -> None:
    from flatforce.models import load
    from flatforce.testing.checks import check_potential
    from flatforce.testing.zoo import make_test_sheet

    potential = load(model)
    species = None if elements is None else tuple(elements.split(","))
    checks = check_potential(potential, make_test_sheet(potential.elements, species))
    rows = [
        (check.name, f"{check.value:.3g}", f"{check.limit:.3g}", "ok" if check.passed else "FAILED")
        for check in checks
    ]
    show_table(("check", "value", "limit", "result"), rows, title=f"checks of {model}")
    failed = [check.name for check in checks if not check.passed]
    finish(converged=not failed, warnings=[f"{name}: failed" for name in failed])
