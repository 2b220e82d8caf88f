"""Result folders as objects: numbers, arrays, figures, copies."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.errors import FlatforceError, ResultError
from flatforce.core.outcome import Outcome
from flatforce.core.results import Record, write_record
from flatforce.models import Potential
from flatforce.models.spec import committee_members
from flatforce.properties.evaluate import evaluate
from flatforce.properties.phonons.config import DefectPhononConfig, PhononConfig
from flatforce.properties.phonons.defects.supercell_phonons import defect_phonons
from flatforce.properties.phonons.pristine import pristine_phonons
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.report.page import write_report
from flatforce.report.result import (
    DefectPhononResult,
    DefectSeriesResult,
    EvaluationResult,
    LearningResult,
    PhononResult,
    RelaxationBenchmarkResult,
    RelaxResult,
    Result,
    ResultTree,
    TrainResult,
    open_result,
)
from springs import embedded_springs, saved_embedding

MAX_REPR_LINES = 12
"""A `repr` of more lines hides the cell below it in a notebook."""


def write_outcome(folder: Path, outcome: Outcome, **config: object) -> Path:
    """Write the folder that a command would leave."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = outcome.problems
    record = Record(
        outcome.kind,
        config,
        outcome.metrics,
        dict(outcome.units),
        converged=not problems,
        warnings=problems + outcome.notes,
        details=outcome.details,
    )
    outcome.files(folder)
    write_record(folder, record, outcome.arrays())
    return folder


def write_numbers(folder: Path, kind: str, **metrics: float) -> Path:
    folder.mkdir(parents=True)
    write_record(folder, Record(kind, {}, metrics, dict.fromkeys(metrics, "eV"), details={"stop_reason": ""}))
    return folder


@pytest.fixture(scope="module")
def unit_cell() -> Atoms:
    from flatforce.structures.prototypes import monolayer

    return monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)


