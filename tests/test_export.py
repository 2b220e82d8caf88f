"""Exports: what the other program computes is what flatforce computes, and a difference is found."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from ase.neighborlist import neighbor_list

from commands import run
from conftest import random_model
from flatforce.core.errors import ModelError
from flatforce.core.trust import trust
from flatforce.models import Potential, load
from flatforce.models.exports.ase_module import predict_by_module
from flatforce.models.exports.lammps_files import NONLINEAR_VERSION, data_text, to_lammps_cell
from flatforce.models.exports.lammps_process import lammps_environment, predict_in_lammps, run_in_lammps
from flatforce.models.exports.mliap import load_double, predict_mliap, write_mliap
from flatforce.models.exports.run_lammps import PairData
from flatforce.models.spec import split_spec
from flatforce.properties.export import model as model_export
from flatforce.properties.export.comparison import compare, make_frames
from flatforce.properties.export.config import ExportConfig
from flatforce.properties.export.force_constants import export_force_constants, frequencies, load_exported
from flatforce.properties.export.model import export_model
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy, to_ase
from flatforce.structures.defects import build_defect
from springs import springs

ROUND_OFF = 1e-10
"""eV/Å. The same arithmetic in another order."""

UNIT_CONVERSION = 1e-6
"""Relative. LAMMPS's bar differs from CODATA's in the eighth digit."""

CONFIG = ExportConfig()


@pytest.fixture
def without_lammps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_export, "lammps_environment", lambda: None)
    monkeypatch.setenv("FLATFORCE_ENVS", "/nonexistent")


@pytest.fixture(scope="module")
def nonlinear_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MACE model with random weights and non-linear blocks, as those of the published mace-mh-1."""
    from flatforce.models.backends.mace_files import import_mace
    from flatforce.models.precision import default_dtype

    torch = import_mace()
    from e3nn import o3
    from mace import modules

    torch.manual_seed(0)
    block = modules.interaction_classes["RealAgnosticResidualNonLinearInteractionBlock"]
    with default_dtype("float64"):
        module = modules.ScaleShiftMACE(
            r_max=4.0,
            num_bessel=4,
            num_polynomial_cutoff=5,
            max_ell=1,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=2,
            num_elements=2,
            hidden_irreps=o3.Irreps("2x0e + 2x1o"),
            MLP_irreps=o3.Irreps("2x0e"),
            atomic_energies=np.array([[-5.0, -10.0]]),
            avg_num_neighbors=12.0,
            atomic_numbers=[34, 74],
            correlation=1,
            gate=torch.nn.functional.silu,
            atomic_inter_scale=300.0,
            atomic_inter_shift=0.0,
            radial_MLP=[4],
        )
    path = tmp_path_factory.mktemp("nonlinear") / "nonlinear.model"
    torch.save(module, path)
    trust(path)
    return path


@pytest.mark.usefixtures("without_lammps")
def test_lammps_file_computes_the_same_forces_stress_and_phonon(
    potential: Potential, sheet: Atoms, tmp_path: Path
) -> None:
    certificate = export_model(potential, sheet, CONFIG, to="lammps", scratch=tmp_path)
    metrics = certificate.metrics
    assert metrics["max_force"] > 0.1
    assert metrics["frequency"] > 0.5
    assert metrics["max_force_difference"] < ROUND_OFF
    assert metrics["max_stress_difference"] < ROUND_OFF
    assert metrics["frequency_difference"] < ROUND_OFF
    assert certificate.problems == []
    assert "flatforce env create lammps" in certificate.notes[0]
    assert {path.name for path in certificate.written} == {
        "model-mliap_lammps.pt",
        "in.lammps",
        "sheet.data",
        "run_lammps.py",
    }


