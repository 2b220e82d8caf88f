"""Where an alloy loses its order: the crossing of Binder cumulants, with an error bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.monte_carlo import Point


@dataclass(frozen=True)
class Transition:
    """Where order is lost."""

    temperature: float
    """K; NaN if the cumulants do not cross within the temperatures."""
    error: float
    """K, standard error from resampled runs; NaN for single runs, or where half of the draws do not cross."""


def transition(points: Sequence[Point], *, seed: int, draws: int = 200) -> Transition:
    """Find where the Binder cumulants of the two largest sizes cross (Binder 1981).

    Parameters
    ----------
    points
        Of two sizes or more, on the same temperatures.
    seed
        Of the resampling.
    draws
        Resampled sets of runs.

    Returns
    -------
    The crossing; its error is the spread over sets of runs drawn with replacement at each temperature and size.
    """
    sizes = sorted({one.size for one in points})[-2:]
    temperatures = np.array(sorted({one.temperature for one in points}))
    if len(sizes) < 2:
        return Transition(float("nan"), float("nan"))
    moments = {
        size: [
            np.array([(p.second, p.fourth) for p in points if (p.size, p.temperature) == (size, t)])
            for t in temperatures
        ]
        for size in sizes
    }
    rng = np.random.default_rng(seed)
    best = _crossing(temperatures, moments, None)
    found = np.array([_crossing(temperatures, moments, rng) for _ in range(draws)])
    known = found[np.isfinite(found)]
    runs = min(len(one) for each in moments.values() for one in each)
    if runs < 2 or len(known) <= draws // 2:
        return Transition(best, float("nan"))
    return Transition(best, float(known.std()) * np.sqrt(runs / (runs - 1)))


def _crossing(
    temperatures: FloatArray, moments: Mapping[int, list[FloatArray]], rng: np.random.Generator | None
) -> float:
    cumulants = []
    for runs in moments.values():
        drawn = [one if rng is None else one[rng.integers(0, len(one), size=len(one))] for one in runs]
        means = np.array([one.mean(axis=0) for one in drawn])
        cumulants.append(1 - means[:, 1] / (3 * means[:, 0] ** 2))
    gap = cumulants[1] - cumulants[0]  # larger less smaller: positive in the ordered phase
    ordered = np.flatnonzero((gap[:-1] > 0) & (gap[1:] <= 0))
    if not len(ordered):
        return float("nan")
    k = int(ordered[-1])
    part = gap[k] / (gap[k] - gap[k + 1])
    return float(temperatures[k] + part * (temperatures[k + 1] - temperatures[k]))
