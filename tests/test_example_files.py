"""The folder `examples`: every file is read by its command, and every minimal file runs.

The command of a minimal file is its first line. What takes long is cut, in `CUTS` and `WORDS`: a layer of copper
with springs stands in for WSe2 and its force field, a pair potential for DFT, and trainings have one epoch and a small model.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import yaml
from ase.io import read, write

from alloy_sheets import TRAIN, make_labelled
from commands import run
from flatforce.cli.settings import SETTINGS, config_class, template
from flatforce.core.results import read_record

if TYPE_CHECKING:
    from ase import Atoms

ROOT: Final = Path(__file__).parents[1]
EXAMPLES: Final = ROOT / "examples"
FOLDERS: Final = {command: command.replace(" ", "-") for command in SETTINGS}
"""Command → its folder."""

PAIRS: Final = "ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.5&rc=3.5&cutoff=3.5&elements=Cu,Au"
"""Springs to the nearest neighbours of a layer of copper and gold; its shortest cell is 4 × 4."""

LENNARD_JONES: Final = {"engine": "ase", "calculator": "ase.calculators.lj:LennardJones"}
SMALL_MODEL: Final = {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 2}
TRAINING: Final = {"data": ["few.extxyz"], "epochs": 1, "stage_two": None}
SMALL_CELL: Final = {"mesh": 6, "points_per_segment": 2}
STRETCHED: Final = {"relax_cell": False}
"""The layer of copper keeps its tension, without which it buckles."""

CUTS: Final[dict[str, dict[str, Any]]] = {
    "run": {
        "model": PAIRS,
        "structure": "wse2.extxyz",
        "relax": STRETCHED,
        "defects": [],  # as `defect phonons` below; the figures of their page take a minute
        "phonons": {**SMALL_CELL, "supercell": [4, 4]},
    },
    "relax": STRETCHED,
    "screen": {"candidates": {"prototypes": ["2H"], "metals": ["W"], "chalcogens": ["Se"], "scales": [1.0]}},
    "train": {**TRAINING, "model": SMALL_MODEL},
    "finetune": TRAINING,
    "sweep": {"train": {**TRAINING, "model": SMALL_MODEL}},
    "learn": {
        "initial": ["sheets.extxyz"],
        "n_initial": 16,
        "pool": ["sheets.extxyz"],
        "calibration_fraction": 0.45,
        "train": {**TRAIN, "epochs": 1},
        "stop": {"rounds": 1},
        "labels_per_round": 2,
        "strategy": "uncertainty",
    },
    "label": {"settings": LENNARD_JONES, "workers": 1},
    "phonons": {**SMALL_CELL, "supercell": [4, 4]},
    "elastic": {"bending": "none"},
    "defect energy": {"sizes": [4], "references": {"Cu": -1.5, "Au": -1.5}},
    "expansion": {"supercell": [4, 4], "mesh": 6},
    "md": {"supercell": [4, 4], "temperatures": [20], "steps": 40, "equilibration": 10},
    "neb": {"images": 3, "max_force": 0.1, "frequencies": False},
    "defect hops": {"path": {"images": 3, "max_force": 0.1, "frequencies": False}},
    "defect phonons": {**SMALL_CELL, "supercell": [4, 4]},
    "defect strain": {**SMALL_CELL, "supercell": [4, 4]},
    "defect optimum": {"search": {"objective": "maximise", "evaluations": 4, "n_initial": 3}},
    "defect unfold": {"points": 8},
    "defect lineshape": {"steps": 40},
    "data curate": {"duplicates": None, "keep": None},
    "benchmark relax": {"relax": {"max_force": 0.3, "max_stress": 1.0}, "align": None},
    "alloy fit": {"expansion": {"methods": ["ridge"], "cutoffs": [[4.0]]}},
    "alloy compare": {"expansion": {"methods": ["ridge"], "cutoffs": [[4.0]]}, "splits": {"repeats": 1}},
    "alloy hull": {"hull": {"max_cells": 4, "samples": 3}},
    "alloy mc": {
        "monte_carlo": {
            "concentration": 0.5,
            "temperatures": [50, 100],
            "sizes": [6, 12],
            "sweeps": 10,
            "equilibration": 2,
            "n_runs": 2,
        }
    },
    "alloy sqs": {"sqs": {"concentrations": {"Mo": 0.5, "W": 0.5}, "supercell": [2, 2], "steps": 50}},
}
"""Command → values that replace those of its minimal file."""

MODEL: Final = {"mace:wse2-pbe": PAIRS, "v_Se:top": "Au@Cu", "12": "6"}
EMBEDDED: Final = {"results/defect-phonons/embedded_12x12": "results/defect-phonons/embedded_6x6"}
WORDS: Final[dict[str, dict[str, str]]] = {
    **dict.fromkeys(
        (
            "relax",
            "phonons",
            "elastic",
            "md",
            "expansion",
            "defect energy",
            "defect phonons",
            "defect strain",
            "defect optimum",
        ),
        MODEL,
    ),
    "neb": MODEL,
    "defect hops": {**MODEL, "v_Se:top": "v_Cu"},
    **dict.fromkeys(("defect unfold", "defect lineshape"), EMBEDDED),
    "data split": {"2d-pbe-mini": "tmd-alloys-pbe"},
    "export": {"mace:wse2-pbe": "mace:wse2-pbe"},
    "screen": {"chgnet:0.3.0": "mace:wse2-pbe"},
    "benchmark relax": {"chgnet:0.3.0": "mace:wse2-pbe", "2d-pbe-mini": "steps.extxyz"},
}
"""Command → words of its first line, and what replaces them."""


def first_line(command: str) -> list[str]:
    """The command of a minimal file, as words after `flatforce`."""
    line = (EXAMPLES / FOLDERS[command] / "minimal.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert line.startswith(f"# flatforce {command} ")
    return shlex.split(line.removeprefix("# flatforce "))


def copper() -> Atoms:
    from ase import Atoms as Sheet

    a = 2.65  # Å, 3 % longer than without tension
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    return Sheet("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True)


def excited_state_forces(folder: Path) -> None:
    """Forces on the relaxed cell that push the first neighbour of the vacancy."""
    atoms = read(folder / "results/defect-phonons/4x4/relaxed.extxyz")
    assert not isinstance(atoms, list)
    forces = np.zeros((len(atoms), 3))
    forces[:2, 0] = 0.2, -0.2
    atoms.arrays["REF_forces"] = forces
    write(folder / "forces.extxyz", atoms, format="extxyz")


def write_steps(folder: Path) -> None:
    """A relaxation of two steps."""
    frames = [frame for frame in read(folder / "few.extxyz", ":") if not isinstance(frame, str)][:2]
    for step, frame in enumerate(frames):
        frame.info |= {"material": "WSe2", "step": step, "relaxed": step == 1}
    write(folder / "steps.extxyz", frames, format="extxyz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, with the inputs that a user has: here a few that are small."""
    path = tmp_path_factory.mktemp("work") / "examples"
    shutil.copytree(EXAMPLES, path, ignore=shutil.ignore_patterns("results"))
    calculation = ROOT / "tests/files/cases/settings/pbe"
    shutil.copytree(calculation, path / "calculations/pristine")
    return path


