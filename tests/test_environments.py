"""Intervals only where the calibration set holds like environments, and their coverage by config type and element."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from ase import Atoms

import flatforce as ff
from commands import run
from flatforce.active.assess import assess
from flatforce.active.calibration import LEVELS, calibrate, coverage_tolerance
from flatforce.active.coverage import CalibratedUncertainty, measure_coverage
from flatforce.active.cross_conformal import Fold
from flatforce.active.environments import MIN_DISTANCE, CalibratedEnvironments, calibrated_environments
from flatforce.active.labelled_atoms import LabelledAtoms
from flatforce.active.uncertainty import committee_uncertainty
from flatforce.core.errors import ConfigError, DataError, ResultError
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import Labels, attach_labels
from flatforce.models.prediction import Prediction
from flatforce.report.figures.coverage import coverage as coverage_figure
from flatforce.report.rows import coverage_rows
from flatforce.structures.strain import rattle_positions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.models.potential import Potential
    from flatforce.report.results.models import EvaluationResult

pytest.importorskip("dscribe")

NO_ENVIRONMENTS = CalibratedEnvironments([], {}, {})


def layer(rng: np.random.Generator, *, name: str = "sheet", a: float = 2.6, vacancy: bool = False) -> Atoms:
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    sheet = Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True).repeat((6, 6, 1))
    sheet.symbols[::2] = "Au"
    if vacancy:
        del sheet[14]
    frame = rattle_positions(sheet, amplitude=0.05, rng=rng)
    frame.info["config_type"] = name
    return attach_labels(frame, Labels(0.0, np.zeros((len(frame), 3)), None))


class Oracle:
    """A committee whose error is 3 of its standard deviations where it was calibrated, and 12 beside a vacancy; true forces are zero."""

    def evaluate(self, frames: Sequence[Atoms], *, stress: bool) -> list[Prediction]:
        del stress
        return [self._predict(frame) for frame in frames]

    def _predict(self, frame: Atoms) -> Prediction:
        rng, n = np.random.default_rng(abs(hash(frame.positions.tobytes())) % 2**32), len(frame)
        deviations = rng.lognormal(-4, 0.6, size=(n, 1)) * np.ones((n, 3))
        neighbours = (frame.get_all_distances(mic=True) < 3.2).sum(axis=1) - 1
        factor = np.where(neighbours < 6, 12.0, 3.0)[:, None]
        return Prediction(0.0, factor * deviations * rng.normal(size=(n, 3)), None, None, 0.0, deviations)


def oracle(frames: Sequence[Atoms]) -> Fold:
    model: Potential = Oracle()  # type: ignore[assignment]  # only its predictions are read
    return Fold(model, committee_uncertainty, frames)


def test_coverage_holds_inside_and_is_not_promised_outside() -> None:
    rng = np.random.default_rng(0)
    fold = oracle([layer(rng) for _ in range(12)])
    test = [layer(rng) for _ in range(20)] + [layer(rng, name="vacancy", vacancy=True) for _ in range(20)]
    assessment = assess(fold, [fold], test, seed=0)
    atoms, groups = assessment.atoms, assessment.coverage.by_config_type
    beside = np.concatenate([(frame.get_all_distances(mic=True) < 3.2).sum(axis=1) - 1 < 6 for frame in test])
    assert 0.1 < beside[20 * 36 :].mean() < 0.25
    assert atoms.outside[beside].mean() > 0.95
    assert groups["sheet"].outside_fraction < 0.08
    assert groups["vacancy"].n_outside >= beside.sum() * 0.95
    for level in (0.68, 0.95):
        margin = groups["vacancy"].margin[LEVELS.index(level)]
        assert margin < 0.2
        assert groups["vacancy"].at(level) == pytest.approx(level, abs=margin)
    everywhere = LabelledAtoms(
        atoms.error, atoms.uncertainty, np.zeros_like(beside), atoms.config_type, atoms.symbol, atoms.group
    )
    unmarked = measure_coverage(everywhere, assessment.uncertainty)
    assert unmarked.by_config_type["vacancy"].at(0.95) < 0.95 - 0.05  # what marking them avoids
    arrays = atoms.arrays(assessment.uncertainty.calibration)
    assert np.isnan(arrays["force_interval_68"][atoms.outside]).all()
    assert np.isfinite(arrays["force_interval_68"][~atoms.outside]).all()
    (warning,) = assessment.coverage.warnings
    assert "no interval" in warning
    assert "vacancy" in warning
    assert "sheet" not in warning


def test_a_config_type_whose_intervals_do_not_hold_is_named() -> None:
    """The oracle is wrong beside every vacancy, but the calibration knows vacancies: of one in twelve frames."""
    rng = np.random.default_rng(1)
    known = [layer(rng) for _ in range(24)] + [layer(rng, name="vacancy", vacancy=True) for _ in range(3)]
    fold = oracle(known)
    test = [layer(rng) for _ in range(10)] + [layer(rng, name="vacancy", vacancy=True) for _ in range(10)]
    uncertainty = assess(fold, [fold], test, seed=0).uncertainty
    atoms = assess(fold, [fold], test, seed=0).atoms
    all_wrong = LabelledAtoms(
        np.where(atoms.config_type == "vacancy", 3 * atoms.error, atoms.error),
        atoms.uncertainty,
        np.zeros(len(atoms.error), dtype=bool),
        atoms.config_type,
        atoms.symbol,
        atoms.group,
    )
    texts = measure_coverage(all_wrong, uncertainty).warnings
    assert any("config type vacancy" in text and "68 %" in text for text in texts)
    assert not any("config type sheet" in text for text in texts)


def test_the_margin_is_that_of_many_such_sets() -> None:
    """A calibration set of ten frames, a config type of three: their coverage is within the margin in 95 % of all draws."""
    rng, level, within = np.random.default_rng(2), LEVELS.index(0.68), []

    def draw(count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        uncertainty = [rng.lognormal(sigma=0.5, size=40) for _ in range(count)]
        errors = [u * rng.lognormal(sigma=0.3) * np.abs(rng.normal(size=40)) for u in uncertainty]
        return errors, uncertainty

    for _ in range(400):
        errors, uncertainty = draw(10)
        calibration = calibrate(np.concatenate(errors), np.concatenate(uncertainty))
        tolerance = coverage_tolerance(calibration, errors, uncertainty)
        calibrated = CalibratedUncertainty(calibration, tolerance, 10, NO_ENVIRONMENTS)
        test_errors, test_uncertainty = map(np.concatenate, draw(3))
        names = np.repeat("three", 120)
        atoms = LabelledAtoms(
            test_errors, test_uncertainty, np.zeros(120, dtype=bool), names, names, np.repeat(range(3), 40)
        )
        group = measure_coverage(atoms, calibrated).by_config_type["three"]
        within.append(abs(group.coverage[level] - 0.68) <= group.margin[level])
    assert np.mean(within) == pytest.approx(0.95, abs=0.03)


def test_thresholds_leave_out_what_is_correlated() -> None:
    rng = np.random.default_rng(3)
    frames = [layer(rng) for _ in range(4)]
    environments = calibrated_environments([[frame] for frame in frames])
    assert set(environments.thresholds) == {29, 79}
    assert min(environments.thresholds.values()) > 10 * MIN_DISTANCE
    assert not np.concatenate(environments.is_outside(frames)).any()
    copied = calibrated_environments([[frame] for frame in [*frames, *frames]])
    assert max(copied.thresholds.values()) == MIN_DISTANCE  # copies in other groups are at no distance
    grouped = calibrated_environments([[frame, frame] for frame in frames])
    assert grouped.thresholds == pytest.approx(environments.thresholds)
    turned = frames[0].copy()
    turned.rotate(30, "z", rotate_cell=True)
    assert not copied.is_outside([turned])[0].any()
    single = calibrated_environments([frames[:1]])
    assert min(single.thresholds.values()) > 0
    rare = frames[0].copy()
    rare.symbols[0] = "Ag"
    distances = environments.distances(rare)
    separations = rare.get_all_distances(mic=True)[0]
    assert np.isinf(distances[separations < 5.0]).all()
    assert np.isfinite(distances[separations > 6.5]).all()
    assert (separations > 6.5).any()
    all_unknown = Atoms("Ag", positions=[[0, 0, 7.5]], cell=[2.6, 2.6, 15], pbc=True)
    assert environments.is_outside([all_unknown])[0].all()


def test_a_table_without_any_atom_inside() -> None:
    rng = np.random.default_rng(4)
    fold = oracle([layer(rng) for _ in range(6)])
    test = [layer(rng, name="1T", a=3.2)]
    assessment = assess(fold, [fold], test, seed=0)
    assert assessment.coverage.overall.outside_fraction == 1.0
    assert "coverage_68" not in assessment.metrics
    assert assessment.metrics["outside_fraction"] == 1.0
    details = json.loads(json.dumps(assessment.coverage.details_with(assessment.uncertainty), default=list))
    header, row = coverage_rows(details, "coverage_by_config_type")
    assert row == ["1T", "36", "36 (100 %)", "–", "–"]
    assert len(header) == len(row)
    assert len(coverage_figure(details).panels[0].series) == 1  # the line alone


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory, frames: list[Atoms]) -> Path:
    """A committee of two models, its own calibration set, and frames of two config types to evaluate."""
    folder = tmp_path_factory.mktemp("calibrated")
    strained = [frame for frame in frames if len(frame) == 3]
    vacancy = [frame for frame in frames if frame.info["config_type"] == "vSe_3x3"][:2]
    write_frames(folder / "train.extxyz", strained[:10])
    write_frames(folder / "calibration.extxyz", strained[10:26])
    write_frames(folder / "test.extxyz", [*strained[26:34], *vacancy])
    shape = {"hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 1}
    settings: dict[str, Any] = {
        "epochs": 2,
        "n_models": 2,
        "stage_two": None,
        "test_fraction": 0.0,
        "model": shape,
    }
    valid = str(folder / "calibration.extxyz")
    ff.train(str(folder / "train.extxyz"), valid_file=valid, folder=folder / "run", **settings)
    return folder


def test_evaluate_reports_for_whom_the_intervals_hold(calibrated: Path) -> None:
    members = ",".join(f"run/model-{k}.model" for k in range(2))
    arguments = ("evaluate", f"committee:{members}", "test.extxyz", "--calibrate", "calibration.extxyz")
    done = run(calibrated, *arguments, "-o", "errors")
    assert done.returncode == 0
    assert "pristine_1x1" in done.stdout
    assert "of vSe_3x3" in done.stderr
    result = cast("EvaluationResult", ff.open(calibrated / "errors"))
    assert result.coverage["vSe_3x3"]["n_outside"] > 4
    assert result.metrics["outside_fraction"] == pytest.approx(result.outside.mean())
    assert np.isnan(result.interval(68)[result.outside]).all()
    assert np.isfinite(result.interval(95)[~result.outside]).all()
    assert len(result.outside) == result.forces.shape[1] == 8 * 3 + 2 * 26
    again = ff.evaluate(
        f"committee:{','.join(str(calibrated / 'run' / f'model-{k}.model') for k in range(2))}",
        read_labelled(calibrated / "test.extxyz"),
        calibrate=read_labelled(calibrated / "calibration.extxyz"),
    )
    assert again.coverage == result.coverage
    page = run(calibrated, "report", "errors", "-o", "page")
    assert page.returncode == 0
    text = (calibrated / "page" / "index.html").read_text(encoding="utf-8")
    assert "outside: no interval" in text


def test_calibrations_that_mean_nothing_are_refused(calibrated: Path) -> None:
    test = str(calibrated / "test.extxyz")
    with pytest.raises(ConfigError, match="is not a committee"):
        ff.evaluate(f"mace:{calibrated / 'run' / 'model-0.model'}", test, calibrate=test)
    members = f"committee:{calibrated / 'run' / 'model-0.model'},{calibrated / 'run' / 'model-1.model'}"
    single = ff.evaluate(f"mace:{calibrated / 'run' / 'model-0.model'}", test)
    with pytest.raises(ResultError, match="no intervals of forces"):
        single.interval(68)
    with pytest.raises(DataError, match="No frame is left"):
        ff.evaluate(members, test, calibrate=test)
    with pytest.raises(DataError, match="Every frame"):
        ff.evaluate(members, test, calibrate=str(calibrated / "train.extxyz"))
