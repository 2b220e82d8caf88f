"""A search that goes to the extremum, against chance and against learning everywhere."""

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
from flatforce.active.bayesian_optimisation import Search, search
from flatforce.core.errors import ConfigError, GeometryError

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

pytest.importorskip("sklearn")

BEST = np.array([0.012, -0.007])


def bowl(place: FloatArray) -> float:
    """Two basins: the deeper one at `BEST`, value −1."""
    deep = np.exp(-(((place - BEST) / 0.015) ** 2).sum())
    shallow = np.exp(-(((place + 2 * BEST) / 0.02) ** 2).sum())
    return -float(deep + 0.6 * shallow)


def test_the_extremum_is_found_with_fewer_evaluations_than_by_chance() -> None:
    left = {}
    for aim in ("minimum", "everywhere", "random"):
        found = [search(bowl, Search(aim=aim, evaluations=16, first=6, seed=seed)) for seed in range(3)]
        left[aim] = float(np.median([1 + one.values[one.best("minimum")] for one in found]))
    assert left["minimum"] < 0.01
    assert left["minimum"] < 0.1 * min(left["random"], left["everywhere"])


def test_learning_everywhere_leaves_no_gap() -> None:
    gaps = {}
    for aim in ("minimum", "everywhere"):
        found = search(bowl, Search(aim=aim, evaluations=16, first=6))
        away = np.linalg.norm(found.grid[:, None] - found.places[None], axis=2).min(axis=1)
        gaps[aim] = away.max()
    assert gaps["everywhere"] < 0.8 * gaps["minimum"]


def test_the_same_places_are_asked_for_again() -> None:
    asked: list[tuple[float, ...]] = []

    def told(place: FloatArray) -> float:
        asked.append(tuple(place))
        return bowl(place)

    config = Search(aim="minimum", evaluations=10, first=4)
    first = search(told, config)
    assert np.allclose(search(told, config).places, first.places)
    assert len(set(asked)) == 10
    assert search(lambda p: -bowl(p), Search(aim="maximum", evaluations=10, first=4)).places == pytest.approx(
        first.places
    )


def test_places_without_a_value_are_passed_over() -> None:
    found = search(
        lambda p: np.nan if p[0] < -0.01 else bowl(p),
        Search(evaluations=24, first=6),
        known={(0.0, 0.0): bowl(np.zeros(2)), (9.0, 9.0): -5.0},
    )
    assert len(found.values) == 25
    assert np.isnan(found.values).any()
    assert 1 + found.values[found.best("minimum")] < 0.05
    with pytest.raises(GeometryError, match="no value at any"):
        search(lambda _: np.nan, Search(evaluations=6, first=3))


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ConfigError, match="lowest"):
        Search.parse({"lowest": [0.1, 0.0], "highest": [0.0, 0.1]})


def formation(sheet: Atoms, x: float, y: float) -> float:
    """Energy of a vacancy in a strained 3 × 3 cell less that of the cell, by ASE alone."""
    big = sheet.repeat((3, 3, 1))
    big.set_cell(big.cell.array @ np.diag([1 + x, 1 + y, 1.0]), scale_atoms=True)
    big.calc = EMT()
    home = float(big.get_potential_energy())
    hole = big[1:]
    hole.positions += np.random.default_rng(1).normal(scale=0.005, size=hole.positions.shape)
    hole.calc = EMT()
    BFGS(hole, logfile=None).run(fmax=0.002, steps=300)
    return float(hole.get_potential_energy()) - home


def test_the_cheapest_strain_of_a_vacancy(tmp_path: Path) -> None:
    """EMT copper: the energy at the strain that was found, against a relaxation by ASE."""
    a = 2.49
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    sheet = Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True)
    write(tmp_path / "cu.extxyz", sheet)
    (tmp_path / "o.yaml").write_text(
        "search: {lowest: [-0.01, -0.01], highest: [0.02, 0.02], first: 4}\nsupercell: [3, 3]\nmax_force: 0.01\n"
    )
    emt = "ase:ase.calculators.emt:EMT"
    words = ("defect", "optimum", emt, "cu.extxyz", "v_Cu", "-c", "o.yaml", "--evaluations", "6", "-o", "out")
    done = run(tmp_path, *words)
    assert done.returncode in (0, 1), done.stderr
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    points = sorted((tmp_path / "out" / "points").glob("*/*.npz"))
    assert len(points) == 7  # and the sheet as it is
    best, x, y = (record["metrics"][key] for key in ("best", "strain_x", "strain_y"))
    assert best <= 0
    assert best == pytest.approx(formation(sheet, x, y) - formation(sheet, 0.0, 0.0), abs=2e-3)
    stamps = [path.stat().st_mtime_ns for path in points]
    (tmp_path / "out" / "result.json").unlink()
    assert run(tmp_path, *words).returncode == done.returncode
    assert [path.stat().st_mtime_ns for path in points] == stamps
    assert run(tmp_path, "report", "out").returncode == 0
    assert "strain of the minimum" in (tmp_path / "out" / "report" / "index.html").read_text()
    done = run(tmp_path, *words[:-1], "map", "--aim", "everywhere")
    assert done.returncode in (0, 1), done.stderr
    record = json.loads((tmp_path / "map" / "result.json").read_text())
    assert record["metrics"]["strain_x"] in (-0.01, 0.02)  # its lowest value is on the edge,
    assert not any("edge" in text for text in record["warnings"])  # but no extremum was sought
