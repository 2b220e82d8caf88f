"""Acoustic (translational), permutation, rotational (Born–Huang) and Huang sum rules by a sparse least-norm correction.

Only interacting pairs are corrected, so that the cost grows linearly with the cell. Source: C. Lin, S. Poncé,
N. Marzari, npj Comput. Mater. 8, 236 (2022). The space of the constraints is invariant under the space group, so that
symmetric force constants stay symmetric.
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
"""Å. Periodic images whose distances differ by less than this share the force constant of a pair."""

WEIGHT_LENGTH = 4.0
"""Å. The correction decays with the distance as exp(-r/4 Å), over a few bond lengths, so that distant pairs stay small."""

SOLVER_TOLERANCE = 1e-13
"""Relative tolerance of LSMR; the residuals are then about 1e-10 eV/Å."""

MAX_ITERATIONS = 20000
"""Largest number of LSMR iterations; a few hundred are usual."""

_ROTATIONS: Final = ((0, 1), (0, 2), (1, 2))
_SYMMETRIC: Final = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class PairVectors:
    """Minimum-image vectors of some pairs of atoms of a supercell."""

    mean: FloatArray
    """(B, 3) Å from the first to the second atom, averaged over equally near images."""
    square: FloatArray
    """(B, 3, 3) Å², outer product of the vector with itself, averaged over equally near images."""
    distance: FloatArray
    """(B,) Å, distance of the nearest image."""


@dataclass(frozen=True)
class SumRuleResiduals:
    """How far force constants are from each sum rule: the largest component of its residual."""

    translation: float
    """eV/Å², of the acoustic (translational) sum rule."""
    permutation: float
    """eV/Å², difference between the matrix and its transpose."""
    rotation: float
    """eV/Å, of the rotational (Born–Huang) sum rule."""
    huang: float
    """eV, of the Huang conditions: a sum over all pairs of the supercell of eV/Å² times Å²."""


def pair_vectors(atoms: Atoms, first: IntArray, second: IntArray) -> PairVectors:
    """Compute minimum-image vectors, with periodic images in the plane only.

    Parameters
    ----------
    atoms
        A supercell of a sheet; images out of plane are ignored.
    first
        (B,) first atom of each pair.
    second
        (B,) second atom of each pair.

    Returns
    -------
    (B, 3) Å and (B, 3, 3) Å², means over equally near images of each vector and of its outer product, and (B,) Å distances.
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


def sum_rule_residuals(constants: SparseForceConstants) -> SumRuleResiduals:
    """Measure how well the sum rules hold.

    Parameters
    ----------
    constants
        Force constants.

    Returns
    -------
    Largest component of each residual: in eV/Å² of translation and permutation, in eV/Å of rotation, in eV of the Huang
    conditions.
    """
    first, second = constants.pairs
    blocks, starts = constants.blocks, constants.matrix.indptr[:-1]
    vectors = pair_vectors(constants.atoms, first, second)
    rotation = np.add.reduceat(blocks[..., None] * vectors.mean[:, None, None, :], starts)
    huang = np.einsum("pab,pcd->abcd", blocks, vectors.square)
    return SumRuleResiduals(
        float(np.abs(np.add.reduceat(blocks, starts)).max()),
        float(np.abs((constants.matrix - constants.matrix.T).data).max(initial=0.0)),
        float(np.abs(rotation - rotation.transpose(0, 1, 3, 2)).max()),
        float(np.abs(huang - huang.transpose(2, 3, 0, 1)).max()),
    )


