"""What PBE says of two disulfide alloys: the bundled relaxations `tmd-alloys-pbe` through the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import get_labels, read_labelled
from flatforce.properties.alloys.scores import ON_HULL, lower_hull
from flatforce.studies.alloy.energies import alloy_energies
from flatforce.studies.alloy.files import AlloyStudy, read_table

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.properties.alloys.table import AlloyTable

pytest.importorskip("icet")

LEFT = {"dft_force": 0.05, "dft_stress": 0.25}
"""eV/Å and N/m: what the relaxations of the set left."""


def table_of(
    tmp_path_factory: pytest.TempPathFactory, name: str, species: list[str], cells: int
) -> AlloyTable:
    alloy: dict[str, Any] = {"name": name, "species": species, "prototype": "2H"}
    alloy |= {"symbols": [species[0], "S"], "site": species[0], "a": 3.19, "thickness": 3.13}
    study = AlloyStudy.parse({"alloy": alloy, "max_cells": cells, "energies": LEFT})
    folder = tmp_path_factory.mktemp(name)
    found = alloy_energies(study, folder, frames="tmd-alloys-pbe")
    assert found["metrics"]["n_dropped"] == 0
    return read_table(folder)


@pytest.fixture(scope="module")
def mows2(tmp_path_factory: pytest.TempPathFactory) -> AlloyTable:
    return table_of(tmp_path_factory, "MoWS2", ["Mo", "W"], 4)


@pytest.fixture(scope="module")
def nbmos2(tmp_path_factory: pytest.TempPathFactory) -> AlloyTable:
    return table_of(tmp_path_factory, "NbMoS2", ["Nb", "Mo"], 3)


def root_three(sheet: Atoms) -> bool:
    """Three sites in a hexagonal cell: the √3 × √3 ordering."""
    a, b, *_, gamma = sheet.cell.cellpar()
    return len(sheet) == 9 and a == pytest.approx(b, rel=0.01) and min(abs(gamma - 60), abs(gamma - 120)) < 1


def test_molybdenum_and_tungsten_mix_and_order(mows2: AlloyTable) -> None:
    assert len(mows2.rows) == 15
    mixed = mows2.mixed
    assert mows2.formation[mixed].max() < 0
    above = lower_hull(mows2.shares, mows2.formation)
    found = {round(mows2.rows[k].x, 3): above[k] for k in mixed if root_three(mows2.relaxed[k])}
    assert sorted(found) == [0.333, 0.667]
    assert max(found.values()) < ON_HULL


def test_niobium_and_molybdenum_do_not_mix(nbmos2: AlloyTable) -> None:
    assert len(nbmos2.rows) == 7
    assert nbmos2.formation[nbmos2.mixed].min() > 0


def test_labels_are_those_of_relaxations(mows2: AlloyTable) -> None:
    frames = read_labelled(dataset_path("tmd-alloys-pbe"))
    ends = [frame for frame in frames if frame.info.get("relaxed")]
    assert len(ends) == len({frame.info["material"] for frame in ends}) == 22
    for end in ends:
        labels = get_labels(end)
        assert labels.stress is not None
        assert np.linalg.norm(labels.forces, axis=1).max() < LEFT["dft_force"]
        membrane = labels.stress[:2, :2] * end.cell[2, 2] * EV_PER_A2_IN_N_PER_M
        assert np.abs(membrane).max() < LEFT["dft_stress"]
    counted = sum(row.labels for row in mows2.rows)
    assert counted == sum(frame.info["system"] == "MoWS2" for frame in frames)