@pytest.fixture(scope="module")
def study(model_file: Path, unit_cell: Atoms, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A relaxation that is cut short, and phonons of a sheet and a vacancy, by a model with random weights."""
    from flatforce.models import load

    folder = tmp_path_factory.mktemp("study")
    model: Potential = load(f"mace:{model_file}")
    write_outcome(folder / "relax", relax(model, unit_cell, RelaxConfig(max_steps=3)))
    config = PhononConfig(supercell=(3, 3), points_per_segment=11, mesh=12)
    write_outcome(
        folder / "phonons", pristine_phonons(model, unit_cell, config, scratch=folder / "phonons" / "forces")
    )
    vacancy = DefectPhononConfig(
        supercell=(3, 3),
        mesh=6,
        points_per_segment=3,
        shells=[4.0],
        relaxation=RelaxConfig(relax_cell=False, max_steps=2),
    )
    inside = folder / "vacancy" / "3x3"
    write_outcome(
        inside,
        defect_phonons(model, unit_cell, "v_Se:top", vacancy, scratch=inside / "forces"),
        **vacancy.model_dump(mode="json"),
        defect="v_Se:top",
    )
    return folder


def test_a_relaxation_is_what_its_folder_holds(study: Path) -> None:
    result = open_result(study / "relax")
    assert isinstance(result, RelaxResult)
    assert not result.converged
    assert result.warnings
    assert result.energy == result.metrics["energy"]
    assert result.units["energy"] == "eV"
    last = result.trajectory[-1]
    assert last.get_potential_energy() == pytest.approx(result.energy)
    assert np.allclose(last.positions, result.atoms.positions, atol=1e-7)
    assert len(result.trajectory) == result.n_steps + 1 > 1


def test_what_is_read_cannot_be_changed(study: Path) -> None:
    result = open_result(study / "phonons")
    assert isinstance(result, PhononResult)
    with pytest.raises(ValueError, match="read-only"):
        result.arrays["bands"][0, 0] = 1.0
    with pytest.raises(TypeError):
        result.metrics["min_frequency"] = 0.0  # type: ignore[index]  # that is what fails
    with pytest.raises(KeyError, match="bands"):
        result.arrays["band"]


def test_phonopy_gives_the_same_frequencies(study: Path) -> None:
    """At Γ, M, K of the stored path, from the files of the folder."""
    result = open_result(study / "phonons")
    assert isinstance(result, PhononResult)
    phonon = result.to_phonopy()
    points = {"Γ": [0.0, 0.0, 0.0], "M": [0.5, 0.0, 0.0], "K": [1 / 3, 1 / 3, 0.0]}
    found = phonon.run_qpoints(list(points.values())).frequencies
    for label, frequencies in zip(points, found, strict=True):
        stored = result.bands[np.abs(result.distance - result.special_points[label][0]).argmin()]
        assert np.ptp(stored) > 1.0
        assert np.allclose(frequencies, stored, atol=1e-4), label
    assert np.allclose(result.gamma, np.sort(found[0]), atol=1e-4)
    assert result.atoms.get_chemical_symbols() == result.symbols
    step = result.frequency[1] - result.frequency[0]
    assert result.dos.sum() * step == pytest.approx(3 * len(result.symbols), rel=1e-3)
    assert np.allclose(result.pdos.sum(axis=(0, 1)), result.dos, atol=1e-6 * result.dos.max())


def test_a_plot_shows_the_stored_numbers(study: Path) -> None:
    result = open_result(study / "phonons")
    assert isinstance(result, PhononResult)
    drawing = result.plot("thermal")
    assert len(drawing.axes) == 3
    line = drawing.axes[0].lines[0]
    assert np.array_equal(np.asarray(line.get_xdata()), result.arrays["thermal"][:, 0])
    assert np.array_equal(np.asarray(line.get_ydata()), result.thermal["free_energy"])
    default = result.plot()
    assert result.figures[0] == "pristine-bands"
    assert default.axes[0].get_ylabel() == result.plot("pristine-bands").axes[0].get_ylabel()
    assert default._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]  # what a notebook shows


def test_a_plot_goes_into_given_axes(study: Path) -> None:
    from matplotlib.figure import Figure

    result = open_result(study / "phonons")
    own = Figure()
    axes = own.subplots(1, 3)
    assert result.plot("thermal", axes=axes) is own
    assert all(len(ax.lines) == 1 for ax in axes)
    with pytest.raises(ResultError, match="3 panels"):
        result.plot("thermal", axes=own.subplots())


def test_an_unknown_figure_names_those_that_exist(study: Path, tmp_path: Path) -> None:
    result = open_result(study / "phonons")
    with pytest.raises(FlatforceError, match="pristine-pdos"):
        result.plot("bandes")
    numbers = open_result(write_numbers(tmp_path / "sqs", "alloy sqs", n_atoms=12.0))
    assert numbers.figures == []
    with pytest.raises(FlatforceError, match="no figures"):
        numbers.plot()


def test_a_result_describes_itself_in_a_few_lines(study: Path) -> None:
    for name in ("relax", "phonons"):
        result = open_result(study / name)
        lines = repr(result).splitlines()
        assert lines[0] == f"<{result.kind}>"
        assert len(lines) < MAX_REPR_LINES
    relaxation = open_result(study / "relax")
    assert "problem" in repr(relaxation)
    assert len(repr(open_result(study)).splitlines()) < MAX_REPR_LINES


def test_html_is_escaped(tmp_path: Path) -> None:
    text = "<script>alert('Å & ü')</script>"
    tmp_path.joinpath("x").mkdir()
    write_record(tmp_path / "x", Record("kind", {}, {text: 1.0}, {text: "eV"}, warnings=[text]))
    page = open_result(tmp_path / "x")._repr_html_()
    assert "<script>" not in page
    assert page.count(html.escape(text)) == 2


def test_a_copy_is_the_same_and_overwrites_nothing(study: Path, tmp_path: Path) -> None:
    result = open_result(study / "phonons")
    assert isinstance(result, PhononResult)
    (tmp_path / "empty").mkdir()
    copy = result.save(tmp_path / "empty")
    assert isinstance(copy, PhononResult)
    assert copy.folder == tmp_path / "empty"
    assert np.array_equal(copy.bands, result.arrays["bands"])
    names = {path.relative_to(study / "phonons") for path in (study / "phonons").rglob("*")}
    assert {path.relative_to(copy.folder) for path in copy.folder.rglob("*")} == names
    with pytest.raises(ResultError, match="exists already"):
        result.save(copy.folder)
    with pytest.raises(ResultError, match="inside"):
        result.save(result.folder / "copy")
    assert not list(tmp_path.glob(".part-*"))


def test_a_study_is_a_mapping(study: Path) -> None:
    tree = open_result(study)
    assert isinstance(tree, ResultTree)
    assert sorted(tree) == ["phonons", "relax", "vacancy"]
    assert tree["vacancy/3x3"] is tree["vacancy"]["3x3"]
    relaxation = tree["relax"]
    assert isinstance(relaxation, RelaxResult)
    assert not tree.converged
    assert any(text.startswith("relax: ") for text in tree.warnings)
    assert tree.metrics["relax/energy"] == relaxation.energy
    with pytest.raises(KeyError, match="phonons"):
        tree["defects"]
    assert tree.plot("relax/relaxation").axes


def test_a_vacancy_is_what_its_folder_holds(study: Path) -> None:
    """The force constants of the folder give its modes; densities of states count 3 modes for each atom."""
    series = open_result(study / "vacancy")
    assert isinstance(series, DefectSeriesResult)
    assert (series.best, series.supercells) == ("3x3", ["3x3"])
    result = series["3x3"]
    assert isinstance(result, DefectPhononResult)
    frequencies = result.to_phonopy().run_qpoints([[0.0, 0.0, 0.0]]).frequencies[0]
    assert np.ptp(result.gamma) > 1.0
    assert np.allclose(np.sort(frequencies), result.gamma, atol=1e-4)
    step = result.frequency[1] - result.frequency[0]
    assert len(result.atoms) == 26
    assert result.dos.sum() * step == pytest.approx(3 * 26, rel=1e-3)
    assert result.pristine_dos.sum() * step == pytest.approx(3 * 27, rel=1e-3)
    for ldos in (result.ldos, result.pristine_ldos, series.ldos):
        assert ldos.sum() * step == pytest.approx(3.0, rel=1e-3)
    assert [mode.frequency for mode in series.modes] == [mode.frequency for mode in result.modes]
    assert result.mode_vectors.shape == (len(result.modes), 26, 3)
    for mode in result.modes:
        assert np.abs(result.gamma - mode.frequency).min() < 2e-3
    assert series.figures[0] == "3x3/defect-bands"


def test_the_page_has_distinct_titles(study: Path, tmp_path: Path) -> None:
    relaxation = open_result(study / "relax")
    for name in ("first", "second"):
        relaxation.save(tmp_path / name / "relax")
    page = write_report(tmp_path, tmp_path / "report").read_text(encoding="utf-8")
    titles = re.findall(r'<section id="section-\d+">\s*<h2>(.*?)</h2>', page)
    assert len(titles) == len(set(titles)) == 2
    assert all("Relaxation" in title for title in titles)
    assert "<td>1</td></tr>" not in page  # a number without a unit has an empty one


def test_a_series_of_a_defect_shows_its_best_member(unit_cell: Atoms, tmp_path: Path) -> None:
    for size in (6, 8):
        saved_embedding(
            embedded_springs(unit_cell, size, "v_Se:top"), size, tmp_path / f"embedded_{size}x{size}"
        )
    series = open_result(tmp_path)
    assert isinstance(series, DefectSeriesResult)
    assert series.names == ["embedded_6x6", "embedded_8x8"]
    assert series.best == "embedded_8x8"
    assert np.array_equal(series.ldos, series["embedded_8x8"].arrays["shell_ldos"][0])
    step = series.frequency[1] - series.frequency[0]
    assert series.ldos.sum() * step == pytest.approx(3.0, rel=0.02)
    assert series.figures[0].startswith("embedded_8x8/")
    copy = series.save(tmp_path / ".." / "copy_of_series")
    assert isinstance(copy, DefectSeriesResult)
    assert copy.names == series.names


def test_rounds_are_active_learning(tmp_path: Path) -> None:
    for k in range(11):
        write_numbers(tmp_path / f"round-{k}", "learning round", n_labels=10.0 * k, force_mae=50.0 / (k + 1))
    result = open_result(tmp_path)
    assert isinstance(result, LearningResult)
    assert result.n_labels == [10 * k for k in range(11)]
    assert result.force_mae == sorted(result.force_mae, reverse=True)
    assert result.stop_reason == ""


def test_errors_are_those_of_the_stored_predictions(
    potential: Potential, frames: list[Atoms], tmp_path: Path
) -> None:
    result = open_result(write_outcome(tmp_path / "evaluate", evaluate(potential, frames[:4])))
    assert isinstance(result, EvaluationResult)
    labels, predictions = result.forces
    assert result.force_mae == pytest.approx(1e3 * np.abs(predictions - labels).mean())
    labels, predictions = result.energies
    assert result.energy_mae == pytest.approx(1e3 * np.abs(predictions - labels).mean())
    assert set(result.by_element) == {"Se", "W"}
    assert min(result.by_element.values()) <= result.force_mae <= max(result.by_element.values())
    panel = result.plot("parity").axes[1]
    points = np.concatenate([np.asarray(artist.get_offsets()) for artist in panel.collections])
    assert np.allclose(np.sort(points[:, 1]), np.sort(result.forces[1].ravel()))


def test_a_training_knows_the_name_of_its_model(model_file: Path, tmp_path: Path) -> None:
    def write_training(name: str, *files: str) -> TrainResult:
        (tmp_path / name).mkdir()
        for file in files:
            shutil.copy(model_file, tmp_path / name / file)
        cards = [{"kind": "mace", "file": file} for file in files]
        write_record(tmp_path / name, Record("train", {}, {"force_mae": 1.0}, {}, details={"cards": cards}))
        result = open_result(tmp_path / name)
        assert isinstance(result, TrainResult)
        return result

    single = write_training("one", "a.model")
    assert single.spec == f"mace:{tmp_path / 'one' / 'a.model'}"
    assert single.model(device="cpu").elements == {"Se", "W"}
    several = write_training("two", "a.model", "b.model")
    assert several.spec.startswith("committee:mace:")
    assert committee_members(several.spec) == [f"mace:{tmp_path / 'two' / name}.model" for name in "ab"]


def test_an_unfinished_folder_is_refused(tmp_path: Path, study: Path) -> None:
    for folder, match in ((tmp_path / "absent", "no folder"), (tmp_path, "no finished result")):
        with pytest.raises(ResultError, match=match):
            open_result(folder)
    with pytest.raises(ResultError, match="holds no phonons"):
        PhononResult(study / "relax")


def test_a_number_that_is_not_finite_is_none(tmp_path: Path) -> None:
    result = open_result(write_numbers(tmp_path / "x", "evaluate", force_mae=float("nan")))
    assert result.metrics["force_mae"] is None
    assert isinstance(result, Result)
    assert "–" in repr(result)
    json.dumps(dict(result.metrics))


def test_a_table_of_materials_may_hold_commas(tmp_path: Path) -> None:
    folder = write_numbers(tmp_path / "x", "relaxation benchmark", energy_mae=1.0)
    header, relaxed = "material,energy,reason", "WSe2 #1,-6.5,"
    (folder / "materials.csv").write_text(f'{header}\n{relaxed}\nMoS2,,"does not know Mo, S."\n')
    result = open_result(folder)
    assert isinstance(result, RelaxationBenchmarkResult)
    assert result.table["reason"].tolist() == ["", "does not know Mo, S."]
    assert result.table["energy"][0] == -6.5
    assert np.isnan(result.table["energy"][1])
    (folder / "materials.csv").write_text(f"{header}\n{relaxed}\n")
    assert result.table.shape == (1,)
