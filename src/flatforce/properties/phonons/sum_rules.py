"""Translation, permutation, rotation and Huang sum rules by sparse least-norm correction.

Source: C. Lin, S. Poncé, N. Marzari, npj Comput. Mater. 8, 236 (2022). The constraint space is invariant
under the space group, so symmetric force constants stay symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

IMAGE_TOLERANCE = 1e-3
"""Å. Images of an atom that are this close in distance share a pair's force constant."""

WEIGHT_LENGTH = 4.0
"""Å. The correction falls with distance like exp(-r/4 Å): a few bonds, so that distant pairs stay small."""

SOLVER_TOLERANCE = 1e-13
"""Of LSMR, relative; residuals then end near 1e-10 eV/Å."""

_ROTATIONS: Final = ((0, 1), (0, 2), (1, 2))
_SYMMETRIC: Final = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class Vectors:
    """Minimum-image vectors of all pairs of a supercell."""

    mean: FloatArray
    """(N, N, 3) Å from i to j, averaged over equally near images."""
    square: FloatArray
    """(N, N, 3, 3) Å², averaged outer product."""
    distance: FloatArray
    """(N, N) Å."""


@dataclass(frozen=True)
class Residuals:
    """How far force constants are from each rule; the largest component."""

    translation: float
    """eV/Å²."""
    permutation: float
    """eV/Å²."""
    rotation: float
    """eV/Å, Born–Huang."""
    huang: float
    """eV per cell."""


def pair_vectors(atoms: Atoms) -> Vectors:
    """Compute minimum-image vectors in the plane.

    Parameters
    ----------
    atoms
        A supercell of a sheet; images along the normal do not count.

    Returns
    -------
    The vectors.
    """
    fractional = atoms.get_scaled_positions(wrap=False)
    offset = fractional[None] - fractional[:, None]
    offset[..., :2] -= np.round(offset[..., :2])
    shifts = np.array([[a, b, 0] for a in (-1, 0, 1) for b in (-1, 0, 1)])
    cell = atoms.cell.array
    nearest = np.full(offset.shape[:2], np.inf)
    for shift in shifts:
        np.minimum(nearest, np.linalg.norm((offset + shift) @ cell, axis=-1), out=nearest)
    count = np.zeros_like(nearest)
    mean = np.zeros((*nearest.shape, 3))
    square = np.zeros((*nearest.shape, 3, 3))
    for shift in shifts:
        vector = (offset + shift) @ cell
        near = np.linalg.norm(vector, axis=-1) < nearest + IMAGE_TOLERANCE
        count += near
        mean += vector * near[..., None]
        square += vector[..., :, None] * vector[..., None, :] * near[..., None, None]
    return Vectors(mean / count[..., None], square / count[..., None, None], nearest)


def residuals(force_constants: FloatArray, vectors: Vectors) -> Residuals:
    """Measure how well the rules hold.

    Parameters
    ----------
    force_constants
        (N, N, 3, 3) eV/Å².
    vectors
        Of the supercell.

    Returns
    -------
    The residuals.
    """
    fc = force_constants
    rotation = np.einsum("ijab,ijc->iabc", fc, vectors.mean)
    huang = np.einsum("ijab,ijcd->abcd", fc, vectors.square)
    return Residuals(
        float(np.abs(fc.sum(axis=1)).max()),
        float(np.abs(fc - fc.transpose(1, 0, 3, 2)).max()),
        float(np.abs(rotation - rotation.transpose(0, 1, 3, 2)).max()),
        float(np.abs(huang - huang.transpose(2, 3, 0, 1)).max()),
    )


