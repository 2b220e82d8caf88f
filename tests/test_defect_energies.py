"""Formation and binding energies against bonds that can be counted, and chemical potentials against hand calculations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

import flatforce as ff
from flatforce.core.errors import ConfigError, ResultError
from flatforce.properties.defect_energies.chemical_potentials import composition, find_limits
from flatforce.properties.defect_energies.equivalence import count_equivalent
from flatforce.properties.defect_energies.run import extrapolate
from flatforce.report.page import write_report
from flatforce.report.sections.registry import section_of
from flatforce.structures.defects import build_defect

SIGMA, EPSILON = 2.5, 0.4
PAIRS = (
    f"ase:ase.calculators.lj:LennardJones?sigma={SIGMA}&epsilon={EPSILON}&rc=4.0&cutoff=4.0&elements=Cu,Au"
)
SHIFT = 4 * EPSILON * ((SIGMA / 4.0) ** 12 - (SIGMA / 4.0) ** 6)
BOND = (
    EPSILON + SHIFT
)  # eV, energy of a nearest-neighbour bond; the potential is shifted to zero at its cutoff


@pytest.fixture(scope="module")
def layer() -> Atoms:
    a = 2 ** (1 / 6) * SIGMA
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    return Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True)


@pytest.fixture(scope="module")
def energies(layer: Atoms) -> Any:
    return ff.defect_energies(
        PAIRS,
        layer,
        ["v_Cu", "Au@Cu", "v_Cu+v_Cu"],
        sizes=[5, 7],
        references={"Au": -2.0},
        arrangements=3,
        max_force=0.001,
        rattle=0.0,
    )


def test_a_vacancy_costs_half_of_the_bonds_that_it_breaks(energies: Any) -> None:
    """Six bonds are broken, and the atom that is taken away brings back the energy of a bulk atom, three bonds."""
    (energy,) = energies.formation_energy("v_Cu").values()
    assert BOND > 0.3
    assert energy == pytest.approx(3 * BOND, rel=0.05)  # neighbours relax a little
    assert energy < 3 * BOND
    assert energies.limits[""]["Cu"] == pytest.approx(-3 * BOND, rel=1e-6)


def test_neighbouring_vacancies_share_a_bond(energies: Any) -> None:
    """Two vacancies side by side break eleven bonds instead of twelve; far ones do not know of each other."""
    rows = [row for row in energies.table if "+" in row["name"]]
    assert len(rows) == 3
    nearest = min(rows, key=lambda row: row["separation"])
    assert nearest["binding_energy"] == pytest.approx(BOND, rel=0.1)
    others = [row["binding_energy"] for row in rows if row is not nearest]
    assert max(map(abs, others)) < 0.25 * BOND
    assert set(energies.binding_energies) == {row["name"] for row in rows}


def test_a_substitution_counts_both_atoms(energies: Any) -> None:
    """Gold of the same pair potential: only the chemical potentials differ."""
    (energy,) = energies.formation_energy("Au@Cu").values()
    assert energy == pytest.approx(-3 * BOND + 2.0, abs=1e-4)


def test_concentrations_and_multiplicities(energies: Any, layer: Atoms) -> None:
    rows = {row["name"]: row for row in energies.table}
    assert rows["v_Cu"]["multiplicity"] == 1
    pairs = [row for name, row in rows.items() if "+" in name]
    assert {row["multiplicity"] for row in pairs} == {3}  # three directions of each of the nearest pairs
    sites = 1e16 / abs(np.linalg.det(layer.cell.array[:2, :2]))
    (energy,) = energies.formation_energy("v_Cu").values()
    expected = sites * np.exp(-energy / (8.617333e-5 * 900))
    assert rows["v_Cu"]["concentrations"][0][1] == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ResultError, match="choose one of"):
        energies.formation_energy("v_Au")


def test_figures_and_files(energies: Any) -> None:
    assert energies.figures == ["formation_energies", "sizes", "binding"]
    for name in energies.figures:
        energies.plot(name)
    text = (energies.folder / "formation_energies.csv").read_text(encoding="utf-8").splitlines()
    assert len(text) == 6
    assert len(energies.structures["v_Cu 7x7"]) == 48


def test_limits_of_a_binary_sheet() -> None:
    """With μ_W ≤ −10, μ_Se ≤ −3 and E = −18 eV, the sheet is 2 eV below its elements."""
    found = find_limits({"W": 1, "Se": 2}, -18.0, {"W": -10.0, "Se": -3.0}, set())
    limits = {limit.name: limit.potentials for limit in found}
    assert limits["Se-rich"] == pytest.approx({"W": -12.0, "Se": -3.0})
    assert limits["W-rich"] == pytest.approx({"W": -10.0, "Se": -4.0})


def test_competing_phases_and_impurities_bound_the_potentials() -> None:
    phases = {"W": -10.0, "Se": -3.0, "WSe3": -21.6, "Mo": -9.0, "MoSe2": -17.0}
    limits = {limit.name: limit.potentials for limit in find_limits({"W": 1, "Se": 2}, -18.0, phases, {"Mo"})}
    # WSe3 takes selenium at μ_Se > −3.6, before elemental selenium does
    assert set(limits) == {"W-rich", "WSe3-rich"}
    assert limits["WSe3-rich"]["Se"] == pytest.approx(-3.6)
    for potentials in limits.values():
        assert potentials["W"] + 2 * potentials["Se"] == pytest.approx(-18.0)
        assert potentials["Mo"] == pytest.approx(min(-9.0, -17.0 - 2 * potentials["Se"]))


def test_impossible_references_are_refused(layer: Atoms, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not stable against"):
        find_limits({"W": 1, "Se": 2}, -15.0, {"W": -10.0, "Se": -3.0}, set())
    with pytest.raises(ConfigError, match="no reference for the chemical potential of Au"):
        ff.defect_energies(PAIRS, layer, "Au@Cu", sizes=[5], folder=tmp_path / "x")
    with pytest.raises(ConfigError, match="no chemical formula"):
        composition("W-Se")
    assert not (tmp_path / "x" / "result.json").exists()


def test_extrapolation_is_exact_for_the_elastic_law() -> None:
    cells = np.array([36.0, 81.0, 144.0])
    limit, error = extrapolate(cells, 2.5 + 6.0 / cells)
    assert limit == pytest.approx(2.5)
    assert error == pytest.approx(6.0 / 144)
    assert extrapolate(cells[:1], np.array([1.0]))[0] == 1.0


def test_adatoms_above_and_below_are_counted() -> None:
    """A sheet with equal faces takes an adatom on either of them, a vacancy of one of its planes as well."""
    sheet = ff.monolayer("WSe2")
    for name in ("ad_Se@W:top", "v_Se:top"):
        assert count_equivalent(build_defect(sheet, (3, 3), name), 3) == 2, name
    assert count_equivalent(build_defect(sheet, (3, 3), "v_W"), 3) == 1


def labels_of(epsilon: float) -> dict[str, Any]:
    parameters = {"sigma": SIGMA, "epsilon": epsilon, "rc": 4.0}
    calculator = "ase.calculators.lj:LennardJones"
    return {"settings": {"engine": "ase", "calculator": calculator, "parameters": parameters}, "workers": 1}


def test_labels_show_the_error_of_the_force_field(layer: Atoms, tmp_path: Path) -> None:
    """Labels with a well 2 % deeper: the same structures, and all energies larger by 2 %, those of the formation as well."""
    found = ff.defect_energies(
        PAIRS,
        layer,
        "v_Cu",
        folder=tmp_path / "energies",
        sizes=[4, 5],
        max_force=1e-4,
        rattle=0.0,
        verify=labels_of(1.02 * EPSILON),
    )
    labelled = found.details["labelled"]
    (energy,) = found.table[0]["labelled_formation_energies"]
    reference = found.limits[""]["Cu"] + found.table[0]["differences"][0]  # of the 4 × 4 cells
    assert labelled["size"] == 4
    assert energy == pytest.approx(1.02 * reference, abs=1e-5)
    assert found.label_errors["v_Cu"] == pytest.approx(-0.02 * found.table[0]["differences"][0], abs=1e-5)
    assert labelled["residual_forces"]["v_Cu"] < 1e-3
    frames = read(tmp_path / "energies" / "labelled.extxyz", ":")
    assert [len(frame) for frame in frames] == [16, 15]
    assert len({round(float(frame.cell[2, 2]), 9) for frame in frames}) == 1
    assert found.converged
    write_report(tmp_path / "energies", tmp_path / "page")
    assert "Formation energies by labels" in (tmp_path / "page" / "index.html").read_text()


def test_a_defect_is_relaxed_further_by_labels(layer: Atoms) -> None:
    """The force field stops far from the minimum; labels go on, and an energy that is too far off is said."""
    found = ff.defect_energies(
        PAIRS,
        layer,
        "v_Cu",
        sizes=[4],
        max_force=0.5,
        rattle=0.0,
        verify={**labels_of(1.5 * EPSILON)},
        verify_steps=8,
        verify_max_force=0.01,
    )
    assert found.details["labelled"]["residual_forces"]["v_Cu"] < 0.01
    assert not found.details["labelled"]["unrelaxed"]
    assert not found.converged
    assert any("off that of the labels" in warning for warning in found.warnings)
    assert any("not of one method" in warning for warning in found.warnings)  # 0.5 eV/atom apart
    assert found.table[0]["labelled_formation_energies"] == []


def test_labels_that_fail_are_named(layer: Atoms) -> None:
    broken = labels_of(EPSILON)
    broken["settings"]["parameters"] = {"sigma": "wide"}
    found = ff.defect_energies(PAIRS, layer, "v_Cu", sizes=[4], rattle=0.0, verify=broken)
    assert not found.converged
    assert set(found.details["labelled"]["failures"]) == {"pristine", "v_Cu"}
    assert found.formation_energy("v_Cu")


def test_references_of_another_method_do_not_lose_the_labels(tmp_path: Path) -> None:
    """Copper and gold side by side; references below the sheet: no limits by labels, and the result is there all the same."""
    a = 2 ** (1 / 6) * SIGMA
    chain = Atoms(
        "CuAu",
        positions=[[0, 0, 7.5], [a / 2, a * np.sqrt(3) / 2, 7.5]],
        cell=[a, a * np.sqrt(3), 15],
        pbc=True,
    )
    found = ff.defect_energies(
        PAIRS,
        chain,
        "v_Cu",
        folder=tmp_path / "energies",
        sizes=[4],
        rattle=0.0,
        references={"Cu": -3 * BOND + 0.001, "Au": -3 * BOND + 0.001},
        verify=labels_of(0.98 * EPSILON),
    )
    assert len(found.limits) == 2
    assert found.details["labelled"]["limits"] == []
    assert any("references do not belong to the labels" in warning for warning in found.warnings)
    assert (tmp_path / "energies" / "labelled.extxyz").is_file()


def test_a_further_defect_uses_the_labels_again(layer: Atoms, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "sizes": [4],
        "rattle": 0.0,
        "references": {"Au": -2.0},
        "verify": labels_of(EPSILON),
    }
    ff.defect_energies(PAIRS, layer, "v_Cu", folder=tmp_path / "energies", **settings)
    labels = {path: path.stat().st_mtime_ns for path in (tmp_path / "energies" / "labels").glob("*.json")}
    assert len(labels) == 2
    found = ff.defect_energies(PAIRS, layer, ["v_Cu", "Au@Cu"], folder=tmp_path / "energies", **settings)
    assert {row["name"] for row in found.table} == {"v_Cu", "Au@Cu"}
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "energies" / "labels").glob("*.json")}
    assert len(again) == 3
    assert labels.items() <= again.items()
    other = {**settings, "rattle": 0.001}
    with pytest.raises(ResultError, match="holds another result"):
        ff.defect_energies(PAIRS, layer, ["v_Cu", "Au@Cu"], folder=tmp_path / "energies", **other)


def test_a_page_of_an_older_result_is_written(energies: Any) -> None:
    """Results that were computed before there were labels have no entry for them."""
    record = json.loads((energies.folder / "result.json").read_text())
    del record["details"]["labelled"]
    titles = [table.title for table in section_of(energies.folder, record, "energies").tables]
    assert "Formation energies (eV)" in titles
