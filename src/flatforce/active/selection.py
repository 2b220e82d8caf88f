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

LABEL_NOISE: Final = 0.005
"""eV/Å. Noise of a label's force component: k points and cutoff of the bundled dataset."""


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
    """For each candidate (members, 3N) eV/Å; used by the strategy `property`."""
    target: FloatArray | None
    """(members, t) the property by each member, in any one unit."""


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

    The members are taken for samples of a Gaussian: forces f and property t vary together. Observing forces with noise r
    leaves cov(t) = T (1 + Σ FᵀF / r²)⁻¹ Tᵀ, with T and F the deviations of the members from their mean over
    √(members − 1); the sum runs over the frames chosen. (Ensemble transform filter: Bishop et al., Mon. Weather Rev.
    129, 420, 2001.)
    """
    if pool.target is None:
        raise DataError(
            "No property is known to choose for.", fix="name `target` in the study, or use another strategy"
        )
    target = _anomalies(pool.target)
    members = len(target)
    information = []
    for forces in pool.forces:
        anomaly = _anomalies(forces)
        information.append(anomaly @ anomaly.T / LABEL_NOISE**2)
    gathered = np.zeros((members, members))
    before = _left(target, gathered)
    start = before
    places: list[int] = []
    reasons = []
    for _ in range(count):
        left = [np.inf if k in places else _left(target, gathered + one) for k, one in enumerate(information)]
        k = int(np.argmin(left))
        places.append(k)
        gathered = gathered + information[k]
        share = 0.0 if start == 0 else 1 - left[k] / start
        reasons.append(f"with those before it takes away {100 * share:.0f} % of the variance of the property")
    return Choice(places, reasons)


def _anomalies(values: FloatArray) -> FloatArray:
    """Return (members, d) deviations from the mean over √(members − 1)."""
    flat = values.reshape(len(values), -1)
    return np.asarray((flat - flat.mean(axis=0)) / np.sqrt(len(values) - 1))


def _left(target: FloatArray, gathered: FloatArray) -> float:
    """Return the summed variance of a property once this much is known."""
    return float(np.trace(target.T @ np.linalg.solve(np.eye(len(gathered)) + gathered, target)))