def enforce_sum_rules(
    constants: SparseForceConstants, *, huang: bool = True, region: BoolArray | None = None
) -> SparseForceConstants:
    """Correct force constants as little as possible so that they satisfy every sum rule.

    Parameters
    ----------
    constants
        Force constants.
    huang
        Whether the Huang conditions are among the rules; they hold only where the in-plane stress is relaxed.
    region
        (N,) atoms whose rules are enforced, by changing only pairs of these atoms; by default all. The Huang conditions
        concern all atoms at once.

    Returns
    -------
    The corrected force constants: the same pairs, as a symmetric matrix.
    """
    count = len(constants.atoms)
    in_region = np.ones(count, dtype=bool) if region is None else region
    symmetric = constants.symmetrise()
    first, second = symmetric.pairs
    upper = np.flatnonzero((first <= second) & (in_region[first] | in_region[second]))
    adjustable = in_region[first[upper]] & in_region[second[upper]]
    vectors = pair_vectors(symmetric.atoms, first[upper], second[upper])
    rules = _rule_matrix(vectors, first[upper], second[upper], in_region, huang=huang)
    values = symmetric.blocks[upper].reshape(-1)
    on_site = first[upper] == second[upper]
    scale = np.exp(-vectors.distance / WEIGHT_LENGTH) * np.where(on_site, 1.0, np.sqrt(0.5)) * adjustable
    metric = np.repeat(scale, 9)
    scaled = (rules @ sp.diags(metric)).tocsr()
    norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    norms[norms == 0] = 1.0
    scaled = sp.diags(1 / norms) @ scaled
    solution = lsmr(
        scaled,
        (rules @ values) / norms,
        atol=SOLVER_TOLERANCE,
        btol=SOLVER_TOLERANCE,
        maxiter=MAX_ITERATIONS,
    )
    correction = (metric * solution[0]).reshape(-1, 3, 3)
    off = ~on_site
    corrections = SparseForceConstants.from_blocks(
        symmetric.atoms,
        np.concatenate([first[upper], second[upper][off]]),
        np.concatenate([second[upper], first[upper][off]]),
        np.concatenate([correction, correction[off].transpose(0, 2, 1)]),
    )
    return SparseForceConstants(symmetric.atoms, sp.bsr_matrix(symmetric.matrix - corrections.matrix))


class _Triplets:
    """Entries of a sparse matrix, collected block by block."""

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
        indices = (np.concatenate(self.rows), np.concatenate(self.columns))
        return sp.csr_matrix((data, indices), shape=(n_rows, n_columns))


def _rule_matrix(
    vectors: PairVectors, first: IntArray, second: IntArray, in_region: BoolArray, *, huang: bool
) -> sp.csr_matrix:
    """Write the rules of the atoms of the region as rows over the components of upper-triangle pairs."""
    n = int(in_region.sum())
    number = np.cumsum(in_region) - 1
    column = np.arange(len(first))[:, None, None] * 9 + np.arange(9).reshape(3, 3)
    off = first != second
    rows = _Triplets()
    # seen from its second atom, the block of a pair is transposed and its vector reversed
    ends = (
        (first, column, vectors.mean, vectors.square),
        (second[off], column[off].transpose(0, 2, 1), -vectors.mean[off], vectors.square[off]),
    )
    ab = np.arange(9).reshape(3, 3)
    for atom, block, mean, _ in ends:
        pairs = np.flatnonzero(in_region[atom])
        atom_number, pair_block, pair_vector = number[atom[pairs]], block[pairs], mean[pairs]
        rows.add(atom_number[:, None, None] * 9 + ab, pair_block, 1.0)
        for k, (b, c) in enumerate(_ROTATIONS):
            for a in range(3):
                row = 9 * n + atom_number * 9 + a * 3 + k
                rows.add(row, pair_block[:, a, b], pair_vector[:, c])
                rows.add(row, pair_block[:, a, c], -pair_vector[:, b])
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
    """Add the Huang conditions after `count` rows; return the new number of rows."""
    for s, (a, b) in enumerate(_SYMMETRIC):
        for c, d in _SYMMETRIC[s + 1 :]:
            for block, square in ends:
                row = np.full(len(block), count)
                rows.add(row, block[:, a, b], square[:, c, d])
                rows.add(row, block[:, c, d], -square[:, a, b])
            count += 1
    return count
