"""Bayesian optimisation, compared with random evaluations and with exploration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import write
from ase.optimize import BFGS

from commands import run
from flatforce.active.bayesian_optimisation import optimise
from flatforce.active.search_config import SearchConfig
from flatforce.core.errors import ConfigError, GeometryError

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

pytest.importorskip("sklearn")

MINIMUM = np.array([0.012, -0.007])


def two_basins(coordinates: FloatArray) -> float:
    """Two basins: the deeper one at `MINIMUM`, with the value −1."""
    deep = np.exp(-(((coordinates - MINIMUM) / 0.015) ** 2).sum())
    shallow = np.exp(-(((coordinates + 2 * MINIMUM) / 0.02) ** 2).sum())
    return -float(deep + 0.6 * shallow)


def test_the_minimum_is_found_with_fewer_evaluations_than_at_random() -> None:
    errors = {}
    for objective in ("minimise", "explore", "random"):
        results = [
            optimise(two_basins, SearchConfig(objective=objective, evaluations=16, n_initial=6, seed=seed))
            for seed in range(3)
        ]
        errors[objective] = float(
            np.median([1 + result.values[result.best("minimise")] for result in results])
        )
    assert errors["minimise"] < 0.01
    assert errors["minimise"] < 0.1 * min(errors["random"], errors["explore"])


def test_exploration_leaves_no_gap() -> None:
    gaps = {}
    for objective in ("minimise", "explore"):
        result = optimise(two_basins, SearchConfig(objective=objective, evaluations=16, n_initial=6))
        distances = np.linalg.norm(result.grid[:, None] - result.coordinates[None], axis=2)
        gaps[objective] = distances.min(axis=1).max()
    assert gaps["explore"] < 0.8 * gaps["minimise"]


def test_the_same_settings_evaluate_the_same_coordinates() -> None:
    evaluations: list[tuple[float, ...]] = []

    def recorded(coordinates: FloatArray) -> float:
        evaluations.append(tuple(coordinates))
        return two_basins(coordinates)

    config = SearchConfig(objective="minimise", evaluations=10, n_initial=4)
    first = optimise(recorded, config)
    assert np.allclose(optimise(recorded, config).coordinates, first.coordinates)
    assert len(set(evaluations)) == 10
    maximise = SearchConfig(objective="maximise", evaluations=10, n_initial=4)
    mirrored = optimise(lambda coordinates: -two_basins(coordinates), maximise)
    assert mirrored.coordinates == pytest.approx(first.coordinates)


def test_coordinates_without_a_value_are_ignored() -> None:
    result = optimise(
        lambda coordinates: np.nan if coordinates[0] < -0.01 else two_basins(coordinates),
        SearchConfig(evaluations=24, n_initial=6),
        known_values={(0.0, 0.0): two_basins(np.zeros(2)), (9.0, 9.0): -5.0},
    )
    assert len(result.values) == 25
    assert np.isnan(result.values).any()
    assert 1 + result.values[result.best("minimise")] < 0.05
    with pytest.raises(GeometryError, match="no value at any"):
        optimise(lambda _: np.nan, SearchConfig(evaluations=6, n_initial=3))


def test_a_lower_bound_above_the_upper_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="lower"):
        SearchConfig.parse({"lower": [0.1, 0.0], "upper": [0.0, 0.1]})


def formation(sheet: Atoms, x: float, y: float) -> float:
    """Energy of a vacancy in a strained 3 × 3 cell less that of the cell, by ASE alone."""
    pristine = sheet.repeat((3, 3, 1))
    pristine.set_cell(pristine.cell.array @ np.diag([1 + x, 1 + y, 1.0]), scale_atoms=True)
    pristine.calc = EMT()
    pristine_energy = float(pristine.get_potential_energy())
    vacancy = pristine[1:]
    vacancy.positions += np.random.default_rng(1).normal(scale=0.005, size=vacancy.positions.shape)
    vacancy.calc = EMT()
    BFGS(vacancy, logfile=None).run(fmax=0.002, steps=300)
    return float(vacancy.get_potential_energy()) - pristine_energy


def test_the_strain_of_the_most_stable_vacancy(tmp_path: Path) -> None:
    """EMT copper: the energy at the strain that was found, against a relaxation by ASE."""
    a = 2.49
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    sheet = Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True)
    write(tmp_path / "cu.extxyz", sheet)
    (tmp_path / "o.yaml").write_text(
        "search: {lower: [-0.01, -0.01], upper: [0.02, 0.02], n_initial: 4}\nsupercell: [3, 3]\nmax_force: 0.01\n"
    )
    emt = "ase:ase.calculators.emt:EMT"
    command = (
        "defect",
        "optimum",
        emt,
        "cu.extxyz",
        "v_Cu",
        "-c",
        "o.yaml",
        "--evaluations",
        "6",
        "-o",
        "out",
    )
    done = run(tmp_path, *command)
    assert done.returncode in (0, 1), done.stderr
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    points = sorted((tmp_path / "out" / "points").glob("*/*.npz"))
    assert len(points) == 7  # and the unstrained sheet
    energy, x, y = (record["metrics"][key] for key in ("formation_energy_change", "strain_x", "strain_y"))
    assert energy <= 0
    assert energy == pytest.approx(formation(sheet, x, y) - formation(sheet, 0.0, 0.0), abs=2e-3)
    stamps = [path.stat().st_mtime_ns for path in points]
    (tmp_path / "out" / "result.json").unlink()
    assert run(tmp_path, *command).returncode == done.returncode
    assert [path.stat().st_mtime_ns for path in points] == stamps
    assert run(tmp_path, "report", "out").returncode == 0
    assert "optimal strain (minimise)" in (tmp_path / "out" / "report" / "index.html").read_text()
    done = run(tmp_path, *command[:-1], "map", "--objective", "explore")
    assert done.returncode in (0, 1), done.stderr
    record = json.loads((tmp_path / "map" / "result.json").read_text())
    assert record["metrics"]["strain_x"] in (-0.01, 0.02)  # the lowest value is at the bounds, but no
    assert not any("bounds" in text for text in record["warnings"])  # extremum was searched
