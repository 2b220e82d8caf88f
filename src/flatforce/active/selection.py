"""Selection of the candidates to be labelled: at random, by uncertainty, by diversity, or to determine one property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.curation.diversity import farthest_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.active.config import Strategy
    from flatforce.core.arrays import FloatArray, IntArray

SHORTLIST: Final = 3
"""The combined strategy selects the most diverse among this many times as many of the most uncertain candidates."""


@dataclass(frozen=True)
class CandidatePool:
    """What the strategies know of the candidates."""

    uncertainty: FloatArray
    """(n,) eV/Å, largest 90 % interval of an atom's force in each candidate."""
    descriptors: FloatArray
    """(n, d) descriptor of each candidate."""
    train_descriptors: FloatArray
    """(m, d) descriptors of the frames in the training set."""
    forces: Sequence[FloatArray] = ()
    """(3N, K) for each candidate: change of its forces by each of K unknown weights, in units of the noise; read by the
    strategy `property`."""
    target: FloatArray | None = None
    """(K, t) change of the property by each of the K unknown weights, in any unit; read by the strategy `property`."""
    n_outside: IntArray | None = None
    """(n,) number of atoms in each candidate whose environment is unlike any in the calibration set; none if None."""

    def count_outside(self, index: int) -> int:
        """Return the number of atoms of a candidate that are outside the calibration set.

        Parameters
        ----------
        index
            Index of the candidate.

        Returns
        -------
        Number of atoms without an interval.
        """
        return 0 if self.n_outside is None else int(self.n_outside[index])

    def describe_uncertainty(self, index: int) -> str:
        """Say how uncertain the forces of a candidate are.

        Parameters
        ----------
        index
            Index of the candidate.

        Returns
        -------
        Its largest interval; the number of atoms that have none, where there are such.
        """
        n_outside = self.count_outside(index)
        if n_outside:
            return f"no force interval for {n_outside} atoms outside the calibration set"
        return f"force uncertainty {self.uncertainty[index]:.3f} eV/Å"


@dataclass(frozen=True)
class Selection:
    """Selected candidates, in the order in which they were selected."""

    indices: list[int]
    """Indices of the selected candidates in the pool."""
    reasons: list[str]
    """Why each of them was selected."""


def select(pool: CandidatePool, count: int, strategy: Strategy, *, rng: np.random.Generator) -> Selection:
    """Select the candidates to be labelled.

    Parameters
    ----------
    pool
        The candidates.
    count
        Number of candidates to select.
    strategy
        How they are selected.
    rng
        Generator for the strategy `random`.

    Returns
    -------
    The selection; all candidates if the pool has fewer than `count`.
    """
    count = min(count, len(pool.uncertainty))
    if strategy == "random":
        indices = [int(k) for k in rng.permutation(len(pool.uncertainty))[:count]]
        return Selection(indices, ["drawn at random"] * count)
    if strategy == "uncertainty":
        indices = [int(k) for k in np.argsort(-pool.uncertainty, kind="stable")[:count]]
        return Selection(indices, [pool.describe_uncertainty(k) for k in indices])
    if strategy == "diversity":
        return _select_diverse(pool, np.arange(len(pool.uncertainty)), count)
    if strategy == "combined":
        shortlist = np.argsort(-pool.uncertainty, kind="stable")[: SHORTLIST * count]
        return _select_diverse(pool, shortlist, count)
    return _select_for_property(pool, count)


def _select_diverse(pool: CandidatePool, shortlist: IntArray, count: int) -> Selection:
    """Select by farthest-point sampling, beginning with the distances from the training set."""
    points = pool.descriptors[shortlist]
    order, distances = farthest_points(points, count, references=pool.train_descriptors)
    indices = [int(shortlist[k]) for k in order]
    reasons = [
        f"descriptor distance {distance:.3g} from the training set and those selected before it, "
        f"{pool.describe_uncertainty(index)}"
        for index, distance in zip(indices, distances, strict=True)
    ]
    return Selection(indices, reasons)


def _select_for_property(pool: CandidatePool, count: int) -> Selection:
    """Select, one after another, the candidate whose label reduces the variance of the property most.

    Weights w ~ N(0, 1) change forces by F w, in units of the noise, and the property by T w. Observing the forces of a frame leaves
    cov(w) − cov(w) Fᵀ (1 + F cov(w) Fᵀ)⁻¹ F cov(w) (Bayesian linear regression; the selection is that of Bayesian A-optimal
    design).
    """
    if pool.target is None:
        raise DataError(
            "The strategy `property` has no property to select for.",
            fix="set `target` in the study, or another `strategy`",
        )
    target, covariance = pool.target, np.eye(len(pool.target))
    prior_variance = float((target**2).sum())
    removed_variance = 0.0
    indices: list[int] = []
    reasons = []
    for _ in range(count):
        reductions = [
            -1.0 if k in indices else float(np.sum((_information_root(covariance, forces) @ target) ** 2))
            for k, forces in enumerate(pool.forces)
        ]
        k = int(np.argmax(reductions))
        indices.append(k)
        root = _information_root(covariance, pool.forces[k])
        covariance = covariance - root.T @ root
        removed_variance += reductions[k]
        fraction = 0.0 if prior_variance == 0 else removed_variance / prior_variance
        reasons.append(
            f"with those selected before it reduces the variance of the property by {100 * fraction:.0f} % in a linear model"
        )
    return Selection(indices, reasons)


def _information_root(covariance: FloatArray, forces: FloatArray) -> FloatArray:
    """Return R with RᵀR the reduction of a covariance by observing the forces of a frame: (3N, K)."""
    projected = forces @ covariance
    factor = np.linalg.cholesky(np.eye(len(forces)) + projected @ forces.T)
    return np.asarray(np.linalg.solve(factor, projected))
