"""Lanczos spectra: exact moments, agreement with diagonalisation, the local mode of a light mass in a chain."""

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
"""THz, spacing of the frequency grid."""


def chain(count: int, epsilon: float) -> sp.csr_matrix:
    """A ring of unit masses and springs in which the middle mass is 1 − ε."""
    masses = np.ones(count)
    masses[count // 2] = 1 - epsilon
    ring = 2 * np.eye(count) - np.roll(np.eye(count), 1, axis=0) - np.roll(np.eye(count), -1, axis=0)
    return sp.csr_matrix(ring / np.sqrt(np.outer(masses, masses)))


def unit_vectors(count: int, *sites: int) -> FloatArray:
    vectors = np.zeros((count, len(sites)))
    vectors[list(sites), range(len(sites))] = 1.0
    return vectors


def test_moments_are_exact(rng: np.random.Generator) -> None:
    """Moments up to 2 S − 1 are those of the matrix: ⟨ω²⟩ = D_ii, ⟨ω⁴⟩ = (D²)_ii, and so on."""
    matrix = rng.normal(size=(60, 60))
    matrix = matrix @ matrix.T / 60
    chains = lanczos(sp.csr_matrix(matrix), unit_vectors(60, 7), 6)
    frequencies, weights = chains.nodes(0)
    squares = (frequencies / FREQUENCY_FACTOR) ** 2
    assert weights.sum() == pytest.approx(1)
    power = np.eye(60)
    for k in range(1, 12):
        power = power @ matrix
        assert (weights * squares**k).sum() == pytest.approx(power[7, 7], rel=1e-9)
    power = power @ matrix
    assert (weights * squares**12).sum() != pytest.approx(power[7, 7], rel=1e-6)


def test_product_by_torch_agrees(rng: np.random.Generator) -> None:
    """The product for a GPU, here on the CPU; by default it is used only where a GPU is available."""
    matrix, vectors = chain(300, 0.3), rng.normal(size=(300, 4))
    product = torch_product(matrix, "cpu")
    assert product is not None
    np.testing.assert_allclose(product(vectors), matrix @ vectors, atol=1e-13)
    first, second = (lanczos(matrix, vectors, 40, product=multiply) for multiply in (None, product))
    np.testing.assert_allclose(first.alpha, second.alpha, atol=1e-12)
    np.testing.assert_allclose(first.beta, second.beta, atol=1e-12)
    import torch

    assert (torch_product(matrix) is None) is not torch.cuda.is_available()


@pytest.mark.parametrize("threads", [1, 3])
def test_spectrum_agrees_with_diagonalisation(threads: int) -> None:
    count = 400
    matrix = chain(count, 0.3)
    vectors = unit_vectors(count, 200, 201, 10)
    top = 2.2 * FREQUENCY_FACTOR
    grid = np.arange(-5 * 2.0, top, STEP)
    broadening = 0.6
    chains = lanczos(matrix, vectors, required_steps(broadening, top=top), threads=threads)
    squares, modes = np.linalg.eigh(matrix.toarray())
    frequencies = np.sqrt(np.abs(squares))[None] * FREQUENCY_FACTOR
    for spectrum, site in zip(chains.dos(grid, broadening), (200, 201, 10), strict=True):
        expected = gaussian_dos(frequencies, modes[site][None] ** 2, grid, broadening)
        assert np.abs(spectrum - expected).sum() / expected.sum() < 0.01
        assert spectrum.sum() * STEP == pytest.approx(1, abs=2e-3)
    assert 0 < chains.convergence_error(grid, broadening) < 0.05
    short_chains = lanczos(matrix, vectors, 8)
    assert short_chains.convergence_error(grid, broadening) > 0.1


def test_a_light_mass_has_the_local_mode_of_the_formula() -> None:
    """ω_L² = ω_max² / (1 − ε²) and its weight on the light mass, both closed forms."""
    epsilon, count = 0.4, 301
    chains = lanczos(chain(count, epsilon), unit_vectors(count, count // 2), 80)
    frequencies, weights = chains.nodes(0)
    local = 2 / np.sqrt(1 - epsilon**2) * FREQUENCY_FACTOR
    assert frequencies[-1] == pytest.approx(local, rel=1e-9)
    decay = ((1 - epsilon) / (1 + epsilon)) ** 2
    norm = (1 - epsilon) + 2 * decay / (1 - decay)
    local_nodes = np.isclose(frequencies, local, rtol=1e-6)  # round-off duplicates a converged node
    assert weights[local_nodes].sum() == pytest.approx((1 - epsilon) / norm, rel=1e-6)


def test_a_chain_ends_where_its_krylov_space_is_exhausted() -> None:
    matrix = sp.block_diag([chain(4, 0.0), chain(50, 0.0)]).tocsr()
    chains = lanczos(matrix, unit_vectors(54, 0, 20), 20)
    frequencies, weights = chains.nodes(0)
    assert len(frequencies) == 3  # 0, √2 twice, 2: the symmetric combination of the pair alone
    np.testing.assert_allclose(np.sort(np.abs(frequencies)) / FREQUENCY_FACTOR, [0, np.sqrt(2), 2], atol=1e-6)
    assert weights.sum() == pytest.approx(1)
    assert len(chains.nodes(1)[0]) == 20
