"""`flatforce alloy` as a user types it, on one layer of copper and gold, which EMT knows in milliseconds."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read, write
from mchammer.calculators import ClusterExpansionCalculator

from commands import run
from flatforce.core.errors import ConfigError, DataError, GeometryError
from flatforce.core.statistics import bootstrap_interval, paired_permutation_test
from flatforce.models.isolated.roost import roost_python
from flatforce.properties.alloys.compare import compare_models
from flatforce.properties.alloys.config import (
    AlloyEnergyConfig,
    AlloySplitConfig,
    EnergyOnlyConfig,
    FineTuningConfig,
    MonteCarloConfig,
    RoostConfig,
)
from flatforce.properties.alloys.design import make_designs
from flatforce.properties.alloys.expansion_predictors import DeltaExpansion, ForceField, NestedExpansion
from flatforce.properties.alloys.mapping import cluster_space, exchange_groups
from flatforce.properties.alloys.monte_carlo import BOLTZMANN, MonteCarloPoint, sample
from flatforce.properties.alloys.predictors import ComparedModel
from flatforce.properties.alloys.roost import RoostPredictor
from flatforce.properties.alloys.scores import mean_scores, score_predictions
from flatforce.properties.alloys.splits import make_splits
from flatforce.properties.alloys.trained_predictors import EnergyOnlyModel, FineTunedForceField
from flatforce.properties.alloys.training import validation_rows
from flatforce.properties.alloys.transition import find_transition
from flatforce.report.collection import find_results
from flatforce.structures.alloy_config import AlloyConfig
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.orderings import import_icet
from flatforce.studies.alloy.config import AlloyStudy
from flatforce.studies.alloy.files import read_table

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.properties.alloys.predictors import Predictor
    from flatforce.properties.alloys.table import AlloyTable

EMT = "ase:ase.calculators.emt:EMT"

DISULFIDE = AlloyConfig.parse(
    {
        "name": "MoWS2",
        "species": ["Mo", "W"],
        "prototype": "2H",
        "symbols": ["Mo", "S"],
        "a": 3.184,
        "thickness": 3.13,
        "site": "Mo",
    }
)


def record(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "result.json").read_text())
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its formation energies."""
    path = tmp_path_factory.mktemp("alloy")
    a = 2.6
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    write(path / "layer.extxyz", Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True))
    study = {
        "alloy": {
            "name": "CuAu",
            "species": ["Cu", "Au"],
            "file": str(path / "layer.extxyz"),
            "site": "Cu",
        },
        "max_cells": 4,
        "energies": {"max_distance": 0.6},
        "expansion": {"cutoffs": [[2.7], [4.6]], "methods": ["ridge", "least-squares"]},
        "splits": {"folds": 4, "repeats": 1, "samples": 1},
        "compare": {"force_fields": {"EMT": EMT}, "roost": None},
        "hull": {"max_cells": 5, "samples": 10},
        "monte_carlo": {
            "concentration": 0.25,
            "temperatures": [300, 600],
            "sizes": [6, 8],
            "shells": 1,
            "sweeps": 20,
            "equilibration": 10,
            "n_runs": 2,
            "wave_vector": "M",
        },
        "sqs": {"concentrations": {"Cu": 0.5, "Au": 0.5}, "cutoffs": [4.6], "steps": 500},
    }
    (path / "alloy.yaml").write_text(yaml.safe_dump(study))
    process = run(path, "alloy", "energies", "-c", "alloy.yaml", "--model", EMT, "-o", "energies")
    assert process.returncode == 0, process.stderr
    return path


@pytest.fixture(scope="module")
def table(folder: Path) -> AlloyTable:
    return read_table(folder / "energies")


