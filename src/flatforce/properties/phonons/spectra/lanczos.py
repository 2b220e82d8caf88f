"""Local spectra of sparse dynamical matrices by Lanczos chains (Haydock's recursion), without diagonalisation.

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
"""A chain whose next vector is shorter than this, in units of the first α, has seen its whole subspace."""


@dataclass(frozen=True)
class Chains:
    """Recursion coefficients of several start vectors."""

    alpha: FloatArray
    """(S, V) eV/Å²/amu."""
    beta: FloatArray
    """(S, V) eV/Å²/amu; row s couples steps s and s + 1, zero where a chain has ended."""
    weight: FloatArray
    """(V) ⟨v|v⟩."""

    def nodes(self, which: int, steps: int | None = None) -> tuple[FloatArray, FloatArray]:
        """Diagonalise one chain.

        Parameters
        ----------
        which
            Of the start vectors.
        steps
            How much of the chain is used; all of it if not given.

        Returns
        -------
        (K,) THz, imaginary as negative, and (K,) weights that add up to ⟨v|v⟩.
        """
        alpha = self.alpha[:steps, which]
        beta = self.beta[: len(alpha) - 1, which]
        ends = np.flatnonzero(beta == 0)
        stop = int(ends[0]) + 1 if len(ends) else len(alpha)
        squares, vectors = eigh_tridiagonal(alpha[:stop], beta[: stop - 1])
        frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
        return frequencies, self.weight[which] * vectors[0] ** 2

    def dos(self, grid: FloatArray, broadening: float, *, steps: int | None = None) -> FloatArray:
        """Broaden each chain's nodes.

        Parameters
        ----------
        grid
            (G) THz.
        broadening
            THz, standard deviation of the Gaussian.
        steps
            How much of the chains is used.

        Returns
        -------
        (V, G) states/THz.
        """
        found = np.empty((len(self.weight), len(grid)))
        for which in range(len(found)):
            frequencies, weights = self.nodes(which, steps)
            found[which] = gaussian_dos(frequencies[None], weights[None], grid, broadening)
        return found

    def unconverged(self, grid: FloatArray, broadening: float) -> float:
        """Compare with three quarters of the steps.

        Parameters
        ----------
        grid
            (G) THz.
        broadening
            THz.

        Returns
        -------
        Largest L1 difference of a spectrum, relative to its integral.
        """
        whole = self.dos(grid, broadening)
        part = self.dos(grid, broadening, steps=3 * len(self.alpha) // 4)
        return float((np.abs(whole - part).sum(axis=1) / whole.sum(axis=1)).max())


def steps_for(broadening: float, *, top: float) -> int:
    """Choose the length of a chain so that its nodes are closer than a Gaussian is wide.

    Parameters
    ----------
    broadening
        THz, standard deviation.
    top
        THz, highest frequency.

    Returns
    -------
    Steps: nodes at top / 2 lie one broadening apart, π top² / (2 S) = 2 (top / 2) σ, and half as many again.
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
    """Run Lanczos chains side by side.

    Parameters
    ----------
    matrix
        (n, n) symmetric.
    vectors
        (n, V) start vectors.
    steps
        Length of the chains.
    threads
        Of the product of matrix and vectors, which is cut by rows.
    product
        Multiplies by the matrix instead, such as `models.products.torch_product`.
    progress
        Told after each step.

    Returns
    -------
    The coefficients.
    """
    weight = (vectors**2).sum(axis=0)
    now = vectors / np.sqrt(weight)
    before = np.zeros_like(now)
    alpha, beta = np.zeros((steps, len(weight))), np.zeros((steps, len(weight)))
    with ThreadPoolExecutor(threads) as pool:
        parts = [part for part in np.array_split(np.arange(matrix.shape[0]), threads) if len(part)]
        slabs = [matrix[part[0] : part[-1] + 1] for part in parts]

        def by_rows(right: FloatArray) -> FloatArray:
            return np.concatenate(list(pool.map(lambda slab: slab @ right, slabs)))

        multiply = product or by_rows
        for step in range(steps):
            new = multiply(now)
            if step:
                new -= beta[step - 1] * before
            alpha[step] = (new * now).sum(axis=0)
            new -= alpha[step] * now
            length = np.sqrt((new**2).sum(axis=0))
            alive = length > EXHAUSTED * np.abs(alpha[0])
            beta[step] = np.where(alive, length, 0.0)
            before, now = now, np.where(alive, new / np.where(alive, length, 1.0), 0.0)
            progress(step + 1, steps, "Lanczos steps")
    return Chains(alpha, beta, weight)


def highest_frequency(matrix: sp.csr_matrix) -> float:
    """Find the top of a spectrum by a chain of 30 steps.

    Parameters
    ----------
    matrix
        (n, n) eV/Å²/amu, a dynamical matrix.

    Returns
    -------
    THz, a percent above what the chain finds.
    """
    start = np.random.default_rng(0).normal(size=(matrix.shape[0], 1))
    frequencies, _ = lanczos(matrix, start, 30).nodes(0)
    return 1.01 * float(np.abs(frequencies).max())


def lowest_frequency(matrix: sp.csr_matrix, atoms: IntArray) -> float:
    """Find the lowest mode that lives near some atoms, by a chain of 200 steps.

    Parameters
    ----------
    matrix
        (3N, 3N) eV/Å²/amu, a dynamical matrix.
    atoms
        (K,) where the chain starts.

    Returns
    -------
    THz, imaginary as negative; from above, and exact for an imaginary mode bound to these atoms.
    """
    start = np.zeros((matrix.shape[0], 1))
    places = (3 * atoms[:, None] + np.arange(3)).ravel()
    start[places, 0] = np.random.default_rng(0).normal(size=len(places))
    frequencies, _ = lanczos(matrix, start, 200).nodes(0)
    return float(frequencies.min())
