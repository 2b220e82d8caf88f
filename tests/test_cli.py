"""The command line: what a user types, and what misuse is answered with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from ase import Atoms
from ase.io import read, write

import flatforce
from commands import run as in_process
from flatforce.cli import app, doctor
from flatforce.cli.command_lines import COMMAND_LINES
from flatforce.cli.examples import EXAMPLES
from flatforce.cli.settings import SETTINGS, config_class, template
from flatforce.cli.tables import show_rows


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flatforce", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the command line, with the words that call it."""
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            for inner_name, inner in command.commands.items():
                yield (name, inner_name), inner
        else:
            yield (name,), command


@pytest.fixture
def folder(tmp_path: Path, model_file: Path, unit: Atoms, frames: list[Atoms]) -> Path:
    (tmp_path / "m.model").write_bytes(model_file.read_bytes())
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    write(tmp_path / "frames.extxyz", frames[:3], format="extxyz")
    return tmp_path


def test_evaluate_writes_the_promised_metrics(folder: Path) -> None:
    command_result = run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e")
    assert command_result.returncode == 0, command_result.stderr
    result = json.loads((folder / "e" / "result.json").read_text())
    assert {"energy_mae", "energy_rmse", "force_mae", "force_rmse", "stress_mae", "stress_rmse"} <= set(
        result["metrics"]
    )
    assert set(result["metrics"]) == set(result["units"])


def test_relax_and_defect_build(folder: Path) -> None:
    command_result = run(folder, "relax", "m.model", "unit.extxyz", "-o", "r", "--max-force", "0.01")
    assert command_result.returncode in {0, 1}, command_result.stderr
    result = json.loads((folder / "r" / "result.json").read_text())
    assert {"energy", "area_per_atom", "max_force", "n_steps"} <= set(result["metrics"])
    assert result["converged"] == (command_result.returncode == 0)
    command_result = run(folder, "defect", "build", "unit.extxyz", "v_Se", "-s", "3", "3", "-o", "v.extxyz")
    assert command_result.returncode == 0, command_result.stderr
    assert len(read(folder / "v.extxyz")) == 26


def spoil(folder: Path, fault: str) -> None:
    path = folder / "frames.extxyz"
    frames = read(path, ":")
    if fault == "no forces":
        del frames[1].arrays["REF_forces"]
    elif fault == "nan":
        frames[1].arrays["REF_forces"][0, 0] = np.nan
    write(path, frames, format="extxyz")
    if fault == "truncated":
        path.write_text(path.read_text()[:-200])
    texts = {"no data": "epochs: 3\n", "nested key": "data: [wse2-pbe]\nstage_two: {begin: 0.5}\n"}
    (folder / "bad.yaml").write_text(texts.get(fault, "epoch: 3\n"))
    if fault == "output is a file":
        (folder / "out").write_text("mine")
    strange = read(folder / "unit.extxyz")
    strange.symbols[0] = "Mo"
    write(folder / "strange.extxyz", strange, format="extxyz")


@pytest.mark.parametrize(
    ("fault", "arguments", "message"),
    [
        ("missing file", "evaluate m.model none.extxyz", "no frames none.extxyz"),
        ("wrong element", "relax m.model strange.extxyz", "does not know Mo"),
        ("no forces", "evaluate m.model frames.extxyz", "has no REF_forces"),
        ("nan", "evaluate m.model frames.extxyz", "not finite"),
        ("truncated", "evaluate m.model frames.extxyz", "frames.extxyz"),
        ("unknown key", "train -c bad.yaml", "did you mean `epochs`?"),
        ("small supercell", "phonons m.model unit.extxyz -s 2 2", "too small"),
        ("no model", "relax none.model unit.extxyz", "no model none.model"),
        ("nested key", "train -c bad.yaml", "fix: use the known keys: start, weights, learning_rate"),
        ("no data", "train -c bad.yaml", "No training data are given"),
        ("output is a file", "evaluate m.model frames.extxyz", "out is a file"),
        ("no device", "relax m.model unit.extxyz --device tpu", "no device tpu"),
        ("small embedding", "defect phonons m.model unit.extxyz v_Se:top -s 6 6 --embed 6", "not larger"),
        (
            "no embedding",
            "defect phonons m.model unit.extxyz v_Se:top -s 6 6 --embed 0",
            "supercell",
        ),
        ("absent element", "data split 2d-pbe-mini --leave-out Xx", "No material holds Xx"),
        ("two splits", "data split 2d-pbe-mini --leave-out Te --folds 3", "not both"),
    ],
)
def test_bad_input_is_answered_with_status_2(folder: Path, fault: str, arguments: str, message: str) -> None:
    spoil(folder, fault)
    command_result = in_process(folder, *arguments.split(), "-o", "out")
    assert command_result.returncode == 2
    assert message in command_result.stderr
    assert "fix:" in command_result.stderr or "did you mean" in command_result.stderr
    assert "Traceback" not in command_result.stderr
    assert not (folder / "out" / "result.json").exists()


