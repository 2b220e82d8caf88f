"""Force constants: analytic local rows against the whole cell and finite differences; sparse in and out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.arrays import FloatArray, IntArray
from flatforce.core.errors import ConfigError, DataError, ModelError
from flatforce.core.trust import trust
from flatforce.models import Potential, load
from flatforce.models.backends.mace import MaceBackend
from flatforce.models.finite_difference_hessian import ClusterHessian
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.force_constants.engines import fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy
from flatforce.properties.phonons.force_constants.local_rows import (
    force_constants_by_symmetry,
    irreducible_atoms,
    local_rows,
)
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.structures.defects import build_defect
from flatforce.structures.neighbour_graph import build_neighbour_graph, k_hop_neighbourhood
from flatforce.structures.strain import rattle_positions
from flatforce.structures.symmetry import find_symmetry
from hessians import whole_rows

ROUND_OFF = 1e-10
"""Of the largest block, in float64."""

COARSE = 1e-3
"""Of the largest block: central differences of 0.005 Å of this random model, rattled, leave 6e-4."""

DIFFERENCES = 1e-9
"""Of the largest block: round-off of forces over a displacement of 0.005 Å."""

TRUNCATION = 1e-4
"""Of the largest block: central differences of 0.002 Å leave 1e-5 of it."""


@pytest.fixture
def vacancy(potential: Potential, unit: Atoms) -> Atoms:
    return build_defect(pad_vacuum(unit, potential.cutoff), (4, 4), "v_Se:top").atoms


def whole(potential: Potential, cell: Atoms, centre: int) -> FloatArray:
    hessian = potential.hessian(cell)
    assert hessian is not None
    return whole_rows(hessian, centre)


def test_local_rows_are_exact(potential: Potential, unit: Atoms, rng: np.random.Generator) -> None:
    """In a cell so large that a row of the 4 Å model does not take in all of it."""
    defect = build_defect(pad_vacuum(unit, potential.cutoff), (7, 7), "v_Se:top")
    cell = rattle_positions(defect.atoms, amplitude=0.05, rng=rng)
    hessian = potential.hessian(cell)
    assert hessian is not None
    for centre in (40, len(cell) - 1):
        atoms, blocks = hessian.rows(centre)
        assert len(atoms) == hessian.count_row_atoms(centre) < len(cell)
        expected = whole_rows(hessian, centre)
        row = np.zeros_like(expected)
        row[atoms] = blocks
        np.testing.assert_allclose(row, expected, atol=ROUND_OFF * np.abs(expected).max())
        assert np.abs(expected).max() > 0.1


def test_rows_are_differences_of_forces(potential: Potential, sheet: Atoms, rng: np.random.Generator) -> None:
    step, centre = 0.002, 5
    cell = rattle_positions(sheet, amplitude=0.05, rng=rng)
    row = whole(potential, cell, centre)
    for axis in range(3):
        forces = []
        for sign in (1, -1):
            displaced = cell.copy()
            displaced.positions[centre, axis] += sign * step
            forces.append(potential.evaluate([displaced], stress=False)[0].forces)
        difference = -(forces[0] - forces[1]) / (2 * step)
        np.testing.assert_allclose(row[:, axis], difference, atol=TRUNCATION * np.abs(row).max())


def test_symmetry_gives_the_other_rows(potential: Potential, vacancy: Atoms, tmp_path: Path) -> None:
    symmetry = find_symmetry(vacancy)
    centres = irreducible_atoms(symmetry)
    assert len(centres) < len(vacancy) / 3
    rows = local_rows(potential, vacancy, centres, scratch=tmp_path)
    assert rows is not None
    assert rows.check_difference is not None
    constants = force_constants_by_symmetry(vacancy, rows, symmetry)
    dense = constants.dense()
    others = [i for i in range(len(vacancy)) if i not in centres][::20]
    assert others
    for centre in others:
        expected = whole(potential, vacancy, centre)
        np.testing.assert_allclose(dense[centre], expected, atol=ROUND_OFF * np.abs(expected).max())
    assert abs(constants.matrix - constants.matrix.T).max() == 0


@pytest.mark.parametrize("defect", [None, "v_Se:top"])
def test_engines_agree(potential: Potential, unit: Atoms, tmp_path: Path, defect: str | None) -> None:
    cell = pad_vacuum(unit, potential.cutoff)
    repeats = (3, 3)
    if defect is not None:
        cell, repeats = build_defect(cell, repeats, defect).atoms, (1, 1)
    constants = []
    for engine in ("rows", "displacements"):
        phonon = make_phonopy(cell, repeats)
        done = fill_force_constants(
            phonon,
            potential,
            engine=engine,  # type: ignore[arg-type]  # one of the names
            displacement=0.002,
            scratch=tmp_path / engine,
        )
        assert engine.rstrip("s")[:3] in done.engine
        constants.append(np.asarray(phonon.force_constants))
    assert constants[0].shape == constants[1].shape
    largest = np.abs(constants[1]).max()
    assert np.abs(constants[0] - constants[1]).max() < TRUNCATION * largest
    assert np.abs(constants[0] - constants[1]).max() > 0


def test_rows_on_disk_are_not_computed_again(potential: Potential, vacancy: Atoms, tmp_path: Path) -> None:
    first = local_rows(potential, vacancy, [0, 3], scratch=tmp_path)
    files = sorted(tmp_path.iterdir())
    times = [file.stat().st_mtime_ns for file in files]
    again = local_rows(potential, vacancy, [0, 3, 4], scratch=tmp_path)
    assert [file.stat().st_mtime_ns for file in files] == times
    assert len(list(tmp_path.iterdir())) == len(files) + 1
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(again.blocks[1], first.blocks[1])


def test_a_model_with_a_longer_range_than_declared_is_refused(
    potential: Potential, vacancy: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flatforce.models.backends.mace_hessian import MaceHessian

    exact_rows = MaceHessian.rows

    def truncated_rows(self: MaceHessian, centre: int) -> tuple[IntArray, FloatArray]:
        atoms, blocks = exact_rows(self, centre)
        return atoms[:40], blocks[:40]

    monkeypatch.setattr(MaceHessian, "rows", truncated_rows)
    with pytest.raises(ModelError, match="differs from the whole"):
        local_rows(potential, vacancy, [0], scratch=tmp_path)


def test_rows_at_once_are_those_one_by_one(potential: Potential, vacancy: Atoms) -> None:
    import torch

    hessian = potential.hessian(vacancy)
    assert hessian is not None
    n_threads, centres = torch.get_num_threads(), [5, 2, 40]
    torch.set_num_threads(3)
    try:
        rows = list(hessian.rows_of(centres))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(n_threads)
    for centre, (atoms, blocks) in zip(centres, rows, strict=True):
        expected_atoms, expected = hessian.rows(centre)
        np.testing.assert_array_equal(atoms, expected_atoms)
        np.testing.assert_allclose(blocks, expected, atol=ROUND_OFF * np.abs(expected).max())


def test_rows_of_a_committee_are_the_mean(model_file: Path, sheet: Atoms, tmp_path: Path) -> None:
    """Two models, the second with all weights of the last readout doubled."""
    import torch

    from flatforce.models import load

    second_model = torch.load(model_file, weights_only=False)
    second_model.scale_shift.scale *= 2
    torch.save(second_model, tmp_path / "other.model")
    trust(tmp_path / "other.model")
    first, second = load(f"mace:{model_file}"), load(f"mace:{tmp_path / 'other.model'}")
    committee = load(f"committee:{model_file},{tmp_path / 'other.model'}").hessian(sheet)
    assert committee is not None
    expected = (whole(first, sheet, 3) + whole(second, sheet, 3)) / 2
    assert not np.allclose(expected, whole(first, sheet, 3), atol=1e-3)
    atoms, blocks = committee.rows(3)
    row = np.zeros_like(expected)
    row[atoms] = blocks
    np.testing.assert_allclose(row, expected, atol=ROUND_OFF * np.abs(expected).max())
    np.testing.assert_allclose(whole_rows(committee, 3), expected, atol=ROUND_OFF * np.abs(expected).max())


def test_unknown_interaction_range_uses_displacements(unit: Atoms, tmp_path: Path) -> None:
    copper = unit.copy()
    copper.symbols = ["Cu"] * 3
    forces_only = load("ase:ase.calculators.emt:EMT")
    phonon = make_phonopy(pad_vacuum(copper, forces_only.cutoff), (2, 2))
    done = fill_force_constants(phonon, forces_only, engine="auto", displacement=0.01, scratch=tmp_path)
    assert "is unknown" in done.engine
    with pytest.raises(ConfigError, match="is unknown"):
        fill_force_constants(phonon, forces_only, engine="rows", displacement=0.01, scratch=tmp_path)


@pytest.mark.parametrize(("size", "wraps"), [(11, False), (4, True)])
def test_clusters_give_the_rows_of_the_whole_cell(
    potential: Potential, unit: Atoms, rng: np.random.Generator, size: int, *, wraps: bool
) -> None:
    cell = rattle_positions(
        build_defect(pad_vacuum(unit, potential.cutoff), (size, size), "v_Se:top").atoms,
        amplitude=0.05,
        rng=rng,
    )
    hessian = ClusterHessian(potential.backend, cell)
    centre = 17
    atoms, blocks = hessian.rows(centre)
    assert (hessian.count_row_atoms(centre) < len(cell)) is not wraps
    row = np.zeros((len(cell), 3, 3))
    row[atoms] = blocks
    differences = whole_rows(hessian, centre)
    np.testing.assert_allclose(row, differences, atol=DIFFERENCES * np.abs(differences).max())
    analytic = whole(potential, cell, centre)
    assert np.abs(row - analytic).max() < COARSE * np.abs(analytic).max()


def test_a_cluster_that_is_cut_too_small_is_wrong(potential: Potential, unit: Atoms) -> None:
    cell = build_defect(pad_vacuum(unit, potential.cutoff), (11, 11), "v_Se:top").atoms
    hessian = ClusterHessian(potential.backend, cell)
    exact = whole_rows(hessian, 0)
    atoms, _ = k_hop_neighbourhood(hessian.graph, 0, 2)
    cluster = cell[atoms]
    differences = whole_rows(ClusterHessian(potential.backend, cluster), 0)
    assert np.abs(differences - exact[atoms]).max() > 100 * DIFFERENCES * np.abs(exact).max()


@pytest.mark.slow
def test_known_interaction_range_uses_clusters(unit: Atoms, tmp_path: Path) -> None:
    """EMT of copper; its smooth cutoff ends at 5.7 Å, and an atom's density makes it two layers deep."""
    copper = unit.copy()
    copper.symbols = ["Cu"] * 3
    potential = load("ase:ase.calculators.emt:EMT?cutoff=6.0")
    cell = build_defect(pad_vacuum(copper, potential.cutoff), (9, 9), "v_Cu:top").atoms
    constants = []
    for engine in ("rows", "displacements"):
        phonon = make_phonopy(cell, (1, 1))
        done = fill_force_constants(
            phonon,
            potential,
            engine=engine,  # type: ignore[arg-type]  # one of the names
            displacement=0.005,
            scratch=tmp_path / engine,
        )
        assert ("clusters" in done.engine) is (engine == "rows")
        constants.append(np.asarray(phonon.force_constants))
    assert np.abs(constants[0] - constants[1]).max() < TRUNCATION * np.abs(constants[1]).max()


