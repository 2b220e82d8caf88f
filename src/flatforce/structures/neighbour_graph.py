"""Who can feel whom: the neighbour graph of a periodic cell, and how many steps lie between two atoms.

A message-passing model of L layers is strictly local: the energy of an atom depends on atoms within L steps, so the
force constant of two atoms vanishes beyond 2 L steps. On the quotient graph, in which an atom stands for all its
images, this holds in any cell, however small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
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

    def edges_of(self, receivers: IntArray) -> IntArray:
        """List the edges that end at some atoms.

        Parameters
        ----------
        receivers
            (R,) atoms.

        Returns
        -------
        Edges, those of the first receiver first.
        """
        counts = self.start[receivers + 1] - self.start[receivers]
        begin = self.start[receivers] - np.concatenate([[0], np.cumsum(counts)[:-1]])
        return np.repeat(begin, counts) + np.arange(counts.sum())


def build_neighbour_graph(atoms: Atoms, cutoff: float) -> NeighbourGraph:
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


def k_hop_neighbourhood(graph: NeighbourGraph, centre: int, depth: int) -> tuple[IntArray, IntArray]:
    """Find the atoms within some steps of one.

    Parameters
    ----------
    graph
        Of a cell.
    centre
        An atom.
    depth
        Steps.

    Returns
    -------
    (M,) atoms, the nearest first, the centre before all; and (M,) their steps.
    """
    known = np.zeros(len(graph.start) - 1, dtype=bool)
    front = np.array([centre], dtype=np.int64)
    known[front] = True
    atoms, hops = [front], [np.zeros(1, dtype=np.int64)]
    for distance in range(1, depth + 1):
        near = np.unique(graph.sender[graph.edges_of(front)])
        front = near[~known[near]]
        known[front] = True
        atoms.append(front)
        hops.append(np.full(len(front), distance))
    return np.concatenate(atoms), np.concatenate(hops)
