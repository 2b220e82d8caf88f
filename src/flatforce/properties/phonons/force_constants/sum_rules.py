"""Translation, permutation, rotation and Huang sum rules by sparse least-norm correction.

Only pairs that feel each other are corrected, so the cost grows linearly with the cell. Source: C. Lin, S. Poncé,
N. Marzari, npj Comput. Mater. 8, 236 (2022). The constraint space is invariant under the space group, so symmetric
force constants stay symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr

from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray

IMAGE_TOLERANCE = 1e-3
"""Å. Images of an atom that are this close in distance share a pair's force constant."""

WEIGHT_LENGTH = 4.0
"""Å. The correction falls with distance like exp(-r/4 Å): a few bonds, so that distant pairs stay small."""

SOLVER_TOLERANCE = 1e-13
"""Of LSMR, relative; residuals then end near 1e-10 eV/Å."""

MAX_ITERATIONS = 20000
"""Of LSMR; a few hundred are usual."""

_ROTATIONS: Final = ((0, 1), (0, 2), (1, 2))
_SYMMETRIC: Final = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class PairVectors:
    """Minimum-image vectors of some pairs of a supercell."""

    mean: FloatArray
    """(B, 3) Å from the first to the second, averaged over equally near images."""
    square: FloatArray
    """(B, 3, 3) Å², averaged outer product."""
    distance: FloatArray
    """(B,) Å."""


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


def pair_vectors(atoms: Atoms, first: IntArray, second: IntArray) -> PairVectors:
    """Compute minimum-image vectors in the plane.

    Parameters
    ----------
    atoms
        A supercell of a sheet; images along the normal do not count.
    first
        (B,) atoms.
    second
        (B,) atoms.

    Returns
    -------
    The vectors.
    """
    fractional = atoms.get_scaled_positions(wrap=False)
    offset = fractional[second] - fractional[first]
    offset[:, :2] -= np.round(offset[:, :2])
    vectors = offset @ atoms.cell.array
    shifts = np.array([[a, b, 0] for a in (-1, 0, 1) for b in (-1, 0, 1)]) @ atoms.cell.array
    nearest = np.full(len(vectors), np.inf)
    for shift in shifts:
        np.minimum(nearest, np.linalg.norm(vectors + shift, axis=1), out=nearest)
    count = np.zeros_like(nearest)
    mean = np.zeros_like(vectors)
    square = np.zeros((*vectors.shape, 3))
    for shift in shifts:
        image = vectors + shift
        near = np.linalg.norm(image, axis=1) < nearest + IMAGE_TOLERANCE
        count += near
        mean += image * near[:, None]
        square += image[:, :, None] * image[:, None, :] * near[:, None, None]
    return PairVectors(mean / count[:, None], square / count[:, None, None], nearest)


def residuals(constants: SparseForceConstants) -> Residuals:
    """Measure how well the rules hold.

    Parameters
    ----------
    constants
        Force constants.

    Returns
    -------
    The residuals.
    """
    first, second = constants.pairs
    blocks, starts = constants.blocks, constants.matrix.indptr[:-1]
    vectors = pair_vectors(constants.atoms, first, second)
    rotation = np.add.reduceat(blocks[..., None] * vectors.mean[:, None, None, :], starts)
    huang = np.einsum("pab,pcd->abcd", blocks, vectors.square)
    return Residuals(
        float(np.abs(np.add.reduceat(blocks, starts)).max()),
        float(np.abs((constants.matrix - constants.matrix.T).data).max(initial=0.0)),
        float(np.abs(rotation - rotation.transpose(0, 1, 3, 2)).max()),
        float(np.abs(huang - huang.transpose(2, 3, 0, 1)).max()),
    )


