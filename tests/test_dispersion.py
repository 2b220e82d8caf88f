"""D3 on top of a force field: against S. Grimme's program, torch-dftd's own calculator, and laws of sheets."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.data.s22 import create_s22_system
from ase.units import Bohr
from torch_dftd.torch_dftd3_calculator import TorchDFTD3Calculator

import flatforce as ff
from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.core.hashing import hash_file
from flatforce.data.label_origin import label_methods
from flatforce.models import load
from flatforce.models.backends.d3 import D3Backend
from flatforce.models.potential import Potential
from flatforce.models.spec import committee_members, files_with_code, kind_of, model_files
from flatforce.properties.phonons.config import EmbedConfig
from flatforce.properties.phonons.force_constants.embedding import check_embeddable
from flatforce.reference.campaign import _attach_result
from flatforce.studies.session import Session
from flatforce.testing.checks import check_potential

COPPER = "ase:ase.calculators.emt:EMT"
"""A force field that takes no time; its elements are not checked where only the correction is computed."""


def correction(settings: str = "") -> D3Backend:
    backend = load(f"d3:{settings}{COPPER}").backend
    assert isinstance(backend, D3Backend)
    return backend


@pytest.fixture
def bilayer() -> Atoms:
    pair = ff.bilayer(ff.monolayer("WSe2"), distance=6.5)
    pair.rattle(0.05, seed=1)
    return pair


@pytest.mark.parametrize(("settings", "expected"), [("", -1.211193213979179), ("zero:", -0.6681154466652238)])
def test_energies_are_those_of_grimmes_program(settings: str, expected: float) -> None:
    """Values that `dftd3` prints, from ASE's tests of its interface; the molecules are smaller than the cutoff."""
    stack = create_s22_system("Adenine-thymine_complex_stack")
    stack.set_cell([70, 70, 30])
    stack.center()
    stack.pbc = True
    assert stack.get_all_distances().max() < 20
    energy, forces, _ = correction(settings).correction(stack)
    assert energy == pytest.approx(expected, rel=5e-7)
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list")
def test_a_sheet_is_evaluated_as_by_torch_dftds_calculator_without_images_along_the_normal(
    bilayer: Atoms,
) -> None:
    bilayer.center(vacuum=4.0, axis=2)
    energy, forces, stress = correction("20:").correction(bilayer)
    theirs = TorchDFTD3Calculator(
        damping="bj",
        cutoff=20.0,
        cnthr=min(20.0, 40 * Bohr),
        dtype=torch.float64,
        cutoff_smoothing="poly",
    )
    alone, with_images = bilayer.copy(), bilayer.copy()
    alone.pbc = (True, True, False)
    alone.calc = with_images.calc = theirs
    expected = alone.get_potential_energy()
    assert energy == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(forces, alone.get_forces(), atol=1e-9)
    in_plane = np.s_[:2, :2]
    np.testing.assert_allclose(stress[in_plane], alone.get_stress(voigt=False)[in_plane], atol=1e-9)
    assert np.abs(stress[in_plane]).max() > 1e-4
    assert with_images.get_potential_energy() < expected - 1e-3  # what is left out


@pytest.mark.parametrize("gap", [4.0, 8.0, 45.0])
def test_the_vacuum_changes_nothing(bilayer: Atoms, gap: float) -> None:
    backend = correction("20:")
    cell = bilayer.copy()
    cell.center(vacuum=gap / 2, axis=2)
    moved = cell.copy()
    moved.positions += [1.0, 2.0, 3.0]
    moved.wrap()
    assert np.ptp(moved.positions[:, 2]) > np.ptp(cell.positions[:, 2]) or gap > 6  # cut by the boundary
    energy, forces, stress = backend.correction(bilayer)
    for other in (cell, moved):
        found, found_forces, found_stress = backend.correction(other)
        assert found == pytest.approx(energy, abs=1e-10)
        np.testing.assert_allclose(found_forces, forces, atol=1e-10)
        np.testing.assert_allclose(
            found_stress[:2, :2] * cell.cell[2, 2], stress[:2, :2] * bilayer.cell[2, 2], atol=1e-10
        )


def copper() -> Atoms:
    a = 2.6
    layer = Atoms("Cu", cell=[[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, 12.0]], pbc=True)
    upper = layer.copy()
    upper.positions += [0, a / 3**0.5, 2.2]
    pair = (layer + upper).repeat((2, 1, 1))
    pair.rattle(0.08, seed=2)
    pair.center(axis=2)
    return pair


