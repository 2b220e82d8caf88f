"""Relaxation of many materials: batches agree with single relaxations, failures are counted, reference energies fitted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.filters import UnitCellFilter
from ase.io import read, write
from ase.optimize import FIRE
from typer.testing import CliRunner

from flatforce.cli import app
from flatforce.core.errors import DataError, ModelError, ResultError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import Labels, attach_labels
from flatforce.models.calculator import SheetCalculator
from flatforce.models.potential import Potential
from flatforce.models.slab import pad_vacuum
from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
from flatforce.properties.benchmark.materials import collect_materials
from flatforce.properties.benchmark.relaxation import score_relaxations
from flatforce.properties.relax import relax, relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.report.page import write_report
from flatforce.structures.prototypes import monolayer
from flatforce.structures.sheet import IN_PLANE
from flatforce.structures.strain import apply_strain, rattle_positions
from flatforce.studies.benchmark import RelaxationBenchmarkStage
from flatforce.studies.session import Session

CONFIG = RelaxConfig(max_force=0.02, max_stress=0.1)


@pytest.fixture(scope="module")
def wse2() -> Potential:
    from flatforce.models import load

    return load("mace:wse2-pbe")


@pytest.fixture(scope="module")
def starts() -> list[Atoms]:
    rng = np.random.default_rng(7)
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    octahedral = monolayer(("W", "Se"), prototype="1T", a=3.28, thickness=3.4)
    cells = [unit, unit.repeat((2, 1, 1)), octahedral, unit]
    return [
        rattle_positions(apply_strain(cell, xx=0.02, yy=-0.01), amplitude=0.03, rng=rng) for cell in cells
    ]


def test_batched_relaxation_agrees_with_ase(wse2: Potential, starts: list[Atoms]) -> None:
    relaxations = relax_many(wse2, starts, CONFIG)
    for start, relaxation in zip(starts, relaxations, strict=True):
        assert not isinstance(relaxation, FailedRelaxation)
        reference = pad_vacuum(start, wse2.cutoff)
        reference.calc = SheetCalculator(wse2)
        optimizer = FIRE(UnitCellFilter(reference, mask=list(IN_PLANE)), logfile=None)
        for _ in optimizer.irun(fmax=0.0, steps=relaxation.n_steps):
            pass
        assert relaxation.converged
        assert relaxation.energy == pytest.approx(reference.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(relaxation.atoms.positions, reference.positions, atol=1e-5)
        assert relaxation.max_force < CONFIG.max_force


def test_one_failure_does_not_stop_the_others(wse2: Potential, starts: list[Atoms]) -> None:
    collapsed = starts[0].copy()
    collapsed.positions[1] = collapsed.positions[0]
    unsupported = monolayer(("Mo", "S"), prototype="2H", a=3.18, thickness=3.13)
    relaxations = relax_many(wse2, [starts[0], collapsed, unsupported, starts[3]], CONFIG)
    assert [isinstance(relaxation, FailedRelaxation) for relaxation in relaxations] == [
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(ModelError, match="does not know Mo"):
        relax(wse2, unsupported, CONFIG)


def labelled(potential: Potential, starts: list[Atoms]) -> list[Atoms]:
    """Relaxations whose labels are predictions of the force field, so that its errors vanish by construction."""
    frames = []
    for k, start in enumerate(starts):
        relaxation = relax(potential, start, CONFIG)
        for step, atoms in ((0, relaxation.trajectory[0]), (relaxation.n_steps, relaxation.atoms)):
            prediction = potential.evaluate([atoms])[0]
            frame = attach_labels(atoms, Labels(prediction.energy, prediction.forces, prediction.stress))
            frame.info |= {"material": f"m{k}", "step": step, "relaxed": step > 0}
            frame.calc = None
            frames.append(frame)
    return frames


@pytest.mark.slow
def test_reference_energies_of_other_dft_settings_are_fitted(wse2: Potential, starts: list[Atoms]) -> None:
    frames = labelled(wse2, starts[:3])
    config = RelaxationBenchmarkConfig(relax=CONFIG)
    plain = score_relaxations(wse2, collect_materials(frames), config)
    assert plain.metrics["energy_mae"] < 0.01
    assert plain.metrics["area_mae"] < 1e-3
    for frame in frames:
        frame.info["REF_energy"] += sum({"W": 2.0, "Se": -0.5}[s] for s in frame.get_chemical_symbols())
    shifted = score_relaxations(wse2, collect_materials(frames), config)
    assert shifted.metrics["energy_mae"] == pytest.approx(1e3 / 3, abs=0.1)
    materials, others = collect_materials(frames[:4]), frames[4:]
    aligned = score_relaxations(wse2, materials, config, align=frames)
    assert aligned.metrics["energy_mae"] < 0.01
    assert "4 of 6 frames" in aligned.notes[0]  # frames of benchmarked materials are left out
    with pytest.raises(DataError, match="No frame is left"):
        score_relaxations(wse2, materials, config, align=frames[:4])
    selenium = [frame[frame.numbers == 34] for frame in others]
    for frame in selenium:
        frame.info |= {"REF_energy": -3.0, "material": "Se"}
    partial = score_relaxations(wse2, materials, config, align=selenium)
    assert "contains W" in partial.notes[0]
    assert np.isnan(partial.metrics["energy_mae"])
    assert partial.metrics["area_mae"] < 1e-3
    assert others[0].info["REF_energy"] != -3.0


def test_failures_are_counted_in_the_metrics(wse2: Potential, starts: list[Atoms]) -> None:
    frames = labelled(wse2, starts[:2])
    unsupported = monolayer(("Mo", "S"), prototype="2H", a=3.18, thickness=3.13)
    failing = attach_labels(unsupported, Labels(-20.0, np.zeros((3, 3)), np.zeros((3, 3))))
    failing.info |= {"material": "MoS2", "step": 0, "relaxed": True}
    other = failing.copy()
    other.info["material"] = "MoS2 again"
    score = score_relaxations(
        wse2, collect_materials([*frames, failing, other]), RelaxationBenchmarkConfig(relax=CONFIG)
    )
    assert score.metrics["failed_fraction"] == 0.5
    assert score.metrics["converged_fraction"] == 0.5
    assert score.metrics["energy_median_ae"] == np.inf  # half of them failed
    assert score.by("element")["Mo"] == {"n": 2.0, "n_failed": 2.0}
    assert score.by("space_group")["P-6m2"]["n_failed"] == 2
    assert "does not know" in score.rows[2].reason


def test_only_materials_that_are_held_out_completely_are_benchmarked(
    wse2: Potential, starts: list[Atoms], tmp_path: Path
) -> None:
    frames = labelled(wse2, starts[:3])
    write(tmp_path / "set.extxyz", frames, format="extxyz")
    frames = read(tmp_path / "set.extxyz", ":")
    split = tmp_path / "split.json"
    held_out = [
        hash_structure(frame) for frame in (frames[0], frames[2], frames[3])
    ]  # m0 in part, m1 completely
    split.write_text(json.dumps({"test": dict.fromkeys(held_out, "")}))
    dataset = str(tmp_path / "set.extxyz")
    stage = RelaxationBenchmarkStage(dataset, RelaxationBenchmarkConfig(), split)
    result = stage.run(Session("mace:wse2-pbe"), tmp_path / "b")
    assert result["metrics"]["n_materials"] == 1
    assert (tmp_path / "b" / "materials.csv").read_text().splitlines()[1].startswith("m1,")
    split.write_text(json.dumps({"test": {held_out[0]: ""}}))
    with pytest.raises(DataError, match="None of the materials"):
        stage.run(Session("mace:wse2-pbe"), tmp_path / "c")


def test_errors_of_any_type_do_not_stop_the_others(wse2: Potential, starts: list[Atoms]) -> None:
    class Fussy:
        """Refuses one structure the way a package would: with an error of its own."""

        def __getattr__(self, name: str) -> object:
            return getattr(wse2.backend, name)

        def predict(self, frames: list[Atoms], *, stress: bool) -> object:
            if any(len(frame) == 6 for frame in frames):
                raise ValueError("isolated atom")
            return wse2.backend.predict(frames, stress=stress)

    relaxations = relax_many(Potential("fussy", Fussy()), starts[:3], CONFIG)  # type: ignore[arg-type]  # a stand-in
    assert [isinstance(relaxation, FailedRelaxation) for relaxation in relaxations] == [False, True, False]


@pytest.mark.slow
def test_from_the_command_line(wse2: Potential, starts: list[Atoms], tmp_path: Path) -> None:
    write(tmp_path / "set.extxyz", labelled(wse2, starts[:2]), format="extxyz")
    (tmp_path / "c.yaml").write_text("relax: {max_force: 0.02, max_stress: 0.1}\nstart: relaxed\n")
    run = CliRunner()
    for name in ("one", "two", "three"):
        command = [
            "benchmark",
            "relax",
            "mace:wse2-pbe",
            str(tmp_path / "set.extxyz"),
            "-o",
            str(tmp_path / name),
        ]
        outcome = run.invoke(app, [*command, "-c", str(tmp_path / "c.yaml")] if name != "three" else command)
        assert outcome.exit_code == 0, outcome.output
    outcome = run.invoke(
        app,
        ["benchmark", "compare", str(tmp_path / "one"), str(tmp_path / "two"), "-o", str(tmp_path / "both")],
    )
    assert outcome.exit_code == 0, outcome.output
    result = json.loads((tmp_path / "both" / "result.json").read_text())
    assert result["metrics"]["n_common"] == 2
    frames = read(tmp_path / "set.extxyz", ":")
    for frame in frames:
        frame.info["REF_energy"] += 1.0
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "set.extxyz", frames, format="extxyz")
    command = ["benchmark", "relax", "mace:wse2-pbe", str(tmp_path / "b" / "set.extxyz")]
    config = ["-c", str(tmp_path / "c.yaml")]
    assert isinstance(
        run.invoke(app, [*command, "-o", str(tmp_path / "one"), *config]).exception, ResultError
    )
    assert run.invoke(app, [*command, "-o", str(tmp_path / "other"), *config]).exit_code == 0
    labels = [str(tmp_path / name) for name in ("one", "other")]
    assert isinstance(
        run.invoke(app, ["benchmark", "compare", *labels, "-o", str(tmp_path / "no")]).exception, ResultError
    )
    unequal_settings = [str(tmp_path / name) for name in ("one", "three")]
    assert isinstance(
        run.invoke(app, ["benchmark", "compare", *unequal_settings, "-o", str(tmp_path / "no")]).exception,
        ResultError,
    )
    metrics = json.loads((tmp_path / "two" / "result.json").read_text())["metrics"]
    assert {"energy_mae", "energy_median_ae", "area_mae", "area_median_ae", "converged_fraction"} <= set(
        metrics
    )
    assert metrics["mean_steps"] == 0.0  # it started at the relaxed structure
    page = write_report(tmp_path, tmp_path / "page")
    text = page.read_text()
    assert "Comparison of force fields" in text
    assert (tmp_path / "page" / "figures" / "one-elements-area.png").is_file()


def test_frames_without_relaxations_are_refused(starts: list[Atoms]) -> None:
    with pytest.raises(DataError, match="belongs to a relaxation"):
        collect_materials(starts)