def test_compiled_kernels_give_the_forces_of_torch(sheet: Atoms, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("symmetrix")
    from flatforce.models.backends import symmetrix

    monkeypatch.setattr(
        symmetrix, "execution_mode", lambda: "non-compiled"
    )  # a kernel takes minutes to compile
    compiled, torch = load("symmetrix:wse2-pbe"), load("mace:wse2-pbe")
    first, second = (potential.evaluate([sheet])[0] for potential in (compiled, torch))
    assert np.abs(first.forces - second.forces).max() < symmetrix.FORCE_TOLERANCE["float64"]
    assert np.abs(second.forces).max() > 0.1
    assert first.energy == pytest.approx(second.energy, abs=1e-4)
    assert first.membrane_stress == pytest.approx(second.membrane_stress, abs=1e-3)
    backend = compiled.backend
    assert isinstance(backend, symmetrix.SymmetrixBackend)
    assert backend.max_force_difference
    backend.max_force_difference = None
    backend.torch_backend.model.scale_shift.scale *= 1.01
    with pytest.raises(ModelError, match="differ from those of mace-torch"):
        compiled.evaluate([sheet])


def test_without_the_kernels_it_is_torch(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(load(f"symmetrix:{model_file}").backend, MaceBackend)  # its l_max is not supported
    monkeypatch.setitem(sys.modules, "symmetrix", None)
    assert isinstance(load(f"symmetrix:{model_file}").backend, MaceBackend)


def test_k_hop_neighbourhoods_are_those_of_the_quotient_graph(unit: Atoms) -> None:
    """Against breadth-first search by hand, in a cell so small that atoms meet their own images."""
    for repeats in ((1, 1), (4, 3)):
        cell = pad_vacuum(unit, 4.0).repeat((*repeats, 1))
        graph = build_neighbour_graph(cell, 4.0)
        for centre in (0, len(cell) - 1):
            distances, front = {centre: 0}, [centre]
            for distance in range(1, 4):
                front = [
                    int(i)
                    for k in front
                    for i in graph.sender[graph.start[k] : graph.start[k + 1]]
                    if i not in distances
                ]
                distances |= dict.fromkeys(front, distance)
            atoms, hops = k_hop_neighbourhood(graph, centre, 3)
            assert dict(zip(atoms.tolist(), hops.tolist(), strict=True)) == distances
            assert atoms[0] == centre
            assert (np.diff(hops) >= 0).all()


def small_force_constants(unit: Atoms, rng: np.random.Generator) -> SparseForceConstants:
    cell = unit.repeat((2, 2, 1))
    first, second = rng.integers(0, len(cell), size=(2, 40))
    return SparseForceConstants.from_blocks(cell, first, second, rng.normal(size=(40, 3, 3)))


def test_sparse_and_dense_are_the_same(unit: Atoms, rng: np.random.Generator, tmp_path: Path) -> None:
    constants = small_force_constants(unit, rng)
    dense = constants.dense()
    np.testing.assert_array_equal(SparseForceConstants.from_dense(constants.atoms, dense).dense(), dense)
    flat = dense.transpose(0, 2, 1, 3).reshape(36, 36)
    np.testing.assert_array_equal(constants.matrix.toarray(), flat)
    masses = np.repeat(constants.atoms.get_masses(), 3)
    np.testing.assert_allclose(
        constants.dynamical_matrix().toarray(), flat / np.sqrt(np.outer(masses, masses)), atol=1e-12
    )
    np.testing.assert_allclose(constants.symmetrise().matrix.toarray(), (flat + flat.T) / 2, atol=1e-15)
    constants.save(tmp_path / "fc.hdf5")
    back = SparseForceConstants.load(tmp_path / "fc.hdf5")
    np.testing.assert_array_equal(back.dense(), dense)
    assert back.atoms.get_chemical_symbols() == constants.atoms.get_chemical_symbols()


def test_other_files_are_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "theirs.hdf5", "w") as file:
        file["force_constants"] = np.zeros((2, 2, 3, 3))
    with pytest.raises(DataError, match="no sparse force constants"):
        SparseForceConstants.load(tmp_path / "theirs.hdf5")
    (tmp_path / "cut.hdf5").write_bytes((tmp_path / "theirs.hdf5").read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        SparseForceConstants.load(tmp_path / "cut.hdf5")
