"""What a notebook user types: the block of the manual as it stands, and the examples of every function."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import read, write

import flatforce as ff
from flatforce.core.errors import ConfigError, FlatforceError, ModelError, ResultError
from flatforce.core.results import read_arrays
from flatforce.data.bundled import dataset_path
from flatforce.report.result import DefectSeriesResult, PhononResult

MANUAL = Path(__file__).parents[1] / "docs" / "python.md"

MODEL = "mace:wse2-pbe"

SMALLER = {
    "supercell=(6, 6)": "supercell=(4, 4)",
    "embed=60": "embed={'supercell': 20, 'radius': 5.0, 'n_check_rows': 1}",
    "epochs=200": "epochs=20",
}
"""What the test changes in the block, for seven minutes become one."""


@pytest.fixture(scope="module")
def sheet() -> Atoms:
    return ff.relax(MODEL, ff.monolayer("WSe2"), keep_symmetry=True).atoms


@pytest.fixture(scope="module")
def waves(sheet: Atoms) -> PhononResult:
    return ff.phonons(MODEL, sheet, supercell=(4, 4), mesh=12)


@pytest.mark.slow
def test_the_notebook_of_the_manual_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(import flatforce as ff\n.*?)```", MANUAL.read_text(), re.DOTALL)[:1]
    for written, quick in SMALLER.items():
        assert written in block
        block = block.replace(written, quick)
    frames = [frame for frame in read(dataset_path("wse2-pbe"), ":") if len(frame) == 3][:4]
    (tmp_path / "calculations").mkdir()
    write(tmp_path / "calculations" / "run.extxyz", frames, format="extxyz")
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    names: dict[str, Any] = {}
    exec(compile(block, str(MANUAL), "exec"), names)  # noqa: S102  # the manual is ours
    v, sheet = names["v"], names["sheet"]
    assert sheet.cell.lengths()[0] == pytest.approx(3.319, abs=2e-3)
    assert {"4x4", "embedded_20x20", "finite_size"} <= set(v)
    assert v["embedded_20x20"].metrics["n_atoms"] == 3 * 20 * 20 - 1
    np.testing.assert_array_equal(v.ldos, v["embedded_20x20"].ldos)
    assert v.modes
    assert (tmp_path / "vse" / "embedded_20x20" / "result.json").is_file()
    assert isinstance(ff.open("vse"), DefectSeriesResult)


def test_importing_is_instant_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, flatforce; print([m for m in ('numpy', 'ase', 'torch', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(ff.__all__) <= set(dir(ff))
    with pytest.raises(AttributeError, match="no attribute 'relex'"):
        ff.relex  # type: ignore[attr-defined]  # noqa: B018  # that is the point


@pytest.mark.parametrize("name", sorted(set(ff.__all__)))
def test_every_function_is_documented_with_an_example(name: str) -> None:
    function = getattr(ff, name)
    text = inspect.getdoc(function) or ""
    assert ">>> import flatforce as ff" in text
    assert "Returns" in text
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert re.search(rf"^{parameter.name}\b", text, re.MULTILINE), parameter.name


def test_keyword_arguments_are_the_keys_of_the_yaml(sheet: Atoms) -> None:
    from flatforce.properties.relax_config import RelaxConfig

    parameters = inspect.signature(ff.relax).parameters
    for name, field in RelaxConfig.model_fields.items():
        assert parameters[name].default == field.default
    with pytest.raises(ConfigError, match="did you mean `max_force`"):
        ff.relax(MODEL, sheet, max_forces=0.1)


def test_a_result_is_the_same_folder_that_the_command_writes(
    sheet: Atoms, waves: PhononResult, tmp_path: Path
) -> None:
    write(tmp_path / "sheet.extxyz", sheet)
    settings = tmp_path / "phonons.yaml"
    settings.write_text("{supercell: [4, 4], mesh: 12}")
    command = [
        "phonons",
        MODEL,
        str(tmp_path / "sheet.extxyz"),
        "-c",
        str(settings),
        "-o",
        str(tmp_path / "p"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "flatforce", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    stored = read_arrays(tmp_path / "p")
    assert set(stored) == set(waves.arrays)
    np.testing.assert_allclose(stored["bands"], waves.bands, atol=1e-4)  # extxyz keeps 8 digits of positions
    again = ff.phonons(
        MODEL, str(tmp_path / "sheet.extxyz"), folder=tmp_path / "p", supercell=(4, 4), mesh=12
    )
    np.testing.assert_array_equal(again.bands, stored["bands"])


def test_plots_show_the_arrays(waves: PhononResult) -> None:
    figure = waves.plot()
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in lines])
    finite = heights[np.isfinite(heights)]
    assert finite.max() >= waves.bands.max() * 0.999
    with pytest.raises(FlatforceError, match="no figure"):
        waves.plot("spectrum")


def test_a_result_describes_itself_in_a_few_lines(waves: PhononResult) -> None:
    assert len(repr(waves)) < 1000
    assert len(repr(waves).splitlines()) < 15
    assert "<table>" in waves._repr_html_()


def test_results_go_to_phonopy(waves: PhononResult) -> None:
    phonon = waves.to_phonopy()
    phonon.run_qpoints([[0, 0, 0]])
    assert phonon.qpoints is not None
    frequencies = np.sort(phonon.qpoints.frequencies[0])
    np.testing.assert_allclose(frequencies[3:], np.sort(waves.gamma)[3:], rtol=1e-4)


def test_save_copies_and_open_reads(waves: PhononResult, tmp_path: Path) -> None:
    waves.save(tmp_path / "kept")
    opened = ff.open(str(tmp_path / "kept"))
    assert isinstance(opened, PhononResult)
    assert opened.metrics == waves.metrics
    with pytest.raises(ResultError, match="exists"):
        waves.save(tmp_path / "kept")


def test_scratch_folders_are_gone_with_the_process() -> None:
    code = (
        "import flatforce as ff\n"
        "sheet = ff.monolayer('BN')\n"
        "lj = 'ase:ase.calculators.lj:LennardJones?sigma=1.3&epsilon=0.1&rc=4.0'\n"
        "print(ff.relax(lj, sheet, relax_cell=False, max_force=100.0).folder)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip().splitlines()[-1])
    assert folder.name.startswith("relax")
    assert not folder.exists()


def test_sizes_are_checked_like_a_supercell(sheet: Atoms) -> None:
    with pytest.raises(ConfigError, match="both given"):
        ff.defect_phonons(MODEL, sheet, "v_Se", supercell=(4, 4), sizes=[4, 5])
    with pytest.raises(ConfigError, match="greater than 0"):
        ff.defect_phonons(MODEL, sheet, "v_Se", sizes=[0, 4])


def test_one_frame_is_frames_and_nothing_else_is(tmp_path: Path) -> None:
    frames = ff.read("wse2-pbe")[:2]
    one, both = (ff.evaluate(MODEL, given).metrics["force_mae"] for given in (frames[0], frames))
    assert one != pytest.approx(both)
    mistakes: list[Any] = [[], [None], ["a.extxyz", "b.extxyz"]]
    for mistake in mistakes:
        with pytest.raises(ConfigError):
            ff.evaluate(MODEL, mistake)
    with pytest.raises(FlatforceError, match="no REF_energy"):
        ff.evaluate(MODEL, [ff.monolayer("WSe2")], folder=tmp_path / "e")
    assert ff.evaluate(MODEL, frames, folder=tmp_path / "e").metrics["force_mae"] == pytest.approx(both)


def test_dilute_is_true_or_false(sheet: Atoms) -> None:
    with pytest.raises(ConfigError, match="neither True nor False"):
        ff.defect_phonons(MODEL, sheet, "v_Se", supercell=(4, 4), dilute="yes")  # type: ignore[arg-type]  # the mistake


def test_what_is_no_force_field_is_named(sheet: Atoms, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="EMT is no force field") as error:
        ff.relax(EMT(), sheet)  # type: ignore[arg-type]  # the mistake
    assert "ase:package.module:Class" in error.value.fix
    with pytest.raises(ModelError, match="no model"):
        ff.relax(tmp_path / "absent.model", sheet)


def test_a_model_that_is_loaded_already_is_used(sheet: Atoms) -> None:
    model = ff.load(MODEL)
    assert model.elements == {"W", "Se"}
    energy = ff.relax(model, sheet, relax_cell=False).energy
    sheet.calc = model.calculator()
    assert energy == pytest.approx(sheet.get_potential_energy(), abs=1e-4)
    sheet.calc = None


def test_two_spellings_of_a_defect_are_one_result(sheet: Atoms) -> None:
    from flatforce.studies.session import Session

    session = Session(MODEL)
    names = {session.defect_name(sheet, notation) for notation in ("V_Se:top", "VSe:top", "vac_Se:top")}
    assert names == {"v_Se:top"}


def test_other_frames_do_not_get_an_old_result(tmp_path: Path) -> None:
    frames = [frame for frame in ff.read(str(dataset_path("wse2-pbe"))) if len(frame) == 3]
    folder = tmp_path / "e"
    first = ff.evaluate(MODEL, frames[:2], folder=folder)
    assert first.metrics == ff.evaluate(MODEL, frames[:2], folder=folder).metrics
    with pytest.raises(ResultError, match="other frames"):
        ff.evaluate(MODEL, frames[2:4], folder=folder)


def test_what_holds_a_structure_is_taken_for_it(sheet: Atoms) -> None:
    cell = ff.build_defect(sheet, "v_Se:top", (2, 2))
    relaxed = ff.relax(MODEL, cell, relax_cell=False)
    assert len(relaxed.atoms) == 11
    assert ff.relax(MODEL, relaxed, relax_cell=False).metrics["n_steps"] == 0
    with pytest.raises(ConfigError, match="int is no structure"):
        ff.relax(MODEL, 3)  # type: ignore[arg-type]  # that is the point
