"""The neighbour graph of a periodic cell, and the k-hop neighbourhoods of its atoms.

A message-passing model of L layers is strictly local: the energy of an atom depends only on atoms within L hops, and the force
constant of two atoms vanishes beyond 2 L hops. On the quotient graph, in which an atom represents all its periodic images, this
holds in any cell, however small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class NeighbourGraph:
    """Directed edges between atoms within a cutoff, sorted by receiver."""

    sender: IntArray
    """(E,) index of the atom at which each edge starts."""
    receiver: IntArray
    """(E,) index of the atom at which each edge ends."""
    shift: FloatArray
    """(E, 3) Å, lattice translation of each edge: its vector is positions[receiver] − positions[sender] + shift."""
    start: IntArray
    """(N + 1,) index of the first edge of each receiver, and the number of edges."""

    def edges_of(self, receivers: IntArray) -> IntArray:
        """Find the edges that end at some atoms.

        Parameters
        ----------
        receivers
            (R,) indices of atoms.

        Returns
        -------
        Indices of the edges, those of the first receiver first.
        """
        counts = self.start[receivers + 1] - self.start[receivers]
        begin = self.start[receivers] - np.concatenate([[0], np.cumsum(counts)[:-1]])
        return np.repeat(begin, counts) + np.arange(counts.sum())


def build_neighbour_graph(atoms: Atoms, cutoff: float) -> NeighbourGraph:
    """Build the neighbour graph of a cell.

    Parameters
    ----------
    atoms
        A periodic cell.
    cutoff
        Å, largest distance of neighbours.

    Returns
    -------
    The graph; an atom can be a neighbour of its own periodic images.
    """
    from vesin import ase_neighbor_list  # it imports torch where that is installed

    sender, receiver, images = ase_neighbor_list("ijS", atoms, cutoff)
    order = np.argsort(receiver, kind="stable")
    counts = np.bincount(receiver, minlength=len(atoms))
    return NeighbourGraph(
        np.asarray(sender, dtype=np.int64)[order],
        np.asarray(receiver, dtype=np.int64)[order],
        np.asarray(images, dtype=float)[order] @ atoms.cell.array,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def k_hop_neighbourhood(graph: NeighbourGraph, centre: int, depth: int) -> tuple[IntArray, IntArray]:
    """Find the atoms within a number of hops of a central atom.

    Parameters
    ----------
    graph
        Neighbour graph of a cell.
    centre
        Index of the central atom.
    depth
        Largest number of hops.

    Returns
    -------
    (M,) indices of the atoms, sorted by the number of hops, the central atom first; and (M,) their numbers of hops.
    """
    visited = np.zeros(len(graph.start) - 1, dtype=bool)
    front = np.array([centre], dtype=np.int64)
    visited[front] = True
    atoms, hops = [front], [np.zeros(1, dtype=np.int64)]
    for distance in range(1, depth + 1):
        neighbours = np.unique(graph.sender[graph.edges_of(front)])
        front = neighbours[~visited[neighbours]]
        visited[front] = True
        atoms.append(front)
        hops.append(np.full(len(front), distance))
    return np.concatenate(atoms), np.concatenate(hops)