@pytest.mark.parametrize("command", SETTINGS)
def test_a_template_of_settings_is_accepted_as_it_is(command: str) -> None:
    kind, text = config_class(command), template(command)
    values = yaml.safe_load(text)
    assert kind.parse(values) == kind.parse(EXAMPLES.get(command, {}))
    top_level = {
        line.lstrip("#").split(":")[0] for line in text.splitlines() if re.match(r"#?[a-z_0-9]+:", line)
    }
    assert top_level == set(kind.model_fields)  # every key is there, commented out or not
    descriptions = [line for line in text.splitlines() if line.lstrip().startswith("# ")]
    assert len(descriptions) > len(top_level)


def test_every_command_that_reads_a_yaml_file_has_a_template(tmp_path: Path) -> None:
    readers = set()
    for words, command in commands():
        metavars = {getattr(parameter, "metavar", None) for parameter in command.params}
        options = {option for parameter in command.params for option in parameter.opts}
        if "--config" in options or "YAML" in metavars:
            readers.add(" ".join(words))
    assert readers == set(SETTINGS)
    listing = run(tmp_path, "settings")
    assert listing.returncode == 0, listing.stderr
    assert all(f"flatforce settings {command} " in listing.stdout for command in SETTINGS)
    mistyped = run(tmp_path, "settings", "lern")
    assert mistyped.returncode == 2
    assert "There are no settings of `lern`" in mistyped.stderr


