"""Which candidates are labelled: at random, where the model doubts, where nothing is known, or for one property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from flatforce.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray

Strategy = Literal["random", "uncertainty", "diversity", "combined", "property"]

SHORTLIST: Final = 3
"""The combined strategy spreads its choice over this many times as many of the most doubtful candidates."""


@dataclass(frozen=True)
class Pool:
    """What is known of the candidates."""

    doubt: FloatArray
    """(n,) eV/Å, largest interval of an atom's force."""
    descriptors: FloatArray
    """(n, d) of each candidate."""
    known: FloatArray
    """(m, d) of the frames learnt so far."""
    forces: Sequence[FloatArray]
    """For each candidate (3N, K): what K unknown weights do to its forces, over the noise; used by the strategy `property`."""
    target: FloatArray | None
    """(K, t) what they do to the property, in any one unit."""


@dataclass(frozen=True)
class Choice:
    """What was chosen, in order, and why."""

    places: list[int]
    reasons: list[str]


def select(pool: Pool, count: int, strategy: Strategy, *, rng: np.random.Generator) -> Choice:
    """Choose candidates.

    Parameters
    ----------
    pool
        The candidates.
    count
        How many.
    strategy
        By what.
    rng
        For `random`.

    Returns
    -------
    The choice; fewer if there are fewer.
    """
    count = min(count, len(pool.doubt))
    if strategy == "random":
        places = [int(k) for k in rng.permutation(len(pool.doubt))[:count]]
        return Choice(places, ["drawn at random"] * count)
    if strategy == "uncertainty":
        places = [int(k) for k in np.argsort(-pool.doubt, kind="stable")[:count]]
        return Choice(places, [f"a force may be off by {pool.doubt[k]:.3f} eV/Å" for k in places])
    if strategy == "diversity":
        return _spread_out(pool, np.arange(len(pool.doubt)), count)
    if strategy == "combined":
        shortlist = np.argsort(-pool.doubt, kind="stable")[: SHORTLIST * count]
        return _spread_out(pool, shortlist, count)
    return _for_property(pool, count)


def _spread_out(pool: Pool, among: IntArray, count: int) -> Choice:
    """Take the farthest from all that is known or chosen, one after another."""
    points = pool.descriptors[among]
    nearest = np.full(len(among), np.inf)
    for one in pool.known:
        np.minimum(nearest, np.linalg.norm(points - one, axis=1), out=nearest)
    places, reasons = [], []
    for _ in range(count):
        k = int(nearest.argmax())
        places.append(int(among[k]))
        reasons.append(
            f"{nearest[k]:.3g} from the nearest known frame, a force may be off by {pool.doubt[among[k]]:.3f} eV/Å"
        )
        np.minimum(nearest, np.linalg.norm(points - points[k], axis=1), out=nearest)
        nearest[k] = -np.inf
    return Choice(places, reasons)


def _for_property(pool: Pool, count: int) -> Choice:
    """Take one after another the candidate whose label would narrow the property most.

    Weights w ~ N(0, 1) move forces by F w, in units of the noise, and the property by T w. Observing the forces of a frame leaves
    cov(w) − cov(w) Fᵀ (1 + F cov(w) Fᵀ)⁻¹ F cov(w) (Bayesian linear regression; the choice is that of Bayesian A-optimal design).
    """
    if pool.target is None:
        raise DataError(
            "No property is known to choose for.", fix="name `target` in the study, or use another strategy"
        )
    target, known = pool.target, np.eye(len(pool.target))
    start = float((target**2).sum())
    lost = 0.0
    places: list[int] = []
    reasons = []
    for _ in range(count):
        taken = [
            -1.0 if k in places else float(np.sum((_learnt(known, forces) @ target) ** 2))
            for k, forces in enumerate(pool.forces)
        ]
        k = int(np.argmax(taken))
        places.append(k)
        rows = _learnt(known, pool.forces[k])
        known = known - rows.T @ rows
        lost += taken[k]
        share = 0.0 if start == 0 else lost / start
        reasons.append(
            f"with those before it takes away {100 * share:.0f} % of the variance of the property, by a linear model"
        )
    return Choice(places, reasons)


def _learnt(known: FloatArray, forces: FloatArray) -> FloatArray:
    """Return the root of what a frame's forces take from a covariance: (3N, K)."""
    seen = forces @ known
    factor = np.linalg.cholesky(np.eye(len(forces)) + seen @ forces.T)
    return np.asarray(np.linalg.solve(factor, seen))