@pytest.mark.usefixtures("without_lammps")
def test_input_file_names_types_in_order_and_never_moves_the_vacuum(
    potential: Potential, sheet: Atoms, tmp_path: Path
) -> None:
    export_model(potential, sheet, CONFIG, to="lammps", scratch=tmp_path)
    deck = (tmp_path / "in.lammps").read_text(encoding="utf-8")
    assert sheet.get_chemical_symbols()[0] == "W"  # types are not in the order of the atoms
    assert "pair_coeff * * Se W\n" in deck
    assert "newton on" in deck
    barostat = next(line.split() for line in deck.splitlines() if " npt " in line)
    assert {"x", "y"} < set(barostat)
    assert not {"z", "iso", "aniso", "tri"} & set(barostat)
    stored = read(tmp_path / "sheet.data", format="lammps-data", atom_style="atomic")
    assert isinstance(stored, Atoms)
    stored.set_pbc(True)
    np.testing.assert_array_equal(np.sort(stored.numbers), np.sort(sheet.numbers))
    energy = potential.evaluate(stored).energy
    assert energy == pytest.approx(potential.evaluate(sheet).energy, abs=1e-8)


def test_ghost_atoms_do_not_change_the_forces(potential: Potential, sheet: Atoms, tmp_path: Path) -> None:
    slab = to_lammps_cell(sheet, cutoff=potential.cutoff)
    write_mliap(load_double(split_spec(potential.spec)[1]), tmp_path / "model.pt")
    (alone,) = predict_mliap(tmp_path / "model.pt", [slab])

    from flatforce.models.backends.mace_files import import_mace

    model = import_mace().load(tmp_path / "model.pt", map_location="cpu", weights_only=False)
    first, second, rij, shifts = neighbor_list("ijDS", slab, potential.cutoff)
    images = sorted(
        {(int(j), *map(int, shift)) for j, shift in zip(second, shifts, strict=True) if any(shift)}
    )
    number = {image: len(slab) + k for k, image in enumerate(images)}
    ends = [number.get((int(j), *map(int, shift)), int(j)) for j, shift in zip(second, shifts, strict=True)]
    owners = np.array([*range(len(slab)), *(image[0] for image in images)])
    assert len(images) > len(slab)
    types = np.array([model.element_types.index(symbol) for symbol in slab.symbols])
    data = PairData(owners, types[owners], np.array([first, ends]), rij, nlocal=len(slab))
    model.compute_forces(data)
    np.testing.assert_allclose(data.forces, alone.forces, atol=ROUND_OFF)
    assert data.energy == pytest.approx(alone.energy, abs=1e-8)


def test_left_handed_cell_is_not_mirrored(potential: Potential, sheet: Atoms) -> None:
    mirrored_axes = sheet.copy()
    mirrored_axes.set_cell(sheet.cell.array[[1, 0, 2]])
    cell = to_lammps_cell(mirrored_axes, cutoff=potential.cutoff).cell.array
    assert np.linalg.det(mirrored_axes.cell.array) < 0 < np.linalg.det(cell)
    np.testing.assert_allclose(cell[np.triu_indices(3, 1)], 0.0, atol=1e-12)
    turned = to_lammps_cell(mirrored_axes, cutoff=potential.cutoff)
    bonds, others = mirrored_axes.get_all_distances(mic=True), turned.get_all_distances(mic=True)
    np.testing.assert_allclose(others, bonds, atol=1e-8)
    a, b, c, d = range(4)
    volumes = [
        np.linalg.det([atoms.get_distance(a, k, mic=True, vector=True) for k in (b, c, d)])
        for atoms in (mirrored_axes, turned)
    ]
    assert abs(volumes[0]) > 0.1  # its sign would change in a mirror
    assert volumes[1] == pytest.approx(volumes[0])


def test_nonlinear_blocks_are_named_and_old_versions_refused(
    nonlinear_model: Path, sheet: Atoms, tmp_path: Path, without_lammps: None
) -> None:
    del without_lammps
    potential = load(f"mace:{nonlinear_model}")
    certificate = export_model(potential, sheet, CONFIG, to="lammps", scratch=tmp_path)
    assert certificate.metrics["max_force"] > 1e-3
    assert certificate.metrics["max_force_difference"] < ROUND_OFF
    assert any("non-linear blocks" in note and str(NONLINEAR_VERSION) in note for note in certificate.notes)
    deck = (tmp_path / "in.lammps").read_text(encoding="utf-8")
    assert f"$(version) < {NONLINEAR_VERSION}" in deck


