"""The dilute limit: a periodic Green function is the supercell, an infinite one what supercells tend to."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.arrays import FloatArray
from flatforce.core.errors import GeometryError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.config import DiluteConfig
from flatforce.properties.phonons.defects.dilute_limit import dilute_limit
from flatforce.properties.phonons.defects.dilute_result import DiluteLimit
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells
from flatforce.properties.phonons.force_constants.embedding import Embedding
from flatforce.properties.phonons.spectra.modes import gaussian_dos
from springs import embedded_springs

BROADENING = 0.3
"""THz; bands of the springs end near 8 THz."""

RADII = [4.0, 6.0]
"""Å."""

EXACT = 1e-5
"""Of a DOS; the line's kernel cuts off at 8 standard deviations and the grid at exp(-6π)."""


def dilute(embedded: Embedding, mesh: int) -> DiluteLimit:
    return dilute_limit(embedded, DiluteConfig(mesh=mesh), radii=RADII, broadening=BROADENING)


def modes(embedded: Embedding) -> tuple[FloatArray, FloatArray]:
    squares, vectors = np.linalg.eigh(embedded.force_constants.dynamical_matrix().toarray())
    frequencies: FloatArray = np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    return frequencies, vectors


def folded(frequencies: FloatArray, weights: FloatArray, grid: FloatArray) -> FloatArray:
    """What leaks below zero comes back, as in the spectrum of an infinite sheet."""
    sides = [gaussian_dos(frequencies[None], weights[None], sign * grid, BROADENING) for sign in (1, -1)]
    dos: FloatArray = np.sum(sides, axis=0)
    return dos


def shell_ldos(embedded: Embedding, grid: FloatArray) -> FloatArray:
    frequencies, vectors = modes(embedded)
    weights = (vectors.reshape(-1, 3, len(frequencies)) ** 2).sum(axis=1)
    shells = defect_shells(embedded.cell, RADII)
    return np.array([folded(frequencies, weights[shells == s].mean(axis=0), grid) for s in (0, 1)])


@pytest.mark.parametrize(
    ("defect", "states"), [("v_Se:top", -3), ("S@Se:top", 0), ("Se@W", 0), ("ad_Se@W:top", 3)]
)
def test_the_mesh_of_the_supercell_reproduces_the_supercell(unit: Atoms, defect: str, states: int) -> None:
    """Of vacancies, other masses, springs of an antisite, and added atoms."""
    embedded = embedded_springs(unit, 7, defect)
    limit = dilute(embedded, 7)
    expected = shell_ldos(embedded, limit.frequency)
    np.testing.assert_allclose(limit.shell_ldos[1], expected, atol=EXACT * expected.max())
    assert np.abs(limit.shell_ldos[1] - limit.shell_ldos[0]).max() > 0.02 * expected.max()
    pristine = embedded_springs(unit, 7, "Se@Se:top")
    totals = []
    for embedding in (pristine, embedded):
        frequencies, _ = modes(embedding)
        totals.append(folded(frequencies, np.ones_like(frequencies), limit.frequency))
    np.testing.assert_allclose(limit.difference, totals[1] - totals[0], atol=EXACT * totals[0].max())
    assert limit.metrics["removed_states"] == pytest.approx(states, abs=0.01)
    assert np.trapezoid(limit.shell_ldos, limit.frequency, axis=2) == pytest.approx(3, abs=0.02)
    assert limit.problems == []


def test_supercells_converge_to_the_dilute_limit(unit: Atoms) -> None:
    limit = dilute(embedded_springs(unit, 10, "v_Se:top"), 96)
    finer = dilute(embedded_springs(unit, 10, "v_Se:top"), 128)
    step = limit.frequency[1]
    assert np.abs(limit.shell_ldos - finer.shell_ldos).sum() * step < 1e-4
    differences = []
    for size in (5, 8, 12):
        dos = shell_ldos(embedded_springs(unit, size, "v_Se:top"), limit.frequency)
        differences.append(np.abs(dos - limit.shell_ldos[1]).sum() * step / 6)
    assert differences[0] > 1.5 * differences[1] > 2.25 * differences[2]
    assert limit.metrics["removed_states"] == pytest.approx(-3, abs=0.01)
    np.testing.assert_allclose(limit.shell_ldos.sum(axis=2) * step, 3, rtol=0.01)


def test_a_defect_wider_than_its_cell_is_refused(unit: Atoms) -> None:
    with pytest.raises(GeometryError, match="over the border"):
        dilute(embedded_springs(unit, 4, "v_Se:top"), 16)


def test_an_unstable_defect_is_reported(unit: Atoms) -> None:
    """A W atom beside the vacancy is pushed off its site: imaginary, and too slow to show in the count of states."""
    embedded = embedded_springs(unit, 7, "v_Se:top")
    atom = int(np.flatnonzero(defect_shells(embedded.cell, RADII) == 0)[0])
    first, second = embedded.force_constants.pairs
    (block,) = np.flatnonzero((first == atom) & (second == atom))
    embedded.force_constants.blocks[block] -= 12.0 * np.eye(3)
    squares = np.linalg.eigvalsh(embedded.force_constants.dynamical_matrix().toarray())
    assert squares.min() < -((0.1 / FREQUENCY_FACTOR) ** 2)
    limit = dilute(embedded, 7)
    assert limit.lowest_frequency == pytest.approx(-np.sqrt(-squares.min()) * FREQUENCY_FACTOR, rel=1e-3)
    assert any("imaginary" in text for text in limit.problems)


def test_an_unstable_sheet_has_no_spectrum(unit: Atoms) -> None:
    embedded = embedded_springs(unit, 7, "v_Se:top")
    for kind in range(3):
        embedded.host.blocks[kind] = -embedded.host.blocks[kind]
    with pytest.raises(GeometryError, match="imaginary"):
        dilute(embedded, 7)
