"""Checks of an active-learning run before its first round: files, packages, programs, defects."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import ConfigError, DataError, FlatforceError, MissingDependencyError, TrustError
from flatforce.data.bundled import dataset_path
from flatforce.reference.campaign import DFT_POOL
from flatforce.reference.config import AseSettings, EspressoSettings, GpawSettings, VaspSettings
from flatforce.studies.checks import collected
from flatforce.studies.training_checks import model_problems

if TYPE_CHECKING:
    from flatforce.active.config import LearnConfig
    from flatforce.reference.config import LabelConfig


IMPORT_CALCULATOR: Final = """
import json, sys
from flatforce.core.calculators import import_calculator
from flatforce.core.errors import FlatforceError, TrustError
try:
    import_calculator(sys.argv[1])
except FlatforceError as error:
    print(json.dumps([isinstance(error, TrustError), error.what, error.why, error.fix]))
"""
"""Program that imports a calculator and prints the parts of an error."""


def learn_problems(config: LearnConfig) -> list[FlatforceError]:
    """Find what would stop an active-learning run, before hours are spent on its first training.

    Parameters
    ----------
    config
        Settings of the run.

    Returns
    -------
    The problems: files that do not exist, packages and programs that are missing, force fields that cannot be fine-tuned, and
    notations of defects that cannot be read. Empty if there are none.
    """
    from flatforce.structures.defect_notation import canonical_name

    errors: list[FlatforceError] = []
    for name in labelled_files(config):
        errors += collected(partial(dataset_path, name))
    for name in structure_files(config):
        errors += collected(partial(check_structure, name))
    for training in config.trainings:
        errors += model_problems(training)
    if find_spec("dscribe") is None:
        errors.append(
            MissingDependencyError(
                "SOAP vectors of atoms, outside or inside the calibration set, need dscribe.",
                fix="pip install 'flatforce[data]'",
            )
        )
    if config.label is not None and not config.pool:
        errors += label_problems(config.label)
    if config.sampling.defects is not None:
        for notation in config.sampling.defects.defects:
            errors += collected(partial(canonical_name, notation))
    return errors


def label_problems(config: LabelConfig) -> list[FlatforceError]:
    """Find what would make every label fail.

    Parameters
    ----------
    config
        Settings of the labels.

    Returns
    -------
    The problems of this machine: a package or a program that is missing; empty where a Parsl pool computes the labels, whose
    machines are others.
    """
    if DFT_POOL in config.executors:
        return []
    settings, machine = config.settings, config.machine
    programs = [config.launcher[0]] if config.launcher else []
    errors: list[FlatforceError] = []
    if isinstance(settings, GpawSettings) and find_spec("gpaw") is None:
        errors.append(MissingDependencyError("GPAW is not installed.", fix="pip install 'flatforce[dft]'"))
    if isinstance(settings, AseSettings):
        errors += collected(lambda: _check_calculator(settings.calculator))
    if isinstance(settings, VaspSettings):
        programs += machine.vasp[:1]
        errors += collected(lambda: _check_library("potcars", machine.potcars))
    if isinstance(settings, EspressoSettings):
        programs += machine.espresso[:1]
        errors += collected(lambda: _check_library("pseudopotentials", machine.pseudopotentials))
    errors += [
        ConfigError(
            f"There is no program {program}.",
            fix="give its full path in label.machine or label.launcher, or load its module first",
        )
        for program in programs
        if shutil.which(program) is None
    ]
    return errors


def labelled_files(config: LearnConfig) -> list[str]:
    """Name the labelled frames of a run.

    Parameters
    ----------
    config
        Settings of the run.

    Returns
    -------
    Files, or names of bundled datasets, each once.
    """
    names = [*config.initial, *config.pool, *([] if config.test is None else [config.test])]
    return list(dict.fromkeys(names))


def structure_files(config: LearnConfig) -> list[str]:
    """Name the structures of a run.

    Parameters
    ----------
    config
        Settings of the run.

    Returns
    -------
    Paths of the files that the samplers and the target property read, each once, in the order of the settings.
    """
    names = list(config.structures)
    names += [] if config.sampling.defects is None else [config.sampling.defects.primitive]
    names += (
        []
        if config.sampling.paths is None
        else [name for ends in config.sampling.paths.ends for name in ends]
    )
    names += [] if config.target is None else [config.target.structure]
    names += [config.target.pristine] if config.target and config.target.pristine else []
    return list(dict.fromkeys(names))


def check_structure(name: str) -> None:
    """Refuse a structure whose file does not exist.

    Parameters
    ----------
    name
        Path of the file.

    Raises
    ------
    DataError
        If there is no such file.
    """
    if not Path(name).is_file():
        raise DataError(
            f"There is no structure {name}.",
            fix="check the paths in `structures`, `sampling` and `target`",
        )


def _check_calculator(name: str) -> None:
    """Import a calculator as the process does that labels a frame: it also finds modules of the current folder."""
    command = [sys.executable, "-c", IMPORT_CALCULATOR, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(
            f"The calculator {name} cannot be imported.",
            why=(done.stderr.strip().splitlines() or [""])[-1],
            fix="correct its module",
        )
    if done.stdout.strip():
        is_untrusted, *texts = json.loads(done.stdout.strip().splitlines()[-1])
        raise (TrustError if is_untrusted else ConfigError)(*texts)


def _check_library(key: str, folder: str | None) -> None:
    if folder is None or not Path(folder).expanduser().is_dir():
        raise ConfigError(
            f"There is no folder of {key}." if folder is None else f"There is no folder {folder}.",
            fix=f"set label.machine: {{{key}: /path}}",
        )