def test_the_table_comes_back_as_it_was_written(folder: Path, table: AlloyTable) -> None:
    metrics = record(folder / "energies")["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["n_orderings"] == len(table.mixed_rows) == 13
    assert metrics["min_formation_energy"] == pytest.approx(table.formation_energies.min())
    assert table.formation_energies.min() < -10.0
    assert [ordering.info["name"] for ordering in table.orderings] == [row.name for row in table.rows]
    assert np.sum(table.concentrations, axis=1) == pytest.approx(1.0)


def test_orderings_random_ones_and_a_quasirandom_one(folder: Path) -> None:
    assert run(folder, "alloy", "enumerate", "-c", "alloy.yaml", "-o", "all").returncode == 0
    assert len(read(folder / "all" / "orderings.extxyz", ":")) == 15
    arguments = ("enumerate", "-c", "alloy.yaml", "--random", "3", "3", "3", "-o", "some")
    process = run(folder, "alloy", *arguments)
    assert process.returncode == 2
    assert "need a concentration" in process.stderr
    assert run(folder, "alloy", *arguments, "--concentration", str(1 / 3)).returncode == 0
    orderings = read(folder / "some" / "orderings.extxyz", ":")
    assert [ordering.get_chemical_formula() for ordering in orderings] == ["Au3Cu6"] * 3
    process = run(
        folder,
        "alloy",
        "energies",
        "-c",
        "alloy.yaml",
        "--orderings",
        "some/orderings.extxyz",
        "--model",
        EMT,
        "-o",
        "e2",
    )
    assert process.returncode == 0, process.stderr
    metrics = record(folder / "e2")["metrics"]
    assert isinstance(metrics, dict)
    assert (
        metrics["n_orderings"] + metrics["n_dropped"] == 3
    )  # end members were added; duplicates are dropped
    assert run(folder, "alloy", "sqs", "-c", "alloy.yaml", "-o", "sqs").returncode == 0
    assert read(folder / "sqs" / "sqs.extxyz").get_chemical_formula() == "Au8Cu8"


def test_dft_labels_give_the_same_table_and_a_second_run_none(folder: Path, table: AlloyTable) -> None:
    (folder / "label.yaml").write_text(
        "settings: {engine: ase, calculator: 'ase.calculators.emt:EMT'}\nworkers: 2\n"
    )
    small = folder / "small.yaml"
    study = yaml.safe_load((folder / "alloy.yaml").read_text()) | {"max_cells": 2}
    small.write_text(yaml.safe_dump(study))
    arguments = ("energies", "-c", "small.yaml", "--labels", "label.yaml", "--model", EMT, "-o", "dft")
    process = run(folder, "alloy", *arguments)
    assert process.returncode == 0, process.stderr
    by_name = {row.name: row.formation_energy for row in table.rows}
    for row in read_table(folder / "dft").rows:
        assert row.formation_energy == pytest.approx(by_name[row.name], abs=1.0)
    labels = sorted((folder / "dft" / "labels").glob("*.json"))
    (folder / "dft" / "result.json").unlink()  # as after a kill before the end
    assert run(folder, "alloy", *arguments).returncode == 0
    assert sorted((folder / "dft" / "labels").glob("*.json")) == labels
    again = ("energies", "-c", "small.yaml", "--frames", "dft/frames.extxyz", "-o", "frames")
    assert run(folder, "alloy", *again).returncode == 0
    first, second = read_table(folder / "dft"), read_table(folder / "frames")
    assert second.formation_energies == pytest.approx(first.formation_energies, abs=1e-3)
    assert sum(row.n_labels for row in first.rows) == len(read(folder / "dft" / "frames.extxyz", ":"))
    assert [row.n_labels for row in second.rows] == [row.n_labels for row in first.rows]


@pytest.mark.slow
def test_from_energies_to_a_page(folder: Path) -> None:
    process = run(folder, "alloy", "compare", "-c", "alloy.yaml", "energies", "-o", "comparison")
    assert process.returncode == 0, process.stderr
    with (folder / "comparison" / "scores.csv").open() as stream:
        scores = {(row["model"], row["split"]): row for row in csv.DictReader(stream)}
    assert float(scores["EMT (self), uncalibrated", "folds"]["mae"]) < 0.05  # it is the truth
    assert float(scores["zero", "folds"]["mae"]) > 5.0
    oracle = float(scores["composition oracle", "folds"]["mae"])
    assert oracle < float(scores["Redlich–Kister, degree 0", "folds"]["mae"])
    table = read_table(folder / "energies")
    n_labels = float(scores["cluster expansion", "folds"]["training_labels"])
    assert n_labels == pytest.approx(
        2 + 0.75 * len(table.mixed_rows)
    )  # one each by a force field; four folds
    assert float(scores["zero", "folds"]["training_labels"]) == 0.0
    assert float(scores["EMT (self), uncalibrated", "folds"]["training_labels"]) == 0.0
    assert float(scores["EMT (self), linearly recalibrated", "folds"]["training_labels"]) == n_labels
    assert float(scores["EMT (dft), uncalibrated", "folds"]["labels_per_prediction"]) == 1.0
    assert float(scores["EMT (self), uncalibrated", "folds"]["labels_per_prediction"]) == 0.0
    splits = json.loads((folder / "comparison" / "splits.json").read_text())
    assert {split["kind"] for split in splits} == {"folds", "size", "window", "learning_curve"}
    assert run(folder, "alloy", "fit", "-c", "alloy.yaml", "energies", "-o", "fit").returncode == 0
    process = run(folder, "alloy", "hull", "-c", "alloy.yaml", "fit", "-o", "hull")
    assert process.returncode == 0, process.stderr
    process = run(folder, "alloy", "mc", "-c", "alloy.yaml", "fit", "-o", "mc")
    assert process.returncode == 0, process.stderr
    runs = {path: path.stat().st_mtime_ns for path in (folder / "mc" / "runs").rglob("*.json")}
    assert len(runs) == 8
    study = yaml.safe_load((folder / "alloy.yaml").read_text())
    study["monte_carlo"]["temperatures"].append(650)
    (folder / "more.yaml").write_text(yaml.safe_dump(study))
    process = run(folder, "alloy", "mc", "-c", "more.yaml", "fit", "-o", "mc")
    assert process.returncode == 0, process.stderr
    more = {path: path.stat().st_mtime_ns for path in (folder / "mc" / "runs").rglob("*.json")}
    assert len(more) == 12
    assert runs.items() <= more.items()  # none is sampled again
    assert "another result" in run(folder, "alloy", "mc", "-c", "alloy.yaml", "fit", "-o", "mc").stderr
    study["monte_carlo"]["sweeps"] = 7
    (folder / "more.yaml").write_text(yaml.safe_dump(study))
    assert "another result" in run(folder, "alloy", "mc", "-c", "more.yaml", "fit", "-o", "mc").stderr
    shutil.copytree(folder / "energies", folder / "comparison" / "trained" / "split")  # no section of its own
    report = run(folder, "report", ".")
    assert report.returncode == 0, report.stderr
    page = (folder / "report" / "index.html").read_text()
    for title in (
        "Formation energies of CuAu",
        "Model comparison for CuAu",
        "Ground states of CuAu",
        "Monte Carlo sampling of CuAu",
    ):
        assert title in page
    assert "not comparable" in page
    assert not [inside for inside, _ in find_results(folder)[0] if "trained" in inside.parts]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("energies", "-c", "alloy.yaml", "-o", "x"), "exactly one source"),
        (("energies", "-c", "alloy.yaml", "--model", "mace:wse2-pbe", "-o", "x"), "does not know"),
        (("fit", "-c", "alloy.yaml", "all", "-o", "x"), "holds no"),
        (("mc", "-c", "alloy.yaml", "energies", "-o", "x"), "holds no cluster expansion"),
        (("energies", "-c", "alloy.yaml", "--frames", "nothing.extxyz", "-o", "x"), "no frames nothing"),
        (("energies", "-c", "none.yaml", "--model", EMT, "-o", "x"), "none.yaml does not exist"),
    ],
)
def test_misuse_ends_with_status_2(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    process = run(folder, "alloy", *arguments)
    assert process.returncode == 2, process.stdout
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not (folder / "x" / "result.json").exists()


def test_splits_share_rows_and_keep_end_members_in_train(table: AlloyTable) -> None:
    splits = make_splits(table, AlloySplitConfig(folds=4, repeats=2))
    ends = set(range(len(table.rows))) - set(table.mixed_rows)
    for split in splits:
        assert ends <= set(split.train.tolist())
        assert not set(split.train.tolist()) & set(split.test.tolist())
    for repeat in "01":
        tested = [k for s in splits if s.kind == "folds" and s.label.startswith(repeat) for k in s.test]
        assert sorted(tested) == table.mixed_rows
    (size,) = [split for split in splits if split.kind == "size"]
    assert {table.rows[k].n_sites for k in size.test} == {4}


def test_validation_rows_are_no_end_members(table: AlloyTable) -> None:
    rows = np.arange(len(table.rows))
    for count in range(3, len(rows)):
        train = np.random.default_rng(count).permutation(rows)[:count]
        mixed = {int(k) for k in train if not table.rows[k].end_member}
        if len(mixed) < 2:
            with pytest.raises(DataError, match="too few to train on"):
                validation_rows(table, train)
            continue
        valid = set(validation_rows(table, train).tolist())
        assert valid < mixed
        assert len(valid) >= (2 if len(mixed) >= 6 else 1)


def test_orderings_that_are_each_other_with_species_exchanged_stay_together(
    table: AlloyTable, folder: Path
) -> None:
    lattice = alloy_lattice(AlloyStudy.from_yaml(folder / "alloy.yaml").alloy)
    groups = exchange_groups(lattice, table.orderings)
    for k, first in enumerate(groups):
        if first != k:
            assert table.rows[k].x == pytest.approx(1 - table.rows[first].x)
    assert (
        len({groups[k] for k in table.mixed_rows}) == 8
    )  # of 13: five pairs and three that are their own image
    for split in make_splits(table, AlloySplitConfig(folds=4, repeats=2), groups=groups):
        if split.kind in {"folds", "learning_curve"}:
            train_groups = {groups[k] for k in split.train if k in table.mixed_rows}
            assert not train_groups & {groups[k] for k in split.test}
    twice = np.repeat(np.random.default_rng(0).normal(1.0, 0.5, size=30), 2)
    pairs = np.repeat(np.arange(30), 2)
    narrow, honest = (np.ptp(bootstrap_interval(twice, seed=1, groups=g)) for g in (None, pairs))
    assert honest == pytest.approx(np.sqrt(2) * narrow, rel=0.15)
    few = np.repeat([1.0, 2.0, 3.0], 2)
    triples = np.repeat(np.arange(3), 2)
    assert paired_permutation_test(few, 0 * few, seed=2, groups=triples) == pytest.approx(2 / 2**3)
    assert paired_permutation_test(few, 0 * few, seed=2) == pytest.approx(2 / 2**6)


def test_no_model_of_a_split_sees_its_answers(table: AlloyTable, folder: Path) -> None:
    """Spoil the answers of the test rows: predictions stay; the oracle, which is named so, is left out."""
    study = AlloyStudy.from_yaml(folder / "alloy.yaml")
    designs = make_designs(alloy_lattice(study.alloy), table.orderings, study.expansion)
    split = make_splits(table, AlloySplitConfig(folds=4))[0]
    prior = table.formation_energies + np.random.default_rng(0).normal(size=len(table.rows))
    models: list[Predictor] = [
        NestedExpansion(designs, study.expansion),
        ForceField("f", prior, recalibrated=True),
        DeltaExpansion("f", prior, designs, study.expansion),
    ]
    spoilt = table.formation_energies.copy()
    spoilt[split.test] += 1e3
    for model in models:
        first = model.predict(split.train, table.formation_energies[split.train], split.test)
        second = model.predict(split.train, spoilt[split.train], split.test)
        assert first == pytest.approx(second, abs=1e-9)


def test_a_wrong_force_field_does_not_spoil_the_expansion_on_it(table: AlloyTable, folder: Path) -> None:
    study = AlloyStudy.from_yaml(folder / "alloy.yaml")
    designs = make_designs(alloy_lattice(study.alloy), table.orderings, study.expansion)
    noise = np.random.default_rng(1).normal(scale=50.0, size=len(table.rows))
    split = make_splits(table, AlloySplitConfig(folds=4))[0]
    wrong = DeltaExpansion("wrong", noise, designs, study.expansion)
    right = DeltaExpansion("right", 1.01 * table.formation_energies, designs, study.expansion)
    truth = table.formation_energies[split.test]
    models: dict[str, Predictor] = {
        "wrong": wrong,
        "right": right,
        "none": NestedExpansion(designs, study.expansion),
    }
    error = {
        name: np.abs(
            model.predict(split.train, table.formation_energies[split.train], split.test) - truth
        ).mean()
        for name, model in models.items()
    }
    assert error["right"] < 0.3 * error["none"]
    assert error["wrong"] < 3 * error["none"]  # fixed at full weight it would be 50 meV


def test_scores_of_perfect_and_of_reversed_predictions(table: AlloyTable) -> None:
    rows = np.array(table.mixed_rows)
    perfect = score_predictions(table, rows, table.formation_energies[rows])
    assert max(perfect["mae"], perfect["hull_mae"], perfect["regret"]) < 1e-9
    assert perfect["spearman"] == perfect["ground_state_recall"] == 1.0
    reversed_ = score_predictions(table, rows, -table.formation_energies[rows])
    assert reversed_["spearman"] == -1.0
    assert reversed_["mae"] > 10.0


def test_folds_weigh_by_their_orderings() -> None:
    each = [{"mae": 1.0, "spearman": float("nan")}, {"mae": 5.0, "spearman": 0.5}]
    assert mean_scores(each, [3, 1]) == {"mae": 2.0, "spearman": 0.5}


def test_intervals_and_tests_distinguish_noise_from_a_difference() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(1.0, 0.5, size=60)
    low, high = bootstrap_interval(values, seed=1)
    wide = 2 * 1.96 * values.std() / np.sqrt(60)
    assert low < values.mean() < high
    assert high - low == pytest.approx(wide, rel=0.15)  # the normal approximation
    assert paired_permutation_test(values, values + 0.5, seed=2) < 0.001
    assert paired_permutation_test(values, values[::-1].copy(), seed=2) > 0.2


@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_energy_only_training_fits_formation_energies(
    table: AlloyTable, tmp_path: Path, scale: float
) -> None:
    """Formation energies of a tenth of an electronvolt, and the same of a few meV."""
    config = EnergyOnlyConfig.parse(
        {
            "model": {"kind": "mace", "hidden_irreps": "8x0e", "r_max": 3.6, "num_interactions": 1},
            "epochs": [60],
            "n_models": 1,
        }
    )
    network = EnergyOnlyModel(table, table.relaxed, config, tmp_path)
    rows = np.arange(len(table.rows))
    truth = scale * table.formation_energies
    predictions = network.predict(rows, truth, rows)
    ends = [k for k in rows if table.rows[k].end_member]
    assert predictions[ends] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(predictions - truth)[table.mixed_rows].mean() < 0.7 * truth[table.mixed_rows].std()
    records = sorted(tmp_path.rglob("result.json"))
    assert network.predict(rows, truth, rows) == pytest.approx(predictions)
    assert sorted(tmp_path.rglob("result.json")) == records  # taken up, not trained again


def test_a_fine_tuned_force_field_relaxes_the_test_orderings_itself(
    table: AlloyTable, folder: Path, tmp_path: Path
) -> None:
    lattice = alloy_lattice(AlloyStudy.from_yaml(folder / "alloy.yaml").alloy)
    frames: dict[str, list[Atoms]] = {}
    for row, sheet in zip(table.rows, table.relaxed, strict=True):
        frame = sheet.copy()
        frame.info |= {"REF_energy": row.energy * row.n_sites, "material": row.name}
        frame.arrays["REF_forces"] = np.zeros((len(frame), 3))
        frames[row.name] = [frame]
    config = FineTuningConfig.parse({"start_from": "chgnet:0.3.0", "epochs": [2], "learning_rates": [1e-3]})
    tuned = FineTunedForceField(
        lattice, table, frames, config, AlloyEnergyConfig(max_steps=60), tmp_path, "CHGNet"
    )
    small = [k for k in range(len(table.rows)) if table.rows[k].n_sites < 3]
    test = np.array([k for k in small if not table.rows[k].end_member])
    train = np.array([k for k in range(len(table.rows)) if k not in test])
    predictions = tuned.predict(train, table.formation_energies[train], test)
    assert np.isfinite(predictions).all()
    assert tuned.selections == ["rate 0.001, 2 epochs"]


def test_the_energy_of_a_monte_carlo_cell_is_that_of_its_sites() -> None:
    """By default icet's calculator multiplies by the number of all atoms: three times too much in a disulfide."""
    lattice = alloy_lattice(DISULFIDE)
    icet = import_icet()
    space = cluster_space(lattice, [3.4])
    coupling = 0.01
    expansion = icet.ClusterExpansion(space, [0.0, 0.0, -3 * coupling])
    config = MonteCarloConfig(
        ensemble="semi-grand", chemical_potential=50.0, temperatures=[1.0], sizes=[4], sweeps=20,
        equilibration=40, n_runs=1, wave_vector="gamma", shells=1,
    )  # fmt: skip
    point = sample(lattice, expansion, config, size=4, temperature=1.0, seed=0)
    assert point.concentration == 1.0  # a positive difference favours the last species
    assert point.energy == pytest.approx(-3e3 * coupling)  # meV per metal site
    assert point.psi2 == pytest.approx(1.0)
    cell = expansion.primitive_structure.repeat((4, 4, 1))
    wrong = ClusterExpansionCalculator(cell, expansion).calculate_total(occupations=cell.numbers)
    assert wrong == pytest.approx(3 * 16 * -3 * coupling)  # the trap is there


def test_a_monte_carlo_cell_that_meets_itself_is_refused() -> None:
    lattice = alloy_lattice(DISULFIDE)
    expansion = import_icet().ClusterExpansion(cluster_space(lattice, [8.5]), [0.0] * 6)
    config = MonteCarloConfig(concentration=0.25, temperatures=[100.0], sizes=[4], wave_vector="M")
    with pytest.raises(GeometryError, match="sizes to at least 7"):
        sample(lattice, expansion, config, size=4, temperature=100.0, seed=0)


@pytest.mark.slow
def test_the_ising_sheet_orders_where_onsager_says() -> None:
    """Triangular lattice: k Tc = 4 J / ln 3 (Houtappel 1950)."""
    lattice = alloy_lattice(DISULFIDE)
    coupling = 0.01
    expansion = import_icet().ClusterExpansion(cluster_space(lattice, [3.4]), [0.0, 0.0, -3 * coupling])
    exact = 4 / np.log(3) * coupling / BOLTZMANN
    config = MonteCarloConfig(
        ensemble="semi-grand", temperatures=[exact * f for f in (0.93, 0.98, 1.03, 1.08)], sizes=[4, 9],
        sweeps=900, equilibration=150, n_runs=3, wave_vector="gamma", shells=1,
    )  # fmt: skip
    points = [
        sample(lattice, expansion, config, size=size, temperature=temperature, seed=seed)
        for size in config.sizes
        for temperature in config.temperatures
        for seed in range(config.n_runs)
    ]
    transition = find_transition(points, n_components=1, seed=0)
    assert transition.temperature == pytest.approx(exact, rel=0.02)
    assert 0 < transition.error < 0.03 * exact


def _cumulants(size: int, cumulants: dict[float, float]) -> list[MonteCarloPoint]:
    return [
        MonteCarloPoint(size, t, seed, 0.0, 0.0, 0.5, 1.0, 3 * (1 - u + shift), (), 0.5)
        for t, u in cumulants.items()
        for seed, shift in enumerate((0.001, -0.001))
    ]


def test_cumulants_that_cross_by_chance_without_order_give_no_transition_temperature() -> None:
    """√3 order: two components, 1/3 without order; those of 50 and 60 K are noise."""
    small = {30.0: 0.66, 34.0: 0.63, 36.0: 0.585, 38.0: 0.52, 40.0: 0.43, 50.0: 0.30, 60.0: 0.36}
    large = {30.0: 0.666, 34.0: 0.65, 36.0: 0.58, 38.0: 0.45, 40.0: 0.36, 50.0: 0.33, 60.0: 0.33}
    transition = find_transition([*_cumulants(12, small), *_cumulants(18, large)], n_components=2, seed=0)
    assert transition.temperature == pytest.approx(34 + 2 * 0.02 / 0.025, abs=0.01)
    assert 0 < transition.error < 1
    assert not transition.unresolved
    few = (30.0, 40.0, 50.0, 60.0)
    points = [*_cumulants(12, {t: small[t] for t in few}), *_cumulants(18, {t: large[t] for t in few})]
    transition = find_transition(points, n_components=2, seed=0)
    assert (transition.temperature, transition.error, transition.unresolved) == (35.0, 5.0, True)
    assert np.isnan(
        find_transition(
            _cumulants(12, {30.0: 0.6}) + _cumulants(18, {30.0: 0.6}), n_components=2, seed=0
        ).temperature
    )
    pure = [
        replace(p, psi2=1e-32, psi4=1e-64) for p in _cumulants(12, {20.0: 0.6}) + _cumulants(18, {20.0: 0.6})
    ]
    assert all(np.isnan(p.binder_cumulant) for p in pure)
    with_pure = find_transition(
        [*pure, *_cumulants(12, small), *_cumulants(18, large)], n_components=2, seed=0
    )
    assert with_pure.temperature == pytest.approx(34 + 2 * 0.02 / 0.025, abs=0.01)
    hot = {t: (small[t], large[t]) for t in (50.0, 60.0)}
    points = [
        *_cumulants(12, {t: u for t, (u, _) in hot.items()}),
        *_cumulants(18, {t: u for t, (_, u) in hot.items()}),
    ]
    assert np.isnan(find_transition(points, n_components=2, seed=0).temperature)


def test_sites_that_do_not_see_one_another_have_the_heat_capacity_of_two_levels() -> None:
    """C = k (Δ/2kT)² / cosh²(Δ/2kT), Δ the site energy less Δμ: only the sum of both counts."""
    lattice = alloy_lattice(DISULFIDE)
    field = 0.02
    expansion = import_icet().ClusterExpansion(cluster_space(lattice, [3.4]), [0.0, field, 0.0])
    atoms = expansion.primitive_structure.copy()
    levels = []
    for species in ("Mo", "W"):
        atoms.symbols[[k for k, s in enumerate(atoms.symbols) if s != "S"]] = species
        levels.append(expansion.predict(atoms))
    assert abs(levels[1] - levels[0]) == pytest.approx(2 * field)
    for potential in (0.0, 0.02, 2 * field):
        config = MonteCarloConfig(
            ensemble="semi-grand", chemical_potential=potential, temperatures=[300.0], sizes=[6], sweeps=400,
            equilibration=50, n_runs=1, wave_vector="gamma", shells=1,
        )  # fmt: skip
        point = sample(lattice, expansion, config, size=6, temperature=300.0, seed=1)
        gap = levels[1] - levels[0] - potential
        assert point.heat_capacity == pytest.approx(_two_levels(gap), abs=0.06)
        assert point.concentration == pytest.approx(1 / (1 + np.exp(gap / (BOLTZMANN * 300.0))), abs=0.03)


def _two_levels(gap: float) -> float:
    half = gap / (2 * BOLTZMANN * 300.0)
    return float((half / np.cosh(half)) ** 2)


@pytest.mark.parametrize("angle", [120, 60])
def test_root_three_order_is_seen_whatever_angle_the_parent_is_given_in(angle: int, tmp_path: Path) -> None:
    a = 3.0
    second = [-a / 2 if angle == 120 else a / 2, a * np.sqrt(3) / 2, 0]
    parent = Atoms("Mo", positions=[[0, 0, 7.5]], cell=[[a, 0, 0], second, [0, 0, 15]], pbc=True)
    write(tmp_path / "p.extxyz", parent)
    lattice = alloy_lattice(
        AlloyConfig.parse(
            {"name": "p", "species": ["Mo", "W"], "file": str(tmp_path / "p.extxyz"), "site": "Mo"}
        )
    )
    expansion = import_icet().ClusterExpansion(cluster_space(lattice, [3.2]), [0.0, 0.0, 3 * 0.02])
    config = MonteCarloConfig(
        concentration=1 / 3, temperatures=[60.0], sizes=[6], sweeps=40, equilibration=100, n_runs=1, shells=1
    )
    point = sample(lattice, expansion, config, size=6, temperature=60.0, seed=3)
    assert point.warren_cowley[0] == pytest.approx(-0.5, abs=0.05)  # every W has Mo around it
    assert point.psi2 == pytest.approx(4 / 9, abs=0.05)


def test_monte_carlo_that_means_nothing_is_refused() -> None:
    for wrong, message in (
        ({"temperatures": [1.0]}, "needs a concentration"),
        ({"temperatures": [1.0], "concentration": 0.5, "wave_vector": "gamma"}, "canonical ensemble keeps"),
        ({"temperatures": [1.0], "concentration": 0.5, "sizes": [8]}, "multiple of 3"),
        ({"temperatures": [1.0, 1.0], "concentration": 0.5, "sizes": [6]}, "same value twice"),
    ):
        with pytest.raises(ConfigError) as error:
            MonteCarloConfig.parse(wrong)
        assert message in str(error.value)


def test_a_force_field_that_fails_on_one_ordering_is_evaluated_on_the_others(
    table: AlloyTable, folder: Path
) -> None:
    study = AlloyStudy.from_yaml(folder / "alloy.yaml")
    designs = make_designs(alloy_lattice(study.alloy), table.orderings, study.expansion)
    energies = 0.9 * table.formation_energies
    energies[table.mixed_rows[3]] = np.nan
    splits = make_splits(table, AlloySplitConfig(folds=4, repeats=1))
    models = [
        ComparedModel(ForceField("f", energies, recalibrated=True)),
        ComparedModel(DeltaExpansion("f", energies, designs, study.expansion)),
        ComparedModel(NestedExpansion(designs, study.expansion)),
    ]
    evaluations = compare_models(table, models, splits)
    assert evaluations[0].scores["folds"]["mae"] < 1e-6
    assert np.isnan(evaluations[0].errors[table.mixed_rows[3]])
    assert any("no prediction for 1 orderings" in text for text in evaluations[0].failures)
    assert evaluations[1].scores["folds"]["mae"] < 1.0
    assert evaluations[2].failures == []


def test_another_force_field_under_the_same_label_is_evaluated_again(folder: Path) -> None:
    study = yaml.safe_load((folder / "alloy.yaml").read_text())
    study["splits"] = {"folds": 2, "repeats": 1, "window": None, "train_sizes": [6], "samples": 1}
    study["expansion"]["methods"] = ["least-squares"]
    (folder / "other.yaml").write_text(yaml.safe_dump(study))
    assert run(folder, "alloy", "compare", "-c", "other.yaml", "energies", "-o", "cut").returncode == 0
    (folder / "cut" / "result.json").unlink()  # as after a kill
    lennard = "ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.4&rc=6.0"
    study["compare"]["force_fields"]["EMT"] = lennard
    (folder / "other.yaml").write_text(yaml.safe_dump(study))
    assert run(folder, "alloy", "compare", "-c", "other.yaml", "energies", "-o", "cut").returncode == 0
    models = json.loads((folder / "cut" / "result.json").read_text())["details"]["models"]
    assert models["EMT (ideal), uncalibrated"]["scores"]["folds"]["mae"] > 1.0


def test_a_table_of_another_lattice_is_refused(folder: Path) -> None:
    study = yaml.safe_load((folder / "alloy.yaml").read_text())
    study["alloy"]["species"] = ["Cu", "Ag"]
    (folder / "silver.yaml").write_text(yaml.safe_dump(study))
    process = run(folder, "alloy", "fit", "-c", "silver.yaml", "energies", "-o", "y")
    assert process.returncode == 2
    assert "not of CuAu as this study describes it" in process.stderr


@pytest.mark.skipif(roost_python() is None, reason="Roost has no environment here")
def test_roost_sees_the_composition_alone(table: AlloyTable) -> None:
    python = roost_python()
    assert python is not None
    roost = RoostPredictor(table.orderings, python, RoostConfig(epochs=150, members=1))
    rows = np.arange(len(table.rows))
    predictions = roost.predict(rows, table.formation_energies, rows)
    same = [k for k in rows if table.rows[k].concentrations == (0.5, 0.5)]
    assert len(same) > 2
    assert np.ptp(predictions[same]) < 1e-3
    assert (
        np.abs(predictions - table.formation_energies).mean() < 0.5 * np.abs(table.formation_energies).mean()
    )
