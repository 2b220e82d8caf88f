"""From the command line: a small cell, embedded in a larger one, on one page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from typer.testing import CliRunner

from flatforce.cli import app
from flatforce.core.arrays import FloatArray
from flatforce.core.results import read_arrays, read_record
from flatforce.core.units import FREQUENCY_FACTOR, HBAR
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.spectra.modes import gaussian_dos


@pytest.mark.slow
def test_embedded_spectrum_is_that_of_diagonalisation(model_file: Path, unit: Atoms, tmp_path: Path) -> None:
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    (tmp_path / "c.yaml").write_text(
        "relaxation: {relax_cell: false, max_steps: 1}\nmesh: 3\npoints_per_segment: 2\nshells: [3.0, 4.5]\n"
    )
    command = [
        "defect",
        "phonons",
        str(model_file),
        str(tmp_path / "unit.extxyz"),
        "v_Se:top",
        "-s",
        "3",
        "3",
    ]
    command += ["--embed", "5", "-c", str(tmp_path / "c.yaml"), "-o", str(tmp_path / "out")]
    CliRunner().invoke(app, command, catch_exceptions=False)
    folder = tmp_path / "out" / "embedded_5x5"
    record, arrays = read_record(folder), read_arrays(folder)
    assert record["metrics"]["n_atoms"] == 74
    assert record["metrics"]["convergence_error"] < 0.01
    constants = SparseForceConstants.load(folder / "sparse_force_constants.hdf5")
    squares, vectors = np.linalg.eigh(constants.dynamical_matrix().toarray())
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    grid = arrays["frequency"]
    weight = (vectors.reshape(74, 3, -1) ** 2).sum(axis=1)
    assert grid[0] == 0
    images = np.concatenate([frequencies, -frequencies])[None]  # what is broadened below zero is added above

    def broadened(mode_weights: np.ndarray) -> np.ndarray:
        return gaussian_dos(images, np.tile(mode_weights, 2)[None], grid, 0.08)

    dos = np.array([broadened(atom_weight) for atom_weight in weight])
    real = frequencies[frequencies > 0]
    assert real.max() < grid[-1]
    near = np.argsort(np.abs(dos - arrays["shell_ldos"][0]).sum(axis=1))[:3]
    assert int(arrays["shell_sites"][0]) == 3  # the metal atoms about the vacancy, alike by symmetry
    for atom in near:
        assert constants.atoms.symbols[int(atom)] == "W"
        assert np.abs(dos[atom] - arrays["shell_ldos"][0]).sum() / dos[atom].sum() < 1e-3
    symbols = np.array(constants.atoms.get_chemical_symbols())
    for symbol in ("Se", "W"):
        expected = dos[symbols == symbol].mean(axis=0)
        mean, error = arrays[f"dos_{symbol}"]
        assert mean.sum() == pytest.approx(expected.sum(), rel=1e-3)
        deviation = np.sqrt(((mean - expected) ** 2).sum() / (error**2).sum())
        assert deviation < 3
        assert error.sum() < 0.2 * expected.sum()
    normal = (vectors.reshape(74, 3, -1)[near, 2] ** 2).mean(axis=0)
    expected = broadened(normal)
    assert np.abs(expected - arrays["shell_ldos_out_of_plane"][0]).sum() / expected.sum() < 1e-3
    small = SparseForceConstants.load(tmp_path / "out" / "3x3" / "sparse_force_constants.hdf5")
    phonon = make_phonopy(small.atoms, (1, 1))
    phonon.force_constants = small.dense()
    gamma = np.asarray(phonon.run_qpoints([[0, 0, 0]]).frequencies)[0]
    listed_frequencies = read_arrays(tmp_path / "out" / "3x3")["mode_frequencies"]
    assert (
        np.abs(listed_frequencies[:, None] - gamma).min(axis=1).max() < 1e-3
    )  # a listed set may be split by as much
    assert arrays["pristine_shell_ldos"].shape == arrays["shell_ldos"].shape
    for ldos in (arrays["pristine_shell_ldos"][0], arrays["shell_ldos"][0]):
        assert np.trapezoid(ldos, grid) == pytest.approx(3.0, rel=1e-3)
    size = read_record(tmp_path / "out" / "finite_size")
    assert "ldos_difference_3x3_embedded_5x5" in size["metrics"]
    _line_shape(tmp_path / "out", vectors, frequencies, constants)
    page = CliRunner().invoke(app, ["report", str(tmp_path / "out")], catch_exceptions=False)
    assert page.exit_code == 0
    for figure in ("embedding", "line-shape", "defect-thermal"):
        assert any(figure in path.name for path in (tmp_path / "out").rglob("*.png"))


def _line_shape(
    out: Path, vectors: FloatArray, frequencies: FloatArray, constants: SparseForceConstants
) -> None:
    """The three metal atoms driven apart, against the sum over the modes of the large cell."""
    small, folder = read(out / "3x3" / "relaxed.extxyz"), out / "embedded_5x5"
    assert isinstance(small, Atoms)
    small_atom = read_arrays(folder)["small_atom"]
    assert set(small_atom) == {-1, *range(len(small))}
    centre = np.array(read_record(out / "3x3")["details"]["centre"])
    metals = np.flatnonzero(small.numbers == 74)
    near = metals[np.argsort(np.linalg.norm(small.positions[metals] - centre, axis=1))[:3]]
    forces = np.zeros((len(small), 3))
    forces[near] = 0.1 * (small.positions[near] - small.positions[near].mean(axis=0))
    small.arrays["forces"] = forces  # which ASE reads into a calculator
    write(out / "push.extxyz", small, format="extxyz")
    command = ["defect", "lineshape", str(folder), str(out / "push.extxyz"), "-o", str(out / "line")]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    metrics = read_record(out / "line")["metrics"]
    push = np.zeros((74, 3))
    push[small_atom >= 0] = forces[small_atom[small_atom >= 0]]
    along = vectors.T @ (push / np.sqrt(constants.atoms.get_masses())[:, None]).ravel()
    real = frequencies > 0.02
    omega = frequencies[real] / FREQUENCY_FACTOR
    assert metrics["huang_rhys"] == pytest.approx((along[real] ** 2 / (2 * HBAR * omega**3)).sum(), rel=1e-6)
    arrays = read_arrays(out / "line")
    assert np.trapezoid(arrays["shape"], arrays["energy"]) == pytest.approx(1, abs=0.05)