def enforce_sum_rules(
    constants: SparseForceConstants, *, huang: bool = True, among: BoolArray | None = None
) -> SparseForceConstants:
    """Correct force constants as little as possible until they obey every rule.

    Parameters
    ----------
    constants
        Force constants.
    huang
        Whether the Huang conditions are among the rules; only right when the in-plane stress is relaxed.
    among
        (N,) atoms whose rules are enforced, by changing pairs of them only; all if not given. The Huang conditions
        are for all atoms at once.

    Returns
    -------
    The corrected ones: the same pairs, symmetric.
    """
    count = len(constants.atoms)
    chosen = np.ones(count, dtype=bool) if among is None else among
    symmetric = constants.symmetrised()
    first, second = symmetric.pairs
    upper = np.flatnonzero((first <= second) & (chosen[first] | chosen[second]))
    free = chosen[first[upper]] & chosen[second[upper]]
    vectors = pair_vectors(symmetric.atoms, first[upper], second[upper])
    rules = _rules(vectors, first[upper], second[upper], chosen, huang=huang)
    values = symmetric.blocks[upper].reshape(-1)
    on_site = first[upper] == second[upper]
    scale = np.exp(-vectors.distance / WEIGHT_LENGTH) * np.where(on_site, 1.0, np.sqrt(0.5)) * free
    metric = np.repeat(scale, 9)
    scaled = (rules @ sp.diags(metric)).tocsr()
    norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    norms[norms == 0] = 1.0
    scaled = sp.diags(1 / norms) @ scaled
    solved = lsmr(
        scaled,
        (rules @ values) / norms,
        atol=SOLVER_TOLERANCE,
        btol=SOLVER_TOLERANCE,
        maxiter=MAX_ITERATIONS,
    )
    change = (metric * solved[0]).reshape(-1, 3, 3)
    off = ~on_site
    changes = SparseForceConstants.from_blocks(
        symmetric.atoms,
        np.concatenate([first[upper], second[upper][off]]),
        np.concatenate([second[upper], first[upper][off]]),
        np.concatenate([change, change[off].transpose(0, 2, 1)]),
    )
    return SparseForceConstants(symmetric.atoms, sp.bsr_matrix(symmetric.matrix - changes.matrix))


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


def _rules(
    vectors: PairVectors, first: IntArray, second: IntArray, chosen: BoolArray, *, huang: bool
) -> sp.csr_matrix:
    """Write the rules of the chosen atoms as rows over the components of upper-triangle pairs."""
    n = int(chosen.sum())
    number = np.cumsum(chosen) - 1
    column = np.arange(len(first))[:, None, None] * 9 + np.arange(9).reshape(3, 3)
    off = first != second
    rows = _Triplets()
    # a pair seen from its second atom: its block transposed, its vector turned round
    ends = (
        (first, column, vectors.mean, vectors.square),
        (second[off], column[off].transpose(0, 2, 1), -vectors.mean[off], vectors.square[off]),
    )
    ab = np.arange(9).reshape(3, 3)
    for atom, block, mean, _ in ends:
        here = np.flatnonzero(chosen[atom])
        at, block_here, mean_here = number[atom[here]], block[here], mean[here]
        rows.add(at[:, None, None] * 9 + ab, block_here, 1.0)
        for k, (b, c) in enumerate(_ROTATIONS):
            for a in range(3):
                row = 9 * n + at * 9 + a * 3 + k
                rows.add(row, block_here[:, a, b], mean_here[:, c])
                rows.add(row, block_here[:, a, c], -mean_here[:, b])
    count = 18 * n
    if huang:
        count = _huang_rows(rows, [(block, square) for _, block, _, square in ends], count)
    on_site = column[~off]
    for k, (a, b) in enumerate(_ROTATIONS):
        row = count + k * n + number[first[~off]]
        rows.add(row, on_site[:, a, b], 1.0)
        rows.add(row, on_site[:, b, a], -1.0)
    return rows.matrix(count + 3 * n, 9 * len(first))


def _huang_rows(rows: _Triplets, ends: list[tuple[IntArray, FloatArray]], count: int) -> int:
    for s, (a, b) in enumerate(_SYMMETRIC):
        for c, d in _SYMMETRIC[s + 1 :]:
            for block, square in ends:
                row = np.full(len(block), count)
                rows.add(row, block[:, a, b], square[:, c, d])
                rows.add(row, block[:, c, d], -square[:, a, b])
            count += 1
    return count