def test_help_and_version_answer_at_once(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout.strip() == f"flatforce {flatforce.__version__}"
    script = (
        "import sys; from flatforce.cli import app; heavy = {'torch', 'scipy', 'matplotlib', 'phonopy', 'plotly', 'ase'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert imported.stdout.strip() == "[]"
    assert "--install-completion" in run(tmp_path, "-h").stdout
    for words, _ in commands():
        short = in_process(tmp_path, *words, "-h")
        assert short.returncode == 0
        assert short.stdout == in_process(tmp_path, *words, "--help").stdout
        assert "Usage" in short.stdout


def test_every_option_is_explained_in_a_sentence() -> None:
    for words, command in commands():
        for parameter in command.params:
            text = getattr(parameter, "help", None) or ""
            if parameter.name == "help":
                continue
            assert re.match(r"[A-Z0-9`]", text) or text.startswith("split.json"), (
                f"{words} {parameter.name}: {text!r}"
            )
            assert text.endswith("."), f"{words} {parameter.name}: {text!r}"


def test_one_option_for_one_idea() -> None:
    for words, command in commands():
        options = {option for parameter in command.params for option in parameter.opts}
        assert not options & {"-n", "--size", "--energies-alone", "--e-cut", "--aim", "--share"}, words
        for parameter in command.params:
            if parameter.name == "supercell":
                assert set(parameter.opts) == {"--supercell", "-s"}


def test_doctor_names_what_is_missing_and_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATFORCE_ENVS", str(tmp_path / "envs"))
    extras = {
        line for line in metadata.metadata("flatforce").get_all("Provides-Extra") or [] if line != "test"
    }
    assert set(doctor.EXTRAS) == extras
    version = metadata.version

    def without_gpaw(package: str) -> str:
        if package == "gpaw":
            raise metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(metadata, "version", without_gpaw)
    described = in_process(tmp_path, "doctor")
    assert described.returncode == 0
    assert "missing: pip install 'flatforce[dft]'" in described.stdout
    assert "label frames with GPAW" in described.stdout
    assert "missing: flatforce env create sevennet" in described.stdout
    assert "GPU: " in described.stdout
    listing = in_process(tmp_path, "env", "list")
    assert "There are no isolated environments" in listing.stdout
    assert "flatforce env create" in listing.stdout


def test_tables_never_cut_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del tmp_path
    names = [f"a_rather_long_name_of_column_{number}" for number in range(9)]
    path = "calculations/" + "a_long_folder/" * 12 + "vasprun.xml"
    show_rows([dict.fromkeys(names, 1.0) | {"file": path, "note": "[brackets] stay"}])
    printed = capsys.readouterr().out
    for text in (*names, path, "[brackets] stay"):
        assert text in printed


def test_the_notation_on_the_command_line(folder: Path) -> None:
    first = in_process(folder, "defect", "build", "unit.extxyz", "V_Se", "-s", "3", "3", "-o", "a.extxyz")
    assert first.returncode == 0, first.stderr
    assert "v_Se: Se vacancy at site #" in first.stdout
    assert read(folder / "a.extxyz").get_chemical_formula() == "Se17W9"
    pair = in_process(folder, "defect", "build", "unit.extxyz", "v_Se+v_Se", "-s", "3", "3", "-o", "b.extxyz")
    assert pair.returncode == 2
    assert "v_Se+v_Se~1   3.3" in pair.stderr
    assert not (folder / "b.extxyz").exists()
    listing = in_process(folder, "defect", "sites", "unit.extxyz", "-s", "3", "3")
    assert "#26" in listing.stdout
    site = first.stdout.split("#")[1].split()[0]
    row = next(line for line in listing.stdout.splitlines() if f"#{site} " in line)
    assert "v_Se, v_Se:top" in row
    assert in_process(folder, "defect", "sites", "unit.extxyz").stdout.count("#") == 3
    both = in_process(
        folder,
        *[
            "defect",
            "phonons",
            "m.model",
            "unit.extxyz",
            "v_Se",
            "-s",
            "3",
            "3",
            "--sizes",
            "3",
            "4",
            "-o",
            "out",
        ],
    )
    assert both.returncode == 2
    assert "--supercell and --sizes" in both.stderr


def test_a_result_of_another_kind_and_a_turned_cell_are_refused(folder: Path) -> None:
    assert run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e").returncode == 0
    command_result = run(folder, "defect", "unfold", "e", "-o", "u")
    assert command_result.returncode == 2
    assert "holds no embedded defect" in command_result.stderr
    assert "defect phonons --embed" in command_result.stderr
    turned = read(folder / "unit.extxyz")
    turned.rotate(90, "x", rotate_cell=True)
    write(folder / "turned.extxyz", turned, format="extxyz")
    command_result = run(folder, "defect", "sites", "turned.extxyz")
    assert command_result.returncode == 2
    assert "not normal to its third lattice vector" in command_result.stderr


def test_finished_folder_is_not_overwritten(folder: Path) -> None:
    assert run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e").returncode == 0
    before = (folder / "e" / "result.json").read_bytes()
    write(folder / "frames.extxyz", read(folder / "frames.extxyz", ":2"), format="extxyz")
    command_result = run(folder, "evaluate", "m.model", "frames.extxyz", "-o", "e")
    assert command_result.returncode == 2
    assert "another result" in command_result.stderr
    assert (folder / "e" / "result.json").read_bytes() == before


def test_every_command_has_an_example_that_it_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = set()
    for words, command in commands():
        for example in COMMAND_LINES[" ".join(words)]:
            arguments = example.split()
            assert arguments[: len(words)] == list(words)
            command.make_context(" ".join(words), arguments[len(words) :])
            parsed.add(" ".join(words))
    assert parsed == set(COMMAND_LINES)
    shown = run(tmp_path, "defect", "build", "--help").stdout
    assert "flatforce defect build relaxed/relaxed.extxyz v_Se:top" in " ".join(shown.split())
