"""Who can feel whom: the neighbour graph of a periodic cell, and how many steps lie between two atoms.

A message-passing model of L layers is strictly local: the energy of an atom depends on atoms within L steps, so the
force constant of two atoms vanishes beyond 2 L steps. On the quotient graph, in which an atom stands for all its
images, this holds in any cell, however small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from vesin import ase_neighbor_list

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class NeighbourGraph:
    """Directed edges, sorted by receiver."""

    sender: IntArray
    """(E,)"""
    receiver: IntArray
    """(E,)"""
    shift: FloatArray
    """(E, 3) Å; the edge is positions[receiver] − positions[sender] + shift."""
    start: IntArray
    """(N + 1,) first edge of each receiver."""


def neighbour_graph(atoms: Atoms, cutoff: float) -> NeighbourGraph:
    """List the edges of a cell.

    Parameters
    ----------
    atoms
        A periodic cell.
    cutoff
        Å.

    Returns
    -------
    The graph; an atom is a neighbour of its own images.
    """
    sender, receiver, images = ase_neighbor_list("ijS", atoms, cutoff)
    order = np.argsort(receiver, kind="stable")
    counts = np.bincount(receiver, minlength=len(atoms))
    return NeighbourGraph(
        np.asarray(sender, dtype=np.int64)[order],
        np.asarray(receiver, dtype=np.int64)[order],
        np.asarray(images, dtype=float)[order] @ atoms.cell.array,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


@dataclass(frozen=True)
class HopBalls:
    """Atoms within some steps of each atom."""

    start: IntArray
    """(N + 1,)"""
    atom: IntArray
    """(B,) members of the balls, the nearest first, the centre before all."""
    hop: IntArray
    """(B,) steps from the centre."""

    def members(self, centre: int, within: int) -> IntArray:
        """List a ball.

        Parameters
        ----------
        centre
            An atom.
        within
            Steps.

        Returns
        -------
        (M,) atoms, the nearest first.
        """
        part = slice(self.start[centre], self.start[centre + 1])
        return self.atom[part][self.hop[part] <= within]

    def sizes(self, within: int) -> IntArray:
        """Count the members of each ball.

        Parameters
        ----------
        within
            Steps.

        Returns
        -------
        (N,)
        """
        near = np.concatenate([[0], np.cumsum(self.hop <= within)])
        return near[self.start[1:]] - near[self.start[:-1]]


def hop_balls(graph: NeighbourGraph, depth: int) -> HopBalls:
    """Find the atoms within `depth` steps of each atom.

    Parameters
    ----------
    graph
        Of a cell.
    depth
        Steps.

    Returns
    -------
    The balls.
    """
    count = len(graph.start) - 1
    ones = np.ones(len(graph.sender), dtype=np.int8)
    step = sp.csr_matrix((ones, (graph.receiver, graph.sender)), shape=(count, count))
    step = _pattern(step + step.T + sp.identity(count, dtype=np.int8, format="csr"))
    reached = sp.identity(count, dtype=np.int32, format="csr")
    hops = reached.copy()  # steps + 1, so that the centre is stored
    for distance in range(1, depth + 1):
        wider = _pattern(reached @ step)
        new = wider - wider.multiply(_pattern(reached))
        new.eliminate_zeros()
        hops = hops + new * (distance + 1)
        reached = wider
    hops = hops.tocsr()
    rows = np.repeat(np.arange(count), np.diff(hops.indptr))
    order = np.lexsort((hops.indices, hops.data, rows))
    return HopBalls(
        hops.indptr.astype(np.int64),
        hops.indices[order].astype(np.int64),
        hops.data[order].astype(np.int64) - 1,
    )


def _pattern(matrix: sp.csr_matrix) -> sp.csr_matrix:
    found = matrix.tocsr().astype(np.int32)
    found.data[:] = 1
    return found
