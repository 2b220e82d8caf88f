"""Cluster expansions of formation energies, on icet and trainstation: pinned end members, settings chosen inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from flatforce.core.config import Config
from flatforce.core.errors import DataError
from flatforce.properties.alloys.mapping import cluster_space, cluster_vectors_in, neighbour_distance
from flatforce.properties.alloys.regression import ALIASED, fit_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.structures.alloys import AlloyLattice

Regulariser = Literal["ridge", "ardr", "rfe", "lasso", "bayesian-ridge", "least-squares"]

NEIGHBOUR_CUTOFFS = (
    (2.01,),
    (2.67,),
    (3.77,),
    (2.01, 1.76),
    (2.67, 1.76),
    (2.67, 2.01),
    (3.77, 2.01, 1.76),
)
"""Candidates in nearest distances of the sublattice: pairs, triplets, quadruplets just beyond a shell of a triangular
lattice (1, √3, 2, √7, 3, …)."""


class ClusterExpansionConfig(Config):
    """Which expansions are tried; the inner loop chooses among them on training rows alone."""

    cutoffs: list[list[PositiveFloat]] = []
    """Å. Candidates, each the longest pair, triplet, …; shells of the sublattice if empty."""
    methods: list[Regulariser] = Field(["ridge", "ardr", "rfe"], min_length=1)
    """How parameters are found; `least-squares` is the structure-inversion method of Connolly and Williams (1983)."""
    folds: int = Field(5, ge=2)
    """Of the inner loop."""
    pin_end_members: bool = True
    """Whether the pure sheets have exactly zero formation energy."""
    largest: float = Field(0.8, gt=0.0, le=1.0)
    """Parameters per training row beyond which a candidate is not tried."""
    seed: int = 0
    """Of the inner folds."""


@dataclass(frozen=True)
class Design:
    """The orderings of a table in one cluster space."""

    cutoffs: tuple[float, ...]
    space: Any
    """icet's ClusterSpace."""
    vectors: FloatArray
    """(n, p) cluster vectors."""
    basis: FloatArray
    """(p, q): parameters = basis @ free parameters; columns leave the end members at zero, if pinned."""

    @property
    def reduced(self) -> FloatArray:
        """(n, q) what the free parameters are fitted with."""
        return np.asarray(self.vectors @ self.basis)


@dataclass(frozen=True)
class Expansion:
    """A fitted cluster expansion."""

    design: Design
    method: str
    parameters: FloatArray
    """(p,) meV per site."""
    cv_rmse: float
    """meV per site, of the inner loop."""

    def predict(self, vectors: FloatArray) -> FloatArray:
        """Predict formation energies.

        Parameters
        ----------
        vectors
            (n, p) cluster vectors.

        Returns
        -------
        (n,) meV per site.
        """
        return np.asarray(vectors @ self.parameters)


def make_designs(
    lattice: AlloyLattice, orderings: Sequence[Atoms], config: ClusterExpansionConfig
) -> list[Design]:
    """Compute the cluster vectors of all candidates once.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted.
    config
        Settings.

    Returns
    -------
    One for each candidate.
    """
    nearest = neighbour_distance(lattice)
    chosen = config.cutoffs or [[nearest * factor for factor in one] for one in NEIGHBOUR_CUTOFFS]
    return [_design(lattice, orderings, cutoffs, pinned=config.pin_end_members) for cutoffs in chosen]


def _design(
    lattice: AlloyLattice, orderings: Sequence[Atoms], cutoffs: Sequence[float], *, pinned: bool
) -> Design:
    space = cluster_space(lattice, cutoffs)
    vectors = cluster_vectors_in(space, lattice, orderings)
    basis = np.eye(len(space))
    if pinned:
        basis = _pinned_basis(cluster_vectors_in(space, lattice, _pure(lattice)))
    return Design(tuple(cutoffs), space, vectors, basis)


def _pure(lattice: AlloyLattice) -> list[Atoms]:
    found = []
    for species in lattice.species:
        atoms = lattice.parent.copy()
        atoms.symbols[lattice.mixing(lattice.parent)] = species
        found.append(atoms)
    return found


