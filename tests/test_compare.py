"""Several force fields side by side: the same frames, one table, one page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

import flatforce as ff
from flatforce.cli import app
from flatforce.core.errors import ConfigError, ResultError
from flatforce.core.results import read_arrays, read_record
from flatforce.data.label_origin import hash_labelled
from flatforce.properties.phonons.config import PhononConfig
from flatforce.structures.prototypes import monolayer
from flatforce.studies.compare import comparison_of
from flatforce.studies.phonons import PhononStage
from flatforce.studies.session import Session

PAIR = "ase:ase.calculators.lj:LennardJones?sigma=2.2&epsilon=0.3&rc=5.0"


@pytest.fixture(scope="module")
def primitive(frames: list[Atoms]) -> list[Atoms]:
    return [frame for frame in frames if len(frame) == 3][:6]


@pytest.fixture(scope="module")
def evaluations(
    model_file: Path, primitive: list[Atoms], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A network and a pair potential on five frames each, four of which are the same."""
    folder = tmp_path_factory.mktemp("evaluations")
    model = f"mace:{model_file}"
    for name, spec, frames in (
        ("network", model, primitive[:5]),
        ("pair", PAIR, primitive[:5]),
        ("overlap", PAIR, primitive[1:6][::-1]),
        ("apart", PAIR, primitive[5:]),
    ):
        ff.evaluate(spec, frames, folder=folder / name)
    return {path.name: path for path in folder.iterdir()}


def test_errors_are_those_of_each_evaluation(evaluations: dict[str, Path]) -> None:
    names = ("network", "pair")
    both = ff.compare([evaluations[name] for name in names])
    models = both.details["models"]
    assert len(models) == 2
    for name, errors in zip(names, models.values(), strict=True):
        alone = read_record(evaluations[name])["metrics"]
        for key in ("energy_mae", "force_mae", "force_rmse", "stress_mae"):
            assert errors[key] == pytest.approx(alone[key], rel=1e-9)
    assert list(models) == ["mace:random.model", "ase:LennardJones"]
    assert both.metrics["n_common"] == 5
    assert both.warnings == []


def test_other_frames_are_stated_and_left_out(evaluations: dict[str, Path]) -> None:
    """Four of five frames are common: the errors are over these four, in whatever order the files hold them."""
    both = ff.compare([evaluations["network"], evaluations["overlap"]])
    assert both.metrics["n_common"] == 4
    (warning,) = both.warnings
    assert "the same frames were not used" in warning
    assert "on 5" in warning
    stored = read_arrays(evaluations["network"])
    kept = np.isin(stored["frame_hash"], both.arrays["frame_hash"])
    assert kept.sum() == 4
    error = 1e3 * np.abs(stored["energy"][1] - stored["energy"][0])
    name = next(iter(both.details["models"]))
    assert both.details["models"][name]["energy_mae"] == pytest.approx(error[kept].mean())
    assert error[kept].mean() != pytest.approx(error.mean(), rel=1e-5)
    atoms = np.repeat(kept, stored["frame_size"])
    forces = 1e3 * np.abs(stored["forces"][1] - stored["forces"][0])
    assert both.details["models"][name]["force_mae"] == pytest.approx(forces[atoms].mean())


def test_without_common_frames_nothing_is_compared(evaluations: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be compared") as error:
        ff.compare([evaluations["network"], evaluations["apart"]], folder=tmp_path / "c")
    assert "no frame" in error.value.why
    assert not (tmp_path / "c" / "result.json").exists()


def test_a_frame_with_another_label_is_another_frame(primitive: list[Atoms]) -> None:
    frame = primitive[0].copy()
    frame.info["name"] = "renamed"
    assert hash_labelled(frame) == hash_labelled(primitive[0])
    frame.info["REF_energy"] += 1e-3
    assert hash_labelled(frame) != hash_labelled(primitive[0])


def test_the_baseline_knows_the_composition_alone(evaluations: dict[str, Path]) -> None:
    """No forces: the mean |force| of the labels. One composition: the mean energy, so that its error is their scatter."""
    both = ff.compare([evaluations["network"], evaluations["pair"]])
    stored = read_arrays(evaluations["network"])
    baseline = both.details["baseline"]
    assert baseline["force_mae"] == pytest.approx(1e3 * np.abs(stored["forces"][0]).mean())
    assert baseline["stress_mae"] == pytest.approx(np.abs(stored["stress"][0]).mean())
    energies = stored["energy"][0]
    assert np.ptp(energies) > 1e-3
    assert baseline["energy_rmse"] == pytest.approx(1e3 * energies.std(), rel=1e-6)


def test_one_page_shows_all(evaluations: dict[str, Path], tmp_path: Path) -> None:
    folders = [str(evaluations[name]) for name in ("network", "pair", "overlap")]
    outcome = CliRunner().invoke(app, ["benchmark", "compare", *folders, "-o", str(tmp_path / "c")])
    assert outcome.exit_code == 0, outcome.output
    assert "no force field (baseline)" in outcome.output
    text = (tmp_path / "c" / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h3>Side by side</h3>" in text
    for name in ("network", "pair", "overlap"):  # two have the same force field, so that folders name them
        assert f'"name": "{name}"' in text
        assert f"<td>{name}</td>" in text
    figures = {path.stem for path in (tmp_path / "c" / "report" / "figures").glob("*.pdf")}
    assert {"comparison-errors", "comparison-parity", "comparison-cumulative-errors"} <= figures


def test_folders_of_different_kinds_are_refused(evaluations: dict[str, Path], tmp_path: Path) -> None:
    ff.relax(PAIR, monolayer(("B", "N"), prototype="honeycomb", a=2.5), folder=tmp_path / "r", max_steps=1)
    with pytest.raises(ResultError, match="cannot be compared") as error:
        comparison_of([evaluations["pair"], tmp_path / "r"])
    assert "relax" in error.value.why
    for folders in ([evaluations["pair"]], [evaluations["pair"]] * 2):
        with pytest.raises(ConfigError, match="folders are given"):
            comparison_of(folders)


def test_phonons_of_one_sheet_are_drawn_over_one_another(tmp_path: Path) -> None:
    sheet = monolayer(("B", "N"), prototype="honeycomb", a=2.5)
    for name, epsilon in (("soft", 0.1), ("stiff", 0.4)):
        spec = f"ase:ase.calculators.lj:LennardJones?sigma=1.3&epsilon={epsilon}&rc=4.0&cutoff=4.0"
        settings = PhononConfig(supercell=(4, 4), mesh=6, points_per_segment=5, engine="displacements")
        PhononStage(sheet, settings).run(Session(spec), tmp_path / name)
    both = ff.compare([tmp_path / "soft", tmp_path / "stiff"])
    soft, stiff = both.details["models"].values()
    assert soft["band_rmsd"] == 0
    assert stiff["max_frequency"] == pytest.approx(2 * soft["max_frequency"], rel=1e-3)  # ω ~ √ε
    bands = both.arrays["bands"]
    assert stiff["band_rmsd"] == pytest.approx(np.sqrt(np.mean((bands[1] - bands[0]) ** 2)))
    assert both.figures == ["comparison-bands"]
    labels = {line.get_label() for line in both.plot().axes[0].lines}
    assert {"soft", "stiff"} <= labels
