"""Force fields: right for sheets whatever their cell; the test kit catches a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from flatforce.core.errors import FlatforceError, ModelError
from flatforce.core.trust import pickles_allowed, trust
from flatforce.models import Potential, load
from flatforce.models.calculator import SheetCalculator
from flatforce.models.isolated.build import PLAUSIBLE
from flatforce.models.protocols import RawPrediction
from flatforce.models.spec import committee_members, model_files
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.prototypes import monolayer
from flatforce.testing.checks import check_potential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.models.backends.mace import MaceBackend


def test_mace_passes_every_check(potential: Potential, sheet: Atoms) -> None:
    failed = [f"{c.name}: {c.value}" for c in check_potential(potential, sheet) if not c.passed]
    assert [name for name in failed if not name.startswith(PLAUSIBLE)] == []  # it has learnt for seconds
    bundled = check_potential(load("mace:wse2-pbe"), sheet)
    assert all(check.passed for check in bundled)
    assert any(check.name.startswith(PLAUSIBLE) for check in bundled)


class MaceOwnSlabStress:
    """MACE called as its own calculator is with pbc = (T, T, F): the cell it then makes up enters the stress."""

    def __init__(self, backend: MaceBackend, path: Path) -> None:
        with pickles_allowed():
            from mace.calculators import MACECalculator

            self.calculator = MACECalculator(model_paths=str(path), device="cpu", default_dtype="float64")
        self.backend = backend
        for name in ("elements", "cutoff", "layers", "dtype", "device"):
            setattr(self, name, getattr(backend, name))
        self.batch_atoms = 1

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        found = []
        for frame in frames:
            atoms = frame.copy()
            atoms.pbc = (True, True, False)
            atoms.calc = self.calculator
            tensor = np.asarray(atoms.get_stress(voigt=False)) if stress else None
            found.append(RawPrediction(atoms.get_potential_energy(), atoms.get_forces(), tensor))
        return found


@pytest.mark.filterwarnings("ignore")  # MACECalculator warns of its own defaults
def test_kit_catches_maces_own_slab_stress(potential: Potential, model_file: Path, sheet: Atoms) -> None:
    wrong = Potential("wrong", MaceOwnSlabStress(potential.backend, model_file))  # type: ignore[arg-type]
    checks = {check.name: check for check in check_potential(wrong, sheet)}
    assert not checks["in-plane stress against differences"].passed
    assert checks["in-plane stress against differences"].value > 0.5
    assert checks["forces against differences"].passed


class Flawed:
    """A backend with one flaw at a time."""

    def __init__(self, backend: MaceBackend, flaw: str) -> None:
        self.backend, self.flaw = backend, flaw
        for name in ("elements", "cutoff", "layers", "dtype", "device", "batch_atoms"):
            setattr(self, name, getattr(backend, name))

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        raw = self.backend.predict(frames, stress=stress)
        changed = []
        for frame, one in zip(frames, raw, strict=True):
            energy, forces, tensor = one.energy, one.forces, one.stress
            if self.flaw == "forces":
                forces = forces * 1.001
            elif self.flaw == "stress sign" and tensor is not None:
                tensor = -tensor
            elif self.flaw == "stress transposed rows" and tensor is not None:
                tensor = tensor[::-1]
            elif self.flaw == "extensivity":
                energy += 0.01
            elif self.flaw == "direction":
                energy += 1e-3 * float(frame.positions[:, 0].std())
            changed.append(RawPrediction(energy, forces, tensor))
        return changed


@pytest.mark.parametrize(
    "flaw", ["forces", "stress sign", "stress transposed rows", "extensivity", "direction"]
)
def test_kit_catches_each_flaw(potential: Potential, sheet: Atoms, flaw: str) -> None:
    flawed = Potential("flawed", Flawed(potential.backend, flaw))  # type: ignore[arg-type]
    assert [check.name for check in check_potential(flawed, sheet) if not check.passed]


def test_same_answer_whatever_cell_the_sheet_came_with(potential: Potential, sheet: Atoms) -> None:
    thin = sheet.copy()
    thin.cell[2, 2] = 4.0  # less than the sheet and the cutoff
    thin.pbc = (True, True, False)
    none = sheet.copy()
    none.cell[2] = 0.0
    none.pbc = (True, True, False)
    base, *others = potential.evaluate([sheet, thin, none])
    assert base.membrane_stress is not None
    assert np.abs(base.membrane_stress).max() > 0.1
    for other in others:
        assert other.energy == pytest.approx(base.energy, abs=1e-9)
        np.testing.assert_allclose(other.forces, base.forces, atol=1e-9)
        assert other.membrane_stress is not None
        np.testing.assert_allclose(other.membrane_stress, base.membrane_stress, atol=1e-8)
    assert base.stress is not None
    np.testing.assert_array_equal(base.stress[2], 0)


def test_unknown_element_is_refused(potential: Potential, sheet: Atoms) -> None:
    other = sheet.copy()
    other.symbols[0] = "Mo"
    with pytest.raises(ModelError, match="does not know Mo"):
        potential.evaluate([other])


def test_calculator_agrees(potential: Potential, sheet: Atoms) -> None:
    sheet.calc = SheetCalculator(potential)
    found = potential.evaluate([sheet])[0]
    assert sheet.get_potential_energy() == pytest.approx(found.energy, abs=1e-10)
    np.testing.assert_allclose(sheet.get_forces(), found.forces, atol=1e-10)
    assert found.stress is not None
    np.testing.assert_allclose(sheet.get_stress(voigt=False), found.stress, atol=1e-12)


def test_committee_knows_what_all_members_know(model_file: Path) -> None:
    known = load(f"mace:{model_file}").elements
    anything = "ase:ase.calculators.lj:LennardJones"
    assert load(f"committee:{model_file},{anything}").elements == known
    with pytest.raises(ModelError, match="in common"):
        load(f"committee:{model_file},{anything}?elements=Cu")


def test_committee_of_one_model_twice_has_no_spread(
    model_file: Path, potential: Potential, sheet: Atoms
) -> None:
    twice = load(f"committee:{model_file},{model_file}").evaluate([sheet])[0]
    assert twice.energy == pytest.approx(potential.evaluate([sheet])[0].energy)
    assert twice.forces_std is not None
    np.testing.assert_allclose(twice.forces_std, 0, atol=1e-12)


def test_ase_calculator_as_backend() -> None:
    found = load("ase:ase.calculators.emt:EMT?elements=Cu,Au&cutoff=8.0")
    assert found.elements == {"Cu", "Au"}
    assert found.cutoff == pytest.approx(8.0)
    spec = "committee:ase:ase.calculators.emt:EMT?elements=Cu,Au&cutoff=8.0,mace:wse2-pbe,chgnet"
    assert committee_members(spec) == [spec[10:].rpartition(",mace")[0], "mace:wse2-pbe", "chgnet"]


def test_a_calculator_that_does_not_know_an_element_is_answered_with_its_own_words(sheet: Atoms) -> None:
    with pytest.raises(ModelError, match=r"EMT fails for .*\n.*No EMT-potential for (W|Se)") as error:
        load("ase:ase.calculators.emt:EMT").evaluate([sheet])
    assert "?elements=" in error.value.fix


def test_a_calculator_without_stress_keeps_the_cell() -> None:
    silent = load("ase:ase.calculators.emt:EMT?elements=Cu")
    silent.backend.calculator = Silent()  # type: ignore[attr-defined]
    sheet = monolayer(("Cu", "Cu"), prototype="honeycomb", a=4.4)
    assert silent.evaluate([sheet])[0].stress is None
    with pytest.raises(ModelError, match="no stress"):
        relax(silent, sheet, RelaxConfig())
    assert relax(silent, sheet, RelaxConfig(relax_cell=False)).converged


class Silent(Calculator):  # type: ignore[misc]  # ASE is untyped
    implemented_properties: ClassVar = ["energy", "forces"]

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


def test_published_models_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calculators = pytest.importorskip("mace.calculators")

    def offline(**_: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(calculators, "mace_mp", offline)
    with pytest.raises(ModelError, match="mace:medium-mpa-0 could not be downloaded"):
        load("mace:medium-mpa-0")
    assert model_files("mace:medium-mpa-0") == []


@pytest.mark.parametrize(
    "spec", ["mace:none.model", "chgnot:x", "mace", "ase:none:None", "committee:a.model"]
)
def test_bad_specs(spec: str) -> None:
    with pytest.raises(ModelError):
        load(spec)


def test_broken_model_file(tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(b"nothing")
    trust(tmp_path / "x.model")
    with pytest.raises(ModelError, match="no MACE model"):
        load(str(tmp_path / "x.model"))


@pytest.mark.parametrize(
    "name", ["os:system?command=touch%20MARKER", "subprocess:Popen?args=touch", "os:nothing"]
)
def test_only_calculators_are_created(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in a file of somebody else calls no function."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FlatforceError, match=r"not an ASE calculator|no calculator|could not be created"):
        load(f"ase:{name.replace('MARKER', str(tmp_path / 'marker'))}")
    assert not list(tmp_path.iterdir())