def _pinned_basis(ends: FloatArray) -> FloatArray:
    """Solve the empty cluster and the points for the others, so that each free parameter is one interaction.

    (An orthonormal null space would do as well, but sparse regularisers would then act on mixtures of interactions.)
    """
    pivots: list[int] = []
    for column in range(ends.shape[1]):
        if np.linalg.matrix_rank(ends[:, [*pivots, column]]) > len(pivots):
            pivots.append(column)
    free = [column for column in range(ends.shape[1]) if column not in pivots]
    basis = np.zeros((ends.shape[1], len(free)))
    basis[free, range(len(free))] = 1.0
    basis[pivots] = -np.linalg.lstsq(ends[:, pivots], ends[:, free], rcond=None)[0]
    return basis


def choose_and_fit(
    designs: Sequence[Design], rows: IntArray, targets: FloatArray, config: ClusterExpansionConfig
) -> Expansion:
    """Choose cutoffs and regulariser by cross-validation among the given rows, then fit all of these.

    Parameters
    ----------
    designs
        Candidates.
    rows
        (m,) places of the training rows in the table.
    targets
        (m,) meV per site.
    config
        Settings.

    Returns
    -------
    The expansion with the least inner error.

    Raises
    ------
    DataError
        If every candidate has too many parameters for these rows.
    """
    best: tuple[float, Design, Regulariser] | None = None
    for design in designs:
        if not 0 < design.basis.shape[1] <= config.largest * len(_telling(design, rows)):
            continue
        for method in config.methods:
            error = _inner_error(design, rows, targets, method=method, config=config)
            if best is None or error < best[0]:
                best = (error, design, method)
    if best is None:
        least = min(design.basis.shape[1] for design in designs)
        raise DataError(
            f"{len(rows)} orderings, end members counted, are too few for a cluster expansion.",
            why=f"the smallest candidate has {least} parameters, {config.largest:.2g} per ordering are allowed",
            fix="add orderings, or shorter cutoffs",
        )
    error, design, method = best
    free = fit_parameters(design.reduced[rows], targets, method)
    return Expansion(design, method, np.asarray(design.basis @ free), error)


def _telling(design: Design, rows: IntArray) -> IntArray:
    """Places, among the rows, of those that tell something: pinned end members are met by any parameters."""
    return np.flatnonzero(np.abs(design.reduced[rows]).max(axis=1, initial=0.0) > ALIASED)


def _inner_error(
    design: Design, rows: IntArray, targets: FloatArray, *, method: str, config: ClusterExpansionConfig
) -> float:
    told = _telling(design, rows)
    matrix, targets = design.reduced[rows[told]], targets[told]
    order = np.random.default_rng(config.seed).permutation(len(told))
    misses = []
    for held in np.array_split(order, min(config.folds, len(told))):
        learnt = np.setdiff1d(order, held)
        misses.append(matrix[held] @ fit_parameters(matrix[learnt], targets[learnt], method) - targets[held])
    return float(np.sqrt(np.mean(np.concatenate(misses) ** 2)))


def refit(expansion: Expansion, vectors: FloatArray, targets: FloatArray) -> FloatArray:
    """Fit the same kind of expansion to other rows.

    Parameters
    ----------
    expansion
        Its cutoffs and regulariser are kept.
    vectors
        (m, p) cluster vectors.
    targets
        (m,) meV per site.

    Returns
    -------
    (p,) meV per site.
    """
    basis = expansion.design.basis
    return np.asarray(basis @ fit_parameters(vectors @ basis, targets, expansion.method))


def interactions(expansion: Expansion) -> list[dict[str, Any]]:
    """List effective cluster interactions.

    Parameters
    ----------
    expansion
        A fit.

    Returns
    -------
    One for each orbit: order, radius (Å), multiplicity, eci (meV per site, each cluster).
    """
    from icet import ClusterExpansion

    table = ClusterExpansion(expansion.design.space, expansion.parameters).to_dataframe()
    return [
        {
            "order": int(row["order"]),
            "radius": float(row["radius"]),
            "multiplicity": int(row["multiplicity"]),
            "eci": float(row["eci"]),
        }
        for _, row in table.iterrows()
    ]


def to_icet(expansion: Expansion) -> Any:
    """Turn a fit into icet's own object, in eV per site.

    Parameters
    ----------
    expansion
        A fit.

    Returns
    -------
    A `ClusterExpansion`, for Monte Carlo with mchammer, whose Boltzmann constant is in eV/K.
    """
    from icet import ClusterExpansion

    return ClusterExpansion(expansion.design.space, 1e-3 * expansion.parameters)
