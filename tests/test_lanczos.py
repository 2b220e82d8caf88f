"""Lanczos spectra: exact moments, the spectrum of diagonalisation, the mass defect in a chain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from flatforce.core.arrays import FloatArray
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.sparse_products import torch_product
from flatforce.properties.phonons.spectra.lanczos import lanczos, required_steps
from flatforce.properties.phonons.spectra.modes import gaussian_dos

STEP = 0.01
"""THz, of the grid."""


def chain(count: int, epsilon: float) -> sp.csr_matrix:
    """A ring of unit masses and springs in which the middle mass is 1 − ε."""
    masses = np.ones(count)
    masses[count // 2] = 1 - epsilon
    ring = 2 * np.eye(count) - np.roll(np.eye(count), 1, axis=0) - np.roll(np.eye(count), -1, axis=0)
    return sp.csr_matrix(ring / np.sqrt(np.outer(masses, masses)))


def at(count: int, *places: int) -> FloatArray:
    vectors = np.zeros((count, len(places)))
    vectors[list(places), range(len(places))] = 1.0
    return vectors


def test_moments_are_exact(rng: np.random.Generator) -> None:
    """Up to 2 S − 1; the first and second say ⟨ω²⟩ = D_ii and ⟨ω⁴⟩ = (D²)_ii."""
    matrix = rng.normal(size=(60, 60))
    matrix = matrix @ matrix.T / 60
    chains = lanczos(sp.csr_matrix(matrix), at(60, 7), 6)
    frequencies, weights = chains.nodes(0)
    squares = (frequencies / FREQUENCY_FACTOR) ** 2
    assert weights.sum() == pytest.approx(1)
    power = np.eye(60)
    for k in range(1, 12):
        power = power @ matrix
        assert (weights * squares**k).sum() == pytest.approx(power[7, 7], rel=1e-9)
    power = power @ matrix
    assert (weights * squares**12).sum() != pytest.approx(power[7, 7], rel=1e-6)


def test_product_by_torch_is_the_same(rng: np.random.Generator) -> None:
    """What runs on a GPU, run here; `auto` takes it only where there is one."""
    matrix, vectors = chain(300, 0.3), rng.normal(size=(300, 4))
    product = torch_product(matrix, "cpu")
    assert product is not None
    np.testing.assert_allclose(product(vectors), matrix @ vectors, atol=1e-13)
    first, second = (lanczos(matrix, vectors, 40, product=one) for one in (None, product))
    np.testing.assert_allclose(first.alpha, second.alpha, atol=1e-12)
    np.testing.assert_allclose(first.beta, second.beta, atol=1e-12)
    import torch

    assert (torch_product(matrix) is None) is not torch.cuda.is_available()


@pytest.mark.parametrize("threads", [1, 3])
def test_spectrum_is_that_of_diagonalisation(threads: int) -> None:
    count = 400
    matrix = chain(count, 0.3)
    vectors = at(count, 200, 201, 10)
    top = 2.2 * FREQUENCY_FACTOR
    grid = np.arange(-5 * 2.0, top, STEP)
    broadening = 0.6
    chains = lanczos(matrix, vectors, required_steps(broadening, top=top), threads=threads)
    squares, modes = np.linalg.eigh(matrix.toarray())
    frequencies = np.sqrt(np.abs(squares))[None] * FREQUENCY_FACTOR
    for found, place in zip(chains.dos(grid, broadening), (200, 201, 10), strict=True):
        wanted = gaussian_dos(frequencies, modes[place][None] ** 2, grid, broadening)
        assert np.abs(found - wanted).sum() / wanted.sum() < 0.01
        assert found.sum() * STEP == pytest.approx(1, abs=2e-3)
    assert 0 < chains.convergence_error(grid, broadening) < 0.05
    few = lanczos(matrix, vectors, 8)
    assert few.convergence_error(grid, broadening) > 0.1


def test_a_light_mass_has_the_local_mode_of_the_formula() -> None:
    """ω_L² = ω_max² / (1 − ε²) and its weight on the light mass, both closed forms."""
    epsilon, count = 0.4, 301
    chains = lanczos(chain(count, epsilon), at(count, count // 2), 80)
    frequencies, weights = chains.nodes(0)
    local = 2 / np.sqrt(1 - epsilon**2) * FREQUENCY_FACTOR
    assert frequencies[-1] == pytest.approx(local, rel=1e-9)
    decay = ((1 - epsilon) / (1 + epsilon)) ** 2
    norm = (1 - epsilon) + 2 * decay / (1 - decay)
    here = np.isclose(frequencies, local, rtol=1e-6)  # round-off lets a converged node come twice
    assert weights[here].sum() == pytest.approx((1 - epsilon) / norm, rel=1e-6)


def test_a_chain_ends_where_its_space_does() -> None:
    matrix = sp.block_diag([chain(4, 0.0), chain(50, 0.0)]).tocsr()
    chains = lanczos(matrix, at(54, 0, 20), 20)
    frequencies, weights = chains.nodes(0)
    assert len(frequencies) == 3  # 0, √2 twice, 2: the symmetric combination of the pair alone
    np.testing.assert_allclose(np.sort(np.abs(frequencies)) / FREQUENCY_FACTOR, [0, np.sqrt(2), 2], atol=1e-6)
    assert weights.sum() == pytest.approx(1)
    assert len(chains.nodes(1)[0]) == 20
