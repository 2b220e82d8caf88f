"""The scripts of the tutorials: what can be seen without running them, and the quickest one run as a reader would."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import typer
from ase import Atoms
from matplotlib import pyplot as plt

import flatforce as ff
from flatforce.cli import app
from flatforce.core.units import THZ_IN_INVERSE_CM
from test_vocabulary import violations

DOCS = Path(__file__).parents[1] / "docs"
SCRIPTS = sorted((DOCS / "tutorials").glob("plot_*.py"), key=lambda path: int(path.name.split("_")[1]))

MAX_WORDS = 2500
MAX_SECONDS = 180
MAX_FOLDER_BYTES = 1_000_000

FREQUENCY_TOLERANCE = 0.03
"""Relative difference between Γ frequencies of the bundled model and those of PBE."""

PBE_GAMMA = (168.7, 239.6, 242.2, 300.1)
"""cm⁻¹: E″, E′, A₁′ and A₂″ of WSe₂."""


def tree_of(script: Path) -> ast.Module:
    return ast.parse(script.read_text(encoding="utf-8"), str(script))


def functions_used(tree: ast.Module) -> set[str]:
    """Names behind `ff.`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ff"
    }


def commands_run(tree: ast.Module) -> Iterator[list[str]]:
    """Words behind `flatforce(…)`, the function with which a script starts a command."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "flatforce":
            yield [str(word.value) for word in node.args if isinstance(word, ast.Constant)]


def seconds_stated(text: str) -> int:
    match = re.search(r"\*\*Time:\*\* (\d+) s on one core", text)
    assert match is not None
    return int(match[1])


def test_there_are_eight_in_order() -> None:
    assert [script.name.split("_")[1] for script in SCRIPTS[:8]] == list("12345678")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_tutorial_says_what_it_is_and_how_long_it_takes(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    intro = ast.get_docstring(tree_of(script))
    assert intro is not None
    title, underline = intro.splitlines()[:2]
    assert set(underline) == {"="}
    assert len(underline) >= len(title)
    assert "At the end of this page you" in " ".join(intro.split())
    assert 0 < seconds_stated(intro) <= MAX_SECONDS
    assert len(text.split()) <= MAX_WORDS
    assert violations(text) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_tutorial_uses_what_exists(script: Path) -> None:
    tree = tree_of(script)
    compile(tree, str(script), "exec")
    assert functions_used(tree)
    assert functions_used(tree) <= {*ff.__all__, "__all__"}
    root = typer.main.get_command(app)
    for words in commands_run(tree):
        command = root
        for word in words:
            command = getattr(command, "commands", {}).get(word, command)
        assert command is not root, words
        assert not hasattr(command, "commands"), words
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, words


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_tutorial_has_its_picture(script: Path) -> None:
    number = script.name.split("_")[1]
    text = script.read_text(encoding="utf-8")
    assert f"# sphinx_gallery_thumbnail_path = '_static/tutorials/{number}.png'" in text
    assert f".. image:: /_static/tutorials/{number}.png" in text
    assert (DOCS / "_static" / "tutorials" / f"{number}.png").stat().st_size > 1000


def test_a_name_that_does_not_exist_is_noticed() -> None:
    tree = ast.parse("ff.relax(model)\nff.relaxed(model)\nflatforce('relax', '--nothing')")
    assert functions_used(tree) - set(ff.__all__) == {"relaxed"}
    assert list(commands_run(tree)) == [["relax", "--nothing"]]


def grouped(frame: Atoms) -> Atoms:
    """VASP's order: all atoms of a species together."""
    return frame[sorted(range(len(frame)), key=lambda index: frame.symbols[index] != "W")]


def test_the_folder_of_calculations_holds_frames_of_the_dataset() -> None:
    folder = DOCS / "tutorials" / "calculations"
    frames = ff.read(folder)
    assert len(frames) == 68
    assert sorted({len(frame) for frame in frames}) == [3, 12, 26]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MAX_FOLDER_BYTES
    originals = {round(frame.info["REF_energy"], 6): grouped(frame) for frame in ff.read("wse2-pbe")}
    for frame in frames:
        original = originals[round(frame.info["REF_energy"], 6)]
        assert frame.get_chemical_symbols() == original.get_chemical_symbols()
        np.testing.assert_allclose(frame.arrays["REF_forces"], original.arrays["REF_forces"], atol=1e-6)


def test_the_tour_of_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    names = runpy.run_path(str(DOCS / "tutorials" / "plot_8_python_tour.py"))
    plt.close("all")
    assert names["relaxed"].metrics["a"] == pytest.approx(3.317, rel=0.005)  # PBE
    optical = [THZ_IN_INVERSE_CM * mode["frequency"] for mode in names["waves"].gamma_modes[1:]]
    assert optical == pytest.approx(PBE_GAMMA, rel=FREQUENCY_TOLERANCE)
    assert names["waves"].pdos.sum(axis=(0, 1)) == pytest.approx(names["waves"].dos)