def enforce_sum_rules(
    force_constants: FloatArray, vectors: Vectors, *, huang: bool = True, max_iterations: int = 20000
) -> FloatArray:
    """Correct force constants as little as possible until they obey every rule.

    Parameters
    ----------
    force_constants
        (N, N, 3, 3) eV/Å², all pairs.
    vectors
        Of the supercell.
    huang
        Whether the Huang conditions are among the rules; only right when the in-plane stress is relaxed.
    max_iterations
        Of the solver.

    Returns
    -------
    (N, N, 3, 3) eV/Å².
    """
    symmetric = (force_constants + force_constants.transpose(1, 0, 3, 2)) / 2
    first, second = np.triu_indices(len(symmetric))
    off = first != second
    scale = np.exp(-vectors.distance[first, second] / WEIGHT_LENGTH)
    metric = np.repeat(scale * np.where(off, np.sqrt(0.5), 1.0), 9)
    rules = _rules(vectors, first, second, huang=huang)
    values = symmetric[first, second].reshape(-1)
    scaled = (rules @ sp.diags(metric)).tocsr()
    norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    norms[norms == 0] = 1.0
    scaled = sp.diags(1 / norms) @ scaled
    solved = lsmr(
        scaled,
        (rules @ values) / norms,
        atol=SOLVER_TOLERANCE,
        btol=SOLVER_TOLERANCE,
        maxiter=max_iterations,
    )
    corrected = (values - metric * solved[0]).reshape(-1, 3, 3)
    result = np.empty_like(symmetric)
    result[first, second] = corrected
    result[second, first] = corrected.transpose(0, 2, 1)
    return result


class _Triplets:
    def __init__(self) -> None:
        self.rows: list[IntArray] = []
        self.columns: list[IntArray] = []
        self.values: list[FloatArray] = []

    def add(self, rows: IntArray, columns: IntArray, values: FloatArray | float) -> None:
        shape = np.broadcast_shapes(rows.shape, columns.shape)
        for store, array in ((self.rows, rows), (self.columns, columns), (self.values, values)):
            store.append(np.broadcast_to(np.asarray(array), shape).ravel())  # type: ignore[arg-type]  # ints and floats

    def matrix(self, n_rows: int, n_columns: int) -> sp.csr_matrix:
        data = np.concatenate(self.values)
        place = (np.concatenate(self.rows), np.concatenate(self.columns))
        return sp.csr_matrix((data, place), shape=(n_rows, n_columns))


def _rules(vectors: Vectors, first: IntArray, second: IntArray, *, huang: bool) -> sp.csr_matrix:
    """Write the rules as rows over the components of the upper-triangle pairs."""
    n = len(vectors.distance)
    column = np.arange(len(first))[:, None, None] * 9 + np.arange(9).reshape(3, 3)
    off = first != second
    rows = _Triplets()
    # a pair seen from its second atom: its block transposed, its vector turned round
    ends = (
        (first, first, second, column),
        (second[off], second[off], first[off], column[off].transpose(0, 2, 1)),
    )
    ab = np.arange(9).reshape(3, 3)
    for here, i, j, block in ends:
        rows.add(here[:, None, None] * 9 + ab, block, 1.0)
        for k, (b, c) in enumerate(_ROTATIONS):
            for a in range(3):
                row = 9 * n + here * 9 + a * 3 + k
                rows.add(row, block[:, a, b], vectors.mean[i, j, c])
                rows.add(row, block[:, a, c], -vectors.mean[i, j, b])
    count = 18 * n
    if huang:
        count = _huang_rows(rows, ends, vectors, count)
    on_site = column[~off]
    for k, (a, b) in enumerate(_ROTATIONS):
        row = count + k * n + first[~off]
        rows.add(row, on_site[:, a, b], 1.0)
        rows.add(row, on_site[:, b, a], -1.0)
    return rows.matrix(count + 3 * n, 9 * len(first))


def _huang_rows(rows: _Triplets, ends: tuple[tuple[IntArray, ...], ...], vectors: Vectors, count: int) -> int:
    for s, (a, b) in enumerate(_SYMMETRIC):
        for c, d in _SYMMETRIC[s + 1 :]:
            for _, i, j, block in ends:
                row = np.full(len(i), count)
                rows.add(row, block[:, a, b], vectors.square[i, j, c, d])
                rows.add(row, block[:, c, d], -vectors.square[i, j, a, b])
            count += 1
    return count
