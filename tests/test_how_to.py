"""The how-to guides do what they print: their commands and their Python, in order, on small inputs."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
import numpy as np
import phonopy
import pytest
import yaml
from ase import Atoms
from ase.io import write
from matplotlib import pyplot as plt
from phonopy.file_IO import write_FORCE_SETS
from phonopy.structure.atoms import PhonopyAtoms

import flatforce as ff
from commands import run

if TYPE_CHECKING:
    from phonopy.harmonic.displacement import Type1DisplacementDataset

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(page for page in (DOCS / "how-to").glob("*.md") if page.stem != "index")

BLOCK = re.compile(r"(?:<!-- not run: ([^>]*?) -->\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

COPPER = "ase:ase.calculators.emt:EMT?cutoff=6.0"
"""A force field that takes no time."""

NOT_RUN = {
    "clusters": ["needs Slurm", "needs Slurm", "takes minutes on a compute node"],
    "environments": ["downloads packages for five minutes", "needs the environment of SevenNet"],
    "lammps": [
        "installs packages",
        "needs a LAMMPS of your own",
        "needs symmetrix-xl",
        "belongs into the folder that was written",
    ],
    "phonopy": ["needs Euphonic"],
    "tracking": ["ends when you end it"],
}
"""Page → why each of its blocks that are not run is not."""


@dataclass(frozen=True)
class Snippet:
    """A block of a page."""

    language: str
    text: str
    reason: str
    """Why it is not run, or empty."""


def snippets(page: Path, *languages: str) -> Iterator[Snippet]:
    for reason, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield Snippet(language, text, reason)


def run_shell(folder: Path, text: str) -> None:
    """Run each line: a command of flatforce, or a program that a package of this environment brings."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[-1]
        if words[0] == "flatforce":
            done = run(folder, *words[1:])
            assert done.returncode == 0, (line, done.stderr)
            if target is not None:
                (folder / target).write_text(done.stdout, encoding="utf-8")
        else:
            (program,) = entry_points(group="console_scripts", name=words[0])
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", words)
                patch.chdir(folder)
                program.load()()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of the phonons of a sheet of copper and of a vacancy in it."""
    folder = tmp_path_factory.mktemp("results")
    a = 2.492
    sheet = Atoms("Cu", cell=[[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, 15]], pbc=True)
    sheet.center(axis=2)
    ff.phonons(COPPER, sheet, supercell=(6, 6), mesh=6).save(folder / "phonons")
    ff.defect_phonons(COPPER, sheet, "v_Cu", supercell=(6, 6), mesh=6).save(folder / "vacancy")
    return folder


def phonopy_files(folder: Path, model: str) -> None:
    """Write what phonopy writes for a calculation by DFT; the forces are those of the model, 5 % larger."""
    shutil.copytree(DOCS / "tutorials" / "calculations" / "rattled_2x2", folder)
    sheet = ff.monolayer("WSe2")
    primitive = PhonopyAtoms(
        symbols=sheet.get_chemical_symbols(), positions=sheet.positions, cell=sheet.cell[:]
    )
    phonon = phonopy.Phonopy(primitive, np.diag([2, 2, 1]))
    phonon.generate_displacements(0.01)
    phonon.save(folder / "phonopy_disp.yaml")
    cells = [
        Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, pbc=True)
        for cell in phonon.supercells_with_displacements or []
    ]
    phonon.forces = [1.05 * prediction.forces for prediction in ff.load(model).evaluate(cells)]
    assert phonon.dataset is not None
    write_FORCE_SETS(cast("Type1DisplacementDataset", phonon.dataset), folder / "FORCE_SETS")


def prepare(page: str, folder: Path, inputs: Inputs) -> dict[str, Any]:
    """Write the files that a page takes for granted.

    Returns
    -------
    Variables that its Python takes for granted.
    """
    names: dict[str, Any] = {}
    if page in {"figures", "phonopy", "restart"}:
        shutil.copytree(inputs.results, folder, dirs_exist_ok=True)
    if page == "phonopy":
        phonopy_files(folder / "dft", "mace:wse2-pbe")
    if page == "from-codes":
        shutil.copytree(DOCS / "tutorials" / "calculations", folder / "calculations")
        frame = inputs.frames[0]
        names = {
            "atoms": frame.copy(),
            "energy": frame.info["REF_energy"],
            "forces": frame.arrays["REF_forces"],
            "stress": frame.info["REF_stress"],
        }
    if page == "tracking":
        write(folder / "frames.extxyz", inputs.frames, format="extxyz")
    if page == "lammps":
        (folder / "model").mkdir()
        shutil.copy(inputs.model, folder / "model" / "model.model")
        (folder / "relaxed").mkdir()
        write(folder / "relaxed" / "relaxed.extxyz", ff.monolayer("WSe2").repeat((2, 2, 1)), format="extxyz")
    if page == "tracking":
        (printed,) = snippets(DOCS / "how-to" / "tracking.md", "yaml")
        small = {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 1}
        settings = {**yaml.safe_load(printed.text), "model": small, "epochs": 1, "stage_two": None}
        (folder / "train.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return names


@dataclass(frozen=True)
class Inputs:
    """What the pages are run on."""

    results: Path
    frames: list[Atoms]
    model: Path


@pytest.fixture(scope="module")
def inputs(results: Path, frames: list[Atoms], model_file: Path) -> Inputs:
    return Inputs(results, [frame for frame in frames if len(frame) == 3][:12], model_file)


def check_figures(folder: Path, names: dict[str, Any]) -> None:
    assert (folder / "bands.pdf").read_bytes().startswith(b"%PDF")
    assert len(plt.gcf().axes[0].lines) == names["result"].bands.shape[-1] > 0


def check_from_codes(folder: Path, names: dict[str, Any]) -> None:
    assert len(ff.read(folder / "frames.extxyz")) == len(ff.read(folder / "mixed.extxyz")) == 68
    (mine,) = ff.read(folder / "mine.extxyz")
    np.testing.assert_allclose(mine.arrays["REF_forces"], names["forces"])


def check_phonopy(folder: Path, names: dict[str, Any]) -> None:
    assert phonopy.load(folder / "vacancy/6x6/phonopy.yaml", symprec=1e-4).force_constants is None
    assert names["vacancy"].force_constants.shape == (35, 35, 3, 3)
    assert len(ff.read(folder / "frames.extxyz")) > 0
    np.testing.assert_allclose(1.05 * np.array(names["phonon"].forces), names["reference"], atol=1e-6)
    optical = slice(3, None)
    softer = names["phonon"].run_qpoints([[0, 0, 0]]).frequencies[0] / names["before"]
    np.testing.assert_allclose(softer[optical], 1.05**-0.5, rtol=1e-3)


def check_restart(folder: Path, names: dict[str, Any]) -> None:
    assert names["result"]["6x6"].metrics["n_atoms"] == 35
    assert (folder / "vacancy").is_dir()


def check_lammps(folder: Path, names: dict[str, Any]) -> None:
    assert not names
    assert (folder / "lammps" / "in.lammps").is_file()
    assert (folder / "ase" / "calculator.py").is_file()
    for name in ("lammps", "ase"):
        assert (ff.open(folder / name).metrics["max_force_difference"] or 0.0) < 1e-5


def check_settings(folder: Path, names: dict[str, Any]) -> None:
    assert not names
    assert "epochs" in yaml.safe_load((folder / "train.yaml").read_text(encoding="utf-8"))


def check_tracking(folder: Path, names: dict[str, Any]) -> None:
    assert not names
    assert list((folder / "model").rglob("events.out.tfevents.*"))


def check_nothing(folder: Path, names: dict[str, Any]) -> None:
    assert not names
    assert not list(folder.iterdir())


def check_bilayers(folder: Path, names: dict[str, Any]) -> None:
    assert not list(folder.iterdir())
    printed = (DOCS / "how-to" / "bilayers.md").read_text(encoding="utf-8")
    distance, adhesion = names["upper"] - names["lower"], names["adhesion"]
    assert f"prints {distance:.2f} Å, {1000 * adhesion:.1f} meV/Å², {16.022 * adhesion:.2f} J/m²" in printed
    rows = [f"{value:.1f}".replace("-", "−") for value in names["repulsion"]]
    assert f"| {' | '.join(rows[:5])} |" in printed


CHECKS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "bilayers": check_bilayers,
    "clusters": check_nothing,
    "environments": check_nothing,
    "figures": check_figures,
    "from-codes": check_from_codes,
    "lammps": check_lammps,
    "phonopy": check_phonopy,
    "restart": check_restart,
    "settings": check_settings,
    "tracking": check_tracking,
}
"""What each page promises."""


def test_every_guide_is_run_and_every_block_that_is_not_has_a_reason() -> None:
    assert [page.stem for page in PAGES] == list(CHECKS)
    reasons = {
        page.stem: [one.reason for one in snippets(page, "python", "sh") if one.reason] for page in PAGES
    }
    assert {page: blocks for page, blocks in reasons.items() if blocks} == NOT_RUN
    n_run = sum(not one.reason for page in PAGES for one in snippets(page, "python", "sh"))
    assert n_run > sum(map(len, NOT_RUN.values()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_guide_works_as_printed(
    page: Path, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    names = prepare(page.stem, tmp_path, inputs)
    for snippet in snippets(page, "python", "sh"):
        if snippet.reason:
            continue
        if snippet.language == "sh":
            run_shell(tmp_path, snippet.text)
        else:
            exec(compile(snippet.text, str(page), "exec"), names)  # noqa: S102  # the manual is ours
    names.pop("__builtins__", None)
    CHECKS[page.stem](tmp_path, names)
    plt.close("all")
