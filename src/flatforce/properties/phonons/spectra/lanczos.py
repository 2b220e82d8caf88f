"""Local densities of states of sparse dynamical matrices by Lanczos chains (Haydock's recursion), without diagonalisation.

A chain of S steps from a vector v gives the Gauss quadrature of ⟨v|δ(ω² − D)|v⟩: its first 2 S moments are exact.
Its nodes lie π ω²_max / (2 S) apart in ω² in the middle of the spectrum; a Gaussian wider than that, put on each, gives
the local DOS that diagonalisation and the same Gaussian would. Source: R. Haydock, V. Heine, M. J. Kelly, J. Phys. C 5,
2845 (1972); A. Weiße et al., Rev. Mod. Phys. 78, 275 (2006).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh_tridiagonal

from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.spectra.modes import gaussian_dos

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.sparse_products import Product

EXHAUSTED = 1e-12
"""A chain ends where its next vector is shorter than this, relative to the first α: its Krylov subspace is exhausted."""


@dataclass(frozen=True)
class Chains:
    """Recursion coefficients of the Lanczos chains of several start vectors."""

    alpha: FloatArray
    """(S, V) eV/Å²/amu, diagonal coefficients: S steps, V start vectors."""
    beta: FloatArray
    """(S, V) eV/Å²/amu; row s couples steps s and s + 1, zero where a chain has ended."""
    weight: FloatArray
    """(V) ⟨v|v⟩, squared norms of the start vectors."""

    def nodes(self, chain: int, steps: int | None = None) -> tuple[FloatArray, FloatArray]:
        """Compute the nodes and weights of the Gauss quadrature of a chain.

        Parameters
        ----------
        chain
            Index of the start vector.
        steps
            Number of steps of the chain that are used; None for all.

        Returns
        -------
        (K,) THz, nodes, imaginary frequencies as negative numbers, and (K,) weights, whose sum is ⟨v|v⟩.
        """
        alpha = self.alpha[:steps, chain]
        beta = self.beta[: len(alpha) - 1, chain]
        ends = np.flatnonzero(beta == 0)
        stop = int(ends[0]) + 1 if len(ends) else len(alpha)
        squares, vectors = eigh_tridiagonal(alpha[:stop], beta[: stop - 1])
        frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
        return frequencies, self.weight[chain] * vectors[0] ** 2

    def dos(self, grid: FloatArray, broadening: float, *, steps: int | None = None) -> FloatArray:
        """Broaden the nodes of each chain to a local density of states.

        Parameters
        ----------
        grid
            (G) THz, frequencies of the spectrum.
        broadening
            THz, standard deviation of the Gaussian.
        steps
            Number of steps of the chains that are used; None for all.

        Returns
        -------
        (V, G) states/THz, one spectrum for each start vector.
        """
        spectra = np.empty((len(self.weight), len(grid)))
        for chain in range(len(spectra)):
            frequencies, weights = self.nodes(chain, steps)
            spectra[chain] = gaussian_dos(frequencies[None], weights[None], grid, broadening)
        return spectra

    def convergence_error(self, grid: FloatArray, broadening: float) -> float:
        """Compare the spectra with those of three quarters of the steps.

        Parameters
        ----------
        grid
            (G) THz, frequencies of the spectra.
        broadening
            THz, standard deviation of the Gaussian.

        Returns
        -------
        Largest relative L1 difference of a spectrum, dimensionless.
        """
        all_steps = self.dos(grid, broadening)
        fewer_steps = self.dos(grid, broadening, steps=3 * len(self.alpha) // 4)
        return float((np.abs(all_steps - fewer_steps).sum(axis=1) / all_steps.sum(axis=1)).max())


def required_steps(broadening: float, *, top: float) -> int:
    """Choose the length of a chain so that its nodes lie closer together than the broadening.

    Parameters
    ----------
    broadening
        THz, standard deviation of the Gaussian.
    top
        THz, highest frequency of the spectrum.

    Returns
    -------
    Number of steps: 1.5 times the number for which the nodes at top / 2 lie one broadening apart,
    π top² / (2 S) = 2 (top / 2) σ.
    """
    return int(np.ceil(1.5 * np.pi * top / (2 * broadening)))


def lanczos(
    matrix: sp.csr_matrix,
    vectors: FloatArray,
    steps: int,
    *,
    threads: int = 1,
    product: Product | None = None,
    progress: Progress = silent,
) -> Chains:
    """Run the Lanczos chains of several start vectors at once.

    Parameters
    ----------
    matrix
        (n, n) symmetric matrix.
    vectors
        (n, V) start vectors.
    steps
        Number of steps of each chain.
    threads
        Number of threads that share the rows of the matrix in a product of matrix and vectors.
    product
        Function that multiplies vectors by the matrix, used in place of the threads, such as
        `models.sparse_products.torch_product`.
    progress
        Called after each step.

    Returns
    -------
    Recursion coefficients of all chains.
    """
    weight = (vectors**2).sum(axis=0)
    current = vectors / np.sqrt(weight)
    previous = np.zeros_like(current)
    alpha, beta = np.zeros((steps, len(weight))), np.zeros((steps, len(weight)))
    with ThreadPoolExecutor(threads) as pool:
        row_blocks = [rows for rows in np.array_split(np.arange(matrix.shape[0]), threads) if len(rows)]
        slabs = [matrix[rows[0] : rows[-1] + 1] for rows in row_blocks]

        def multiply_by_rows(right: FloatArray) -> FloatArray:
            return np.concatenate(list(pool.map(lambda slab: slab @ right, slabs)))

        multiply = product or multiply_by_rows
        for step in range(steps):
            new = multiply(current)
            if step:
                new -= beta[step - 1] * previous
            alpha[step] = (new * current).sum(axis=0)
            new -= alpha[step] * current
            length = np.sqrt((new**2).sum(axis=0))
            alive = length > EXHAUSTED * np.abs(alpha[0])
            beta[step] = np.where(alive, length, 0.0)
            previous, current = current, np.where(alive, new / np.where(alive, length, 1.0), 0.0)
            progress(step + 1, steps, "Lanczos steps")
    return Chains(alpha, beta, weight)


def highest_frequency(matrix: sp.csr_matrix) -> float:
    """Estimate the highest frequency of a spectrum by a chain of 30 steps.

    Parameters
    ----------
    matrix
        (n, n) eV/Å²/amu, a dynamical matrix.

    Returns
    -------
    THz, one per cent above the highest node of the chain.
    """
    start = np.random.default_rng(0).normal(size=(matrix.shape[0], 1))
    frequencies, _ = lanczos(matrix, start, 30).nodes(0)
    return 1.01 * float(np.abs(frequencies).max())


def lowest_frequency(matrix: sp.csr_matrix, atoms: IntArray) -> float:
    """Estimate the frequency of the lowest mode on some atoms by a chain of 200 steps.

    Parameters
    ----------
    matrix
        (3N, 3N) eV/Å²/amu, a dynamical matrix.
    atoms
        (K,) indices of the atoms on which the start vector is nonzero.

    Returns
    -------
    THz, an upper bound, imaginary frequencies as negative numbers; accurate for an imaginary mode that is localised on
    these atoms.
    """
    start = np.zeros((matrix.shape[0], 1))
    components = (3 * atoms[:, None] + np.arange(3)).ravel()
    start[components, 0] = np.random.default_rng(0).normal(size=len(components))
    frequencies, _ = lanczos(matrix, start, 200).nodes(0)
    return float(frequencies.min())