@pytest.mark.usefixtures("without_lammps")
def test_linear_blocks_run_in_every_version(potential: Potential, sheet: Atoms, tmp_path: Path) -> None:
    export_model(potential, sheet, CONFIG, to="lammps", scratch=tmp_path)
    assert "$(version)" not in (tmp_path / "in.lammps").read_text(encoding="utf-8")


def test_module_for_ase_stands_alone_and_sees_a_sheet(
    potential: Potential, sheet: Atoms, tmp_path: Path
) -> None:
    certificate = export_model(potential, sheet, CONFIG, to="ase", scratch=tmp_path)
    assert certificate.problems == []
    assert "import flatforce" not in (tmp_path / "calculator.py").read_text(encoding="utf-8")
    cut = sheet.copy()  # the boundary of the cell cuts the sheet, and the vacuum is thinner than the cutoff
    cut.set_cell([*sheet.cell[:2], [0, 0, 6.5]])
    cut.pbc = True
    cut.positions[:, 2] -= cut.positions[:, 2].mean()
    cut.wrap()
    assert np.ptp(cut.positions[:, 2]) > 4.0
    ours = potential.evaluate(cut)
    (exported,) = predict_by_module(tmp_path / "calculator.py", [cut])
    np.testing.assert_allclose(exported.forces, ours.forces, atol=ROUND_OFF)
    assert exported.stress is not None
    assert ours.stress is not None
    np.testing.assert_allclose(exported.stress, ours.stress, atol=ROUND_OFF)


@pytest.mark.slow
def test_symmetrix_reads_its_json(frames: list[Atoms], sheet: Atoms, tmp_path: Path) -> None:
    pytest.importorskip("symmetrix")
    path = random_model(frames, tmp_path / "random.model", hidden_irreps="4x0e", max_ell=3, correlation=3)
    model = load(f"mace:{path}")
    certificate = export_model(model, sheet, CONFIG, to="symmetrix", scratch=tmp_path)
    assert certificate.metrics["max_force"] > 0.1
    assert certificate.problems == []
    assert json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))["atomic_numbers"] == [34, 74]
    assert "pair_coeff * * model.json Se W" in (tmp_path / "in.lammps").read_text(encoding="utf-8")
    assert "was not run" in certificate.notes[0]


def test_architecture_that_symmetrix_does_not_know_is_refused(
    potential: Potential, sheet: Atoms, tmp_path: Path
) -> None:
    pytest.importorskip("symmetrix")
    with pytest.raises(ModelError, match="--to lammps"):
        export_model(potential, sheet, CONFIG, to="symmetrix", scratch=tmp_path)


def test_a_wrong_force_stress_or_frequency_fails(potential: Potential, sheet: Atoms, tmp_path: Path) -> None:
    slab = to_lammps_cell(sheet, cutoff=potential.cutoff)
    frames = make_frames(potential, slab, rattle=CONFIG.rattle)
    certificate = export_model(potential, sheet, CONFIG, to="ase", scratch=tmp_path)
    exact = predict_by_module(tmp_path / "calculator.py", frames.frames)
    assert not replace(certificate, differences=compare(frames, potential, exact)).problems
    assert exact[3].stress is not None
    wrong_force = [*exact[:3], replace(exact[3], forces=exact[3].forces + 5 * frames.direction)]
    wrong_stress = [*exact[:3], replace(exact[3], stress=exact[3].stress + 1e-3)]
    named = [
        replace(certificate, differences=compare(frames, potential, wrong)).problems
        for wrong in (wrong_force, wrong_stress)
    ]
    assert ["forces" in named[0][0], "frequency" in named[0][1]] == [True, True]
    assert ["membrane stress" in text for text in named[1]] == [True]