def command_line(command: str) -> list[str]:
    words = WORDS.get(command, {})
    return [words.get(word, word) for word in first_line(command)]


def run_example(command: str, folder: Path) -> None:
    """Run a minimal file with its cuts."""
    path = folder / FOLDERS[command] / "minimal.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8")) | CUTS.get(command, {})
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    result = run(folder, *command_line(command))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("command", SETTINGS)
def test_files_are_read_by_the_class_of_their_command(command: str) -> None:
    for name in ("minimal", "full"):
        path = EXAMPLES / FOLDERS[command] / f"{name}.yaml"
        config = config_class(command).from_yaml(path)
        assert config.model_fields_set == set(yaml.safe_load(path.read_text(encoding="utf-8")))


def without_cores(text: str) -> str:
    """A template without the number of cores of the machine on which it was printed."""
    return re.sub(r"(?m)^workers: \d+ ", "workers: ", text)


@pytest.mark.parametrize("command", SETTINGS)
def test_full_file_is_the_template_of_its_command(command: str) -> None:
    path = EXAMPLES / FOLDERS[command] / "full.yaml"
    text = path.read_text(encoding="utf-8")
    again = f"flatforce settings {command} > {path.relative_to(ROOT)}"
    assert without_cores(text) == without_cores(template(command)), f"run: {again}"
    for key in config_class(command).model_fields:
        assert re.search(rf"(?m)^#?{key}:", text), key


NEEDS: Final = {
    "phonons": "relax",
    "elastic": "relax",
    "md": "relax",
    "expansion": "relax",
    "defect energy": "relax",
    "defect phonons": "relax",
    "defect hops": "relax",
    "defect strain": "relax",
    "defect optimum": "relax",
    "defect unfold": "defect phonons",
    "defect lineshape": "defect phonons",
    "alloy fit": "alloy energies",
    "alloy compare": "alloy energies",
    "alloy hull": "alloy fit",
    "alloy mc": "alloy fit",
}
"""Command → command whose results it reads."""

PACKAGES: Final = {"sweep": "optuna", "defect optimum": "sklearn", "alloy": "icet"}
"""First words of a command → package that it needs."""


def output_of(command: str, folder: Path) -> Path:
    words = command_line(command)
    return folder / words[words.index("-o") + 1]


def run_once(command: str, folder: Path) -> None:
    """Run an example, and first the one whose results it reads."""
    if output_of(command, folder).exists():
        return
    if command in NEEDS:
        run_once(NEEDS[command], folder)
    if command in {"relax", "run"}:
        write(folder / "wse2.extxyz", copper(), format="extxyz")
    if command == "neb":
        layer = copper().repeat((4, 4, 1))  # a vacancy at two neighbouring sites
        write(folder / "start.extxyz", layer[1:], format="extxyz")
        write(folder / "end.extxyz", layer[[0, *range(2, 16)]], format="extxyz")
    if command == "benchmark relax":
        write_steps(folder)
    if command == "learn":
        write(folder / "sheets.extxyz", make_labelled(24, 1), format="extxyz")
    if command in {"label", "export"}:
        shutil.copy(EXAMPLES / "wse2.extxyz", folder)
    if command == "defect lineshape":
        excited_state_forces(folder)
    run_example(command, folder)


@pytest.mark.parametrize("command", SETTINGS)
def test_minimal_file_runs(command: str, folder: Path, few_frames: Path) -> None:
    for start, package in PACKAGES.items():
        if command.startswith(start):
            pytest.importorskip(package)
    shutil.copy(few_frames, folder / "few.extxyz")
    run_once(command, folder)
    output = output_of(command, folder)
    assert output.exists()
    if (output / "result.json").exists():
        assert read_record(output)["converged"]


def test_table_of_the_examples_lists_every_command() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for command, name in FOLDERS.items():
        assert f"| `{command}` | [minimal]({name}/minimal.yaml) | [full]({name}/full.yaml) |" in text
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"results"} == set(FOLDERS.values())
