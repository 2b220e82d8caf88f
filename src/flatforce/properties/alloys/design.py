"""Design matrices of cluster expansions: cluster vectors of orderings, with the end members pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.properties.alloys.mapping import cluster_space, compute_cluster_vectors, neighbour_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.config import ClusterExpansionConfig
    from flatforce.structures.alloys import AlloyLattice

NEIGHBOUR_CUTOFFS = (
    (2.01,),
    (2.67,),
    (3.77,),
    (2.01, 1.76),
    (2.67, 1.76),
    (2.67, 2.01),
    (3.77, 2.01, 1.76),
)
"""Candidate cutoffs of pairs, triplets, quadruplets in nearest distances of the sublattice, each just beyond a shell of a
triangular lattice (1, √3, 2, √7, 3, …)."""


@dataclass(frozen=True)
class Design:
    """The orderings of a table in one cluster space."""

    cutoffs: tuple[float, ...]
    """Longest pair, triplet, … in Å."""
    space: Any
    """icet's `ClusterSpace`."""
    vectors: FloatArray
    """(n, p) cluster vectors of the orderings, dimensionless."""
    basis: FloatArray
    """(p, q) matrix with parameters = basis @ free parameters; if pinned, its columns leave the end members at zero."""

    @property
    def reduced(self) -> FloatArray:
        """(n, q) design matrix of the free parameters."""
        return np.asarray(self.vectors @ self.basis)


def make_designs(
    lattice: AlloyLattice, orderings: Sequence[Atoms], config: ClusterExpansionConfig
) -> list[Design]:
    """Compute the cluster vectors of all candidate cutoffs once.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings.
    config
        Settings.

    Returns
    -------
    One design for each candidate.
    """
    nearest = neighbour_distance(lattice)
    candidates = config.cutoffs or [[nearest * factor for factor in factors] for factors in NEIGHBOUR_CUTOFFS]
    return [make_design(lattice, orderings, cutoffs, pinned=config.pin_end_members) for cutoffs in candidates]


def make_design(
    lattice: AlloyLattice, orderings: Sequence[Atoms], cutoffs: Sequence[float], *, pinned: bool
) -> Design:
    """Compute the cluster vectors of orderings in one cluster space.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings.
    cutoffs
        Longest pair, triplet, … in Å.
    pinned
        Whether the end members have exactly zero formation energy.

    Returns
    -------
    Cluster vectors of the orderings, and the basis in which parameters are fitted.
    """
    space = cluster_space(lattice, cutoffs)
    vectors = compute_cluster_vectors(space, lattice, orderings)
    basis = np.eye(len(space))
    if pinned:
        basis = _pinned_basis(compute_cluster_vectors(space, lattice, _end_members(lattice)))
    return Design(tuple(cutoffs), space, vectors, basis)


def _end_members(lattice: AlloyLattice) -> list[Atoms]:
    end_members = []
    for species in lattice.species:
        atoms = lattice.parent.copy()
        atoms.symbols[lattice.mixing(lattice.parent)] = species
        end_members.append(atoms)
    return end_members


def _pinned_basis(end_vectors: FloatArray) -> FloatArray:
    """Solve the empty cluster and the points for the others, so that each free parameter is one interaction.

    (An orthonormal null space would do as well, but sparse regularisers would then act on mixtures of interactions.)
    """
    pivots: list[int] = []
    for column in range(end_vectors.shape[1]):
        if np.linalg.matrix_rank(end_vectors[:, [*pivots, column]]) > len(pivots):
            pivots.append(column)
    free = [column for column in range(end_vectors.shape[1]) if column not in pivots]
    basis = np.zeros((end_vectors.shape[1], len(free)))
    basis[free, range(len(free))] = 1.0
    basis[pivots] = -np.linalg.lstsq(end_vectors[:, pivots], end_vectors[:, free], rcond=None)[0]
    return basis
