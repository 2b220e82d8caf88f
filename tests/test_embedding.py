"""Embedding: no defect changes nothing, exact rows everywhere give the whole cell, and the truncation error is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.errors import GeometryError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models import Potential
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.config import EmbedConfig
from flatforce.properties.phonons.defects.embedded_spectra import embedded_spectra
from flatforce.properties.phonons.force_constants.embedding import Embedding, embed
from flatforce.properties.phonons.force_constants.engines import fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy
from flatforce.properties.phonons.force_constants.large_cell import RelaxedCell, nearest_vectors, site_group
from flatforce.properties.phonons.force_constants.local_rows import local_rows
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.structures.defects import build_defect
from flatforce.structures.symmetry import find_symmetry
from springs import embedded_springs

ROUND_OFF = 1e-9
"""eV/Å²; blocks are of order 10."""

RULES = 1e-8
"""eV/Å² or eV/Å, residuals of the sum rules after the solver."""


def embedded(
    potential: Potential, unit: Atoms, defect: str, scratch: Path, **settings: float | bool
) -> Embedding:
    primitive = pad_vacuum(unit, potential.cutoff)
    small = build_defect(primitive, (3, 3), defect)
    config = EmbedConfig.model_validate(settings)
    return embed(potential, RelaxedCell(primitive, small, small.atoms), config, scratch=scratch)


def test_no_defect_changes_nothing(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    settings = {"supercell": 6, "radius": 4.0, "n_check_rows": 2}
    ruled = embedded(potential, unit, "Se@Se:top", tmp_path, **settings | {"supercell": 14})
    host = ruled.host.constants(14)
    np.testing.assert_allclose(ruled.force_constants.dense(), host.dense(), atol=ROUND_OFF)
    assert host.blocks.max() > 1
    embedding = embedded(potential, unit, "Se@Se:top", tmp_path, sum_rules=False, **settings)
    assert embedding.row_changes.max() < ROUND_OFF
    assert embedding.truncation_error < ROUND_OFF
    cell = embedding.cell.pristine
    rows = local_rows(potential, cell, range(len(cell))[:40:13], scratch=tmp_path)
    assert rows is not None
    dense = embedding.force_constants.dense()
    for centre, members, blocks in zip(rows.centres, rows.atoms, rows.blocks, strict=True):
        expected = np.zeros((len(cell), 3, 3))
        expected[members] = blocks
        np.testing.assert_allclose(dense[centre], expected, atol=ROUND_OFF)


def test_with_every_row_exact_it_is_the_whole_cell(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    embedding = embedded(
        potential, unit, "v_Se:top", tmp_path, supercell=5, radius=100.0, sum_rules=False, n_check_rows=0
    )
    large = embedding.cell.atoms
    rows = local_rows(potential, large, range(len(large)), scratch=tmp_path)
    assert rows is not None
    lengths = [len(members) for members in rows.atoms]
    expected = SparseForceConstants.from_blocks(
        large,
        np.repeat(np.arange(len(large)), lengths),
        np.concatenate(rows.atoms),
        np.concatenate(rows.blocks),
    ).symmetrise()
    np.testing.assert_allclose(embedding.force_constants.dense(), expected.dense(), atol=ROUND_OFF)
    assert np.isnan(embedding.truncation_error)
    assert embedding.row_changes.max() > 0.1


def test_the_error_at_the_rim_is_what_is_left_out(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    settings = {"supercell": 8, "n_check_rows": 3, "sum_rules": False}
    near = embedded(potential, unit, "v_Se:top", tmp_path, radius=4.0, **settings)
    far = embedded(potential, unit, "v_Se:top", tmp_path, radius=7.0, **settings)
    assert 0 < far.truncation_error < near.truncation_error
    dense, truth = near.force_constants.dense(), far.force_constants.dense()
    lateral = np.linalg.norm(
        nearest_vectors(near.cell.atoms.positions, near.cell.centre, near.cell.atoms.cell.array)[:, :2],
        axis=1,
    )
    beyond = np.argsort(lateral, kind="stable")[(lateral <= 4.0).sum() :][:3]
    off = ~np.eye(len(lateral), dtype=bool)[beyond]
    outer = off & (lateral > 4.0)  # what the nearer rows have made exact is not left out
    missed = np.abs(dense[beyond] - truth[beyond]).max(axis=(2, 3))[outer].max()
    assert missed <= near.truncation_error * (1 + 1e-9)
    assert missed > 0


def test_rules_hold_everywhere(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    embedding = embedded(potential, unit, "v_Se:top", tmp_path, supercell=10, radius=4.0, n_check_rows=0)
    residuals_before, residuals_after = embedding.residuals_before, embedding.residuals_after
    assert min(residuals_before.translation, residuals_before.rotation) > 1e-4
    assert max(residuals_after.translation, residuals_after.rotation, residuals_after.permutation) < RULES


def test_host_is_that_of_phonopy(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    embedding = embedded(
        potential, unit, "v_Se:top", tmp_path, supercell=6, radius=2.0, sum_rules=False, n_check_rows=0
    )
    phonon = make_phonopy(embedding.host.primitive, (6, 6))
    fill_force_constants(phonon, potential, engine="rows", displacement=0.01, scratch=tmp_path)
    q = np.array([[0.0, 0.0], [1 / 6, 0.0], [0.5, -1 / 3]])
    expected = np.asarray(phonon.run_qpoints(np.pad(q, ((0, 0), (0, 1)))).frequencies)
    squares = np.linalg.eigvalsh(embedding.host.dynamical_matrices(q))
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    np.testing.assert_allclose(frequencies, expected, atol=1e-5)
    assert frequencies.max() > 1


def test_symmetry_is_kept_and_saves_rows(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    embedding = embedded(potential, unit, "v_Se:top", tmp_path, supercell=12, radius=3.5, n_check_rows=0)
    files = {path.name for path in tmp_path.iterdir()}
    assert len(files) - 3 < len(embedding.row_distances) / 1.5  # three rows are the pristine ones
    large, symmetry = embedding.cell.atoms, find_symmetry(embedding.cell.atoms)
    constants = embedding.force_constants.matrix
    rotation = large.cell.array.T @ symmetry.rotations[2] @ np.linalg.inv(large.cell.array.T)
    assert not np.allclose(rotation, np.eye(3))
    image = symmetry.permutations[2]
    rng = np.random.default_rng(0)
    vector = rng.normal(size=(len(large), 3))
    rotated = np.empty_like(vector)
    rotated[image] = vector @ rotation.T
    rotated_product = np.empty_like(vector)
    rotated_product[image] = (constants @ vector.ravel()).reshape(-1, 3) @ rotation.T
    np.testing.assert_allclose((constants @ rotated.ravel()).reshape(-1, 3), rotated_product, atol=1e-8)
    assert np.abs(rotated_product).max() > 1


def test_what_does_not_fit_is_refused(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="not larger"):
        embedded(potential, unit, "v_Se:top", tmp_path, supercell=3)
    primitive = pad_vacuum(unit, potential.cutoff)
    small = build_defect(primitive, (3, 3), "v_Se:top")
    wider = primitive.copy()
    wider.set_cell(wider.cell.array * [[1.02], [1.02], [1.0]], scale_atoms=True)
    with pytest.raises(GeometryError, match="does not fit"):
        embed(
            potential, RelaxedCell(wider, small, small.atoms), EmbedConfig(supercell=(8, 8)), scratch=tmp_path
        )


def test_operations_are_those_that_keep_the_defect(potential: Potential, unit: Atoms) -> None:
    """The pristine cell has D3h, the vacancy C3v of it; a radius up to the border leaves the identity alone."""
    primitive = pad_vacuum(unit, potential.cutoff)
    relaxed = primitive.repeat((3, 3, 1))
    large = build_defect(primitive, (8, 8), "v_Se:top")
    vectors = nearest_vectors(large.atoms.positions, large.centre, large.atoms.cell.array)
    group = site_group(relaxed, large.atoms, vectors, 6.0)
    assert len({tuple(rotation.round(6).ravel() + 0.0) for rotation in group.rotations}) == 6
    assert len(find_symmetry(primitive).rotations) == 12
    for rotation, image in zip(group.rotations, group.permutations, strict=True):
        inner = np.linalg.norm(vectors[:, :2], axis=1) <= 6.0
        np.testing.assert_allclose(vectors[image][inner], vectors[inner] @ rotation.T, atol=1e-6)
    assert len(site_group(relaxed, large.atoms, vectors, 14.0).rotations) == 1


def test_problems_are_reported(unit: Atoms) -> None:
    spectra = embedded_spectra(embedded_springs(unit, 6, "v_Se:top"), radii=[4.0], broadening=0.3)
    assert spectra.problems == []
    residuals = replace(spectra.embedding.residuals_after, rotation=1e-6)
    failed = replace(
        spectra,
        lowest_frequency=-0.4,
        convergence_error=0.02,
        embedding=replace(spectra.embedding, residuals_after=residuals, sum_rules=True),
    )
    problems = " ".join(failed.problems)
    assert "-0.400 THz" in problems
    assert "2.0%" in problems
    assert "1.0e-06" in problems
