"""The convergence test: what it recommends, and a real run of GPAW."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.errors import ConfigError
from flatforce.reference import converge as module
from flatforce.reference.config import AseSettings, ConvergeConfig, GpawSettings, LabelConfig
from flatforce.reference.converge import converge
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import rattle_positions


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([9.0, 4.0, 2.0, 0.0], 200.0),
        ([4.0, 9.0, 2.0, 0.0], 300.0),  # a chance agreement at the coarse end does not count
        ([1.0, 1.0, 1.0, 0.0], 100.0),
        ([9.0, 9.0, 9.0, 0.0], None),  # only the finest, which is compared with itself
        ([1.0, None, 1.0, 0.0], 300.0),
        ([1.0, 1.0, 1.0, None], None),
    ],
)
def test_recommends_the_least_value_from_which_on_all_are_good(
    errors: list[float | None], expected: float | None
) -> None:
    results = [
        None
        if e is None
        else {"status": "done", "forces": [[0.0, 0.0, e / 1e3]], "energy": e, "wall_time": 1.0}
        for e in errors
    ]
    scan = module._evaluate_scan("cutoff", [100.0, 200.0, 300.0, 400.0], results, tolerance=5.0)
    assert scan.recommended == expected


def test_a_calculator_without_cutoff_is_refused(tmp_path: Path, sheet: Atoms) -> None:
    config = LabelConfig(settings=AseSettings(engine="ase", calculator="ase.calculators.emt:EMT"))
    with pytest.raises(ConfigError, match="no cutoff"):
        converge(sheet, config, cache=tmp_path)


@pytest.mark.slow
def test_gpaw_converges_on_graphene(tmp_path: Path) -> None:
    pytest.importorskip("gpaw")
    sheet = rattle_positions(
        monolayer(("C", "C"), prototype="honeycomb", a=2.46), amplitude=0.1, rng=np.random.default_rng(3)
    )
    sheet.set_cell([*sheet.cell.array[:2], [0, 0, 8]])
    config = LabelConfig(
        settings=GpawSettings(cutoff=250, k_length=5.0),
        workers=2,
        converge=ConvergeConfig(cutoff=[150, 250, 450], k_length=[2.5, 5.0, 10.0], vacuum=[4.0, 7.0, 8.0]),
    )
    scans = {scan.name: scan for scan in converge(sheet, config, cache=tmp_path).scans}
    cutoff = scans["cutoff"]
    assert cutoff.force_errors[0] > 2 * cutoff.force_errors[1] > 0.0
    assert scans["k_length"].force_errors[0] > 50  # two k points are no graphene
    assert scans["vacuum"].force_errors[1] < scans["vacuum"].force_errors[0]
    times = sorted(path.stat().st_mtime_ns for path in tmp_path.glob("*.json"))
    converge(sheet, config, cache=tmp_path)
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.glob("*.json")) == times