def test_phonopy_reads_back_the_same_force_constants(unit: Atoms, tmp_path: Path) -> None:
    phonon = make_phonopy(unit, (3, 3))
    phonon.force_constants = springs(to_ase(phonon.supercell)).dense()
    certificate = export_force_constants(phonon, tolerance=1e-3, scratch=tmp_path, remarks=[])
    assert certificate.metrics["max_frequency"] > 1.0
    assert certificate.metrics["frequency_difference"] < 1e-6
    assert certificate.metrics["max_force_constant_difference"] < 1e-12
    for source in ("phonopy_params.yaml", "FORCE_CONSTANTS", "force_constants.hdf5"):
        loaded = load_exported(tmp_path, source)
        np.testing.assert_allclose(frequencies(loaded), frequencies(phonon), atol=1e-6)
    wrong = replace(certificate, frequencies=certificate.frequencies * np.array([1.0, 1.01])[:, None, None])
    assert "phonopy's frequencies deviate" in wrong.problems[0]


def test_command_writes_a_certificate_and_refuses_what_it_cannot_export(
    model_file: Path, sheet: Atoms, tmp_path: Path
) -> None:
    write(tmp_path / "sheet.extxyz", sheet)
    model, options = f"mace:{model_file}", ("--sheet", "sheet.extxyz")
    done = run(tmp_path, "export", model, "--to", "ase", *options, "-o", "out")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert record["kind"] == "model export"
    assert record["config"]["to"] == "ase"
    assert sorted(record["details"]["files"]) == ["calculator.py", "model.model"]
    again = run(tmp_path, "export", model, "--to", "ase", *options, "-o", "out")
    assert again.returncode == 0

    refusals = {
        (model, "--to", "lammps"): "--sheet",
        (f"committee:{model_file},{model_file}", "--to", "lammps", *options): "export a member",
        ("ase:ase.calculators.emt:EMT", "--to", "ase", *options): "calculator()",
        (model, "--to", "phonopy"): "flatforce phonons",
        ("out", "--to", "phonopy"): "flatforce phonons",
        ("out", "--to", "lammps", *options): "model.model",
    }
    for arguments, fix in refusals.items():
        refused = run(tmp_path, "export", *arguments, "-o", "other")
        assert refused.returncode == 2, arguments
        assert fix in refused.stderr, refused.stderr
        assert not (tmp_path / "other" / "result.json").exists()


def test_lammps_itself_computes_the_same_for_a_vacancy(tmp_path: Path) -> None:
    environment = lammps_environment()
    if environment is None:
        pytest.skip("no environment of lammps")
    import flatforce as ff

    potential = load("mace:wse2-pbe", device="cpu")
    vacancy = build_defect(ff.monolayer("WSe2"), (6, 6), "v_Se:top").atoms
    vacancy.rattle(0.05, seed=1)
    slab = to_lammps_cell(vacancy, cutoff=potential.cutoff)
    assert len(slab) == 107
    write_mliap(load_double("wse2-pbe"), tmp_path / "model.pt")
    (inside,) = predict_in_lammps(tmp_path / "model.pt", [slab], environment.python)
    ours = potential.evaluate(slab)
    assert np.abs(ours.forces).max() > 1.0
    np.testing.assert_allclose(inside.forces, ours.forces, atol=ROUND_OFF)
    assert inside.stress is not None
    assert ours.stress is not None
    np.testing.assert_allclose(inside.stress[:2, :2], ours.stress[:2, :2], rtol=UNIT_CONVERSION, atol=1e-10)


def test_written_input_file_runs_in_lammps(nonlinear_model: Path, unit: Atoms, tmp_path: Path) -> None:
    environment = lammps_environment()
    if environment is None:
        pytest.skip("no environment of lammps")
    certificate = export_model(
        load(f"mace:{nonlinear_model}"), unit, CONFIG, to="lammps", scratch=tmp_path / "export"
    )
    assert certificate.problems == []
    shutil.copytree(tmp_path / "export", tmp_path / "run")
    small = ["-var", "nx", "2", "-var", "ny", "2", "-var", "steps", "2", "-log", "none"]
    output = run_in_lammps(tmp_path / "run" / "in.lammps", small, environment.python)
    assert "for 2 steps with 12 atoms" in output
    assert "Masses" in data_text(unit)
