"""Formation energies of two disulfide alloys in PBE, from the bundled relaxations `tmd-alloys-pbe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled
from flatforce.data.frames import get_labels
from flatforce.properties.alloys.scores import HULL_TOLERANCE, lower_hull
from flatforce.studies.alloy.config import AlloyStudy
from flatforce.studies.alloy.energies import AlloyEnergiesStage
from flatforce.studies.alloy.files import read_table
from flatforce.studies.session import Session

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.properties.alloys.table import AlloyTable

pytest.importorskip("icet")

CRITERIA = {"dft_force": 0.05, "dft_stress": 0.25}
"""Residual force in eV/Å and membrane stress in N/m at which the relaxations of the dataset ended."""


def table_of(
    tmp_path_factory: pytest.TempPathFactory, name: str, species: list[str], cells: int
) -> AlloyTable:
    alloy: dict[str, Any] = {"name": name, "species": species, "prototype": "2H"}
    alloy |= {"symbols": [species[0], "S"], "site": species[0], "a": 3.19, "thickness": 3.13}
    study = AlloyStudy.parse({"alloy": alloy, "max_cells": cells, "energies": CRITERIA})
    folder = tmp_path_factory.mktemp(name)
    result = AlloyEnergiesStage(study, frames="tmd-alloys-pbe").run(Session(), folder)
    assert result["metrics"]["n_dropped"] == 0
    return read_table(folder)


@pytest.fixture(scope="module")
def mows2(tmp_path_factory: pytest.TempPathFactory) -> AlloyTable:
    return table_of(tmp_path_factory, "MoWS2", ["Mo", "W"], 4)


@pytest.fixture(scope="module")
def nbmos2(tmp_path_factory: pytest.TempPathFactory) -> AlloyTable:
    return table_of(tmp_path_factory, "NbMoS2", ["Nb", "Mo"], 3)


def is_root_three(sheet: Atoms) -> bool:
    """Three sites in a hexagonal cell: the √3 × √3 ordering."""
    a, b, *_, gamma = sheet.cell.cellpar()
    return len(sheet) == 9 and a == pytest.approx(b, rel=0.01) and min(abs(gamma - 60), abs(gamma - 120)) < 1


def test_molybdenum_and_tungsten_mix_and_order(mows2: AlloyTable) -> None:
    assert len(mows2.rows) == 15
    mixed = mows2.mixed_rows
    assert mows2.formation_energies[mixed].max() < 0
    above = lower_hull(mows2.concentrations, mows2.formation_energies)
    above_by_x = {round(mows2.rows[k].x, 3): above[k] for k in mixed if is_root_three(mows2.relaxed[k])}
    assert sorted(above_by_x) == [0.333, 0.667]
    assert max(above_by_x.values()) < HULL_TOLERANCE


def test_niobium_and_molybdenum_do_not_mix(nbmos2: AlloyTable) -> None:
    assert len(nbmos2.rows) == 7
    assert nbmos2.formation_energies[nbmos2.mixed_rows].min() > 0


def test_labels_are_those_of_relaxations(mows2: AlloyTable) -> None:
    frames = read_labelled(dataset_path("tmd-alloys-pbe"))
    relaxed_frames = [frame for frame in frames if frame.info.get("relaxed")]
    assert len(relaxed_frames) == len({frame.info["material"] for frame in relaxed_frames}) == 22
    for frame in relaxed_frames:
        labels = get_labels(frame)
        assert labels.stress is not None
        assert np.linalg.norm(labels.forces, axis=1).max() < CRITERIA["dft_force"]
        membrane = labels.stress[:2, :2] * frame.cell[2, 2] * EV_PER_A2_IN_N_PER_M
        assert np.abs(membrane).max() < CRITERIA["dft_stress"]
    n_labels = sum(row.n_labels for row in mows2.rows)
    assert n_labels == sum(frame.info["system"] == "MoWS2" for frame in frames)