def test_the_sum_obeys_the_laws_and_is_the_sum_of_its_parts() -> None:
    sheet = copper()
    bare = load(f"{COPPER}?elements=Cu&cutoff=8.0")
    both = load(f"d3:12:{COPPER}?elements=Cu&cutoff=8.0")
    laws = [check for check in check_potential(both, sheet) if not check.name.startswith("plausible")]
    assert len(laws) >= 10
    assert [check for check in laws if not check.passed] == []
    backend = both.backend
    assert isinstance(backend, D3Backend)
    energy, forces, _ = backend.correction(sheet)
    whole, part = both.evaluate(sheet), bare.evaluate(sheet)
    assert whole.energy - part.energy == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(whole.forces - part.forces, forces, atol=1e-9)
    assert energy < -0.1
    assert np.abs(forces).max() > 0.01
    assert both.elements == {"Cu"}
    assert both.cutoff == 8.0
    assert both.interaction_range >= 2 * 12.0


def test_two_layers_attract_each_other_as_sheets_do() -> None:
    """Far apart, the pairs of two planes sum up to a force per area that falls with the fifth power of the distance."""
    backend, sheet = correction("80:"), ff.monolayer("BN")
    alone = backend.correction(sheet)[0]
    distances = np.array([15.0, 20.0])
    binding = [backend.correction(ff.bilayer(sheet, distance=d))[0] - 2 * alone for d in distances]
    exponent = np.diff(np.log(np.abs(binding))) / np.diff(np.log(distances))
    assert exponent == pytest.approx(-4.0, abs=0.15)
    assert max(binding) < 0


def test_rows_and_embeddings_are_refused_for_a_reason(sheet: Atoms) -> None:
    both = load(f"d3:{COPPER}?cutoff=5.0")
    assert load(f"{COPPER}?cutoff=5.0").hessian(sheet) is not None
    assert both.hessian(sheet) is None
    with pytest.raises(ModelError, match="leave d3: out"):
        check_embeddable(both, ff.monolayer("WSe2"), EmbedConfig(supercell=(20, 20)), cells=9)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("d3:", "is missing"),
        ("d3:zero:", "names no force field"),
        ("d3:mase:wse2-pbe", "no kind of force field"),
        ("d3:5:mace:wse2-pbe", "too short"),
        ("d3:inf:mace:wse2-pbe", "finite"),
        ("d3:bj+zero:mace:wse2-pbe", "both a damping"),
        ("d3:pbe+:mace:wse2-pbe", "empty"),
        ("d3:d3:mace:wse2-pbe", "twice"),
        ("d3:20:committee:a.model,b.model", r"committee:d3:20:a\.model,d3:20:b\.model"),
        (f"d3:nothing:{COPPER}", "no parameters for nothing"),
        ("d3:r2scan:mace:wse2-pbe", "PBE"),
    ],
)
def test_wrong_names_are_refused(spec: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(spec)


def test_files_and_settings_identify_the_sum(model_file: Path) -> None:
    spec = f"d3:{model_file}"
    assert model_files(spec) == [model_file]
    assert files_with_code(spec) == files_with_code(str(model_file)) != []
    assert kind_of(spec) == kind_of(f"d3:bj+25+pbe:mace:{model_file}") == "d3:pbe+bj+25:mace"
    identities = {
        Session(name).model_hash
        for name in (f"mace:{model_file}", spec, f"d3:zero:{model_file}", f"d3:20:{model_file}")
    }
    assert len(identities) == 4
    assert all(hash_file(model_file) in identity for identity in identities)
    assert committee_members(f"committee:d3:20:{COPPER}?elements=Cu,Au&cutoff=8,d3:a.model") == [
        f"d3:20:{COPPER}?elements=Cu,Au&cutoff=8",
        "d3:a.model",
    ]


def test_labels_with_dispersion_are_not_corrected_again(model_file: Path, tmp_path: Path) -> None:
    settings: Any = SimpleNamespace(engine="vasp", dispersion="D3(BJ)")
    result = {"energy": -1.0, "forces": [[0, 0, 0]], "stress": None, "pulay_stress": None, "versions": {}}
    corrected = _attach_result(Atoms("W", cell=[3, 3, 20], pbc=True), result, "key", settings)
    without = Atoms("W", info={"dft_dispersion": "none", "dft_xc": "PBE", "dft_code": "vasp"})
    assert label_methods([without]) == ["PBE", "vasp"]
    assert label_methods([without, corrected]) == ["D3(BJ)", "PBE", "vasp"]
    model = Path(shutil.copy(model_file, tmp_path / "mine.model"))
    card = model.with_name("mine.card.json")
    card.write_text(json.dumps({"labels": label_methods([without])}), encoding="utf-8")
    assert isinstance(load(f"d3:{model}"), Potential)
    card.write_text(json.dumps({"labels": label_methods([corrected])}), encoding="utf-8")
    with pytest.raises(ModelError, match="holds dispersion already") as caught:
        load(f"d3:{model}")
    assert "D3(BJ)" in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_dftd.nn.dftd3_module", None)
    with pytest.raises(MissingDependencyError, match=r"flatforce\[dispersion\]"):
        load("d3:mace:wse2-pbe")
