"""Where an alloy loses its order: the crossing of Binder cumulants, with an error bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.monte_carlo import Point

ORDERED: Final = 2 / 3
"""Cumulant of perfect order."""

COARSE: Final = 0.5
"""Share of the fall from order to disorder in one step of temperature that no interpolation resolves."""


@dataclass(frozen=True)
class Transition:
    """Where order is lost."""

    temperature: float
    """K; NaN if the cumulants do not cross within the temperatures."""
    error: float
    """K, standard error from resampled runs, or half the step if that is too coarse; NaN for single runs, or where half of
    the draws do not cross."""
    coarse: bool
    """Whether order is lost within one step of temperature, too long to interpolate: `temperature` is its middle."""


def transition(points: Sequence[Point], *, components: int, seed: int, draws: int = 200) -> Transition:
    """Find where the Binder cumulants of the two largest sizes cross (Binder 1981).

    Without order the components are Gaussian, the cumulant is 1 − (n + 2) / 3n, and the sizes cross by chance: only crossings
    nearer to order than to that are looked at.

    Parameters
    ----------
    points
        Of two sizes or more, on the same temperatures.
    components
        n, of the order parameter: one, two of a complex one, one of each wave vector of a star.
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
        return Transition(float("nan"), float("nan"), coarse=False)
    moments = {
        size: [
            np.array([(p.second, p.fourth) for p in points if (p.size, p.temperature) == (size, t)])
            for t in temperatures
        ]
        for size in sizes
    }
    disordered = 1 - (components + 2) / (3 * components)
    cumulants = _cumulants(moments, None)
    best = _crossing(temperatures, cumulants, disordered)
    falls = cumulants[1, :-1] - cumulants[1, 1:]
    step = int(np.argmax(falls)) if np.isnan(best) else int(np.searchsorted(temperatures, best)) - 1
    if falls[step] > COARSE * (ORDERED - disordered):
        low, high = temperatures[step : step + 2]
        return Transition(float(low + high) / 2, float(high - low) / 2, coarse=True)
    rng = np.random.default_rng(seed)
    found = np.array([_crossing(temperatures, _cumulants(moments, rng), disordered) for _ in range(draws)])
    known = found[np.isfinite(found)]
    runs = min(len(one) for each in moments.values() for one in each)
    if runs < 2 or len(known) <= draws // 2:
        return Transition(best, float("nan"), coarse=False)
    return Transition(best, float(known.std()) * np.sqrt(runs / (runs - 1)), coarse=False)


def _cumulants(moments: Mapping[int, list[FloatArray]], rng: np.random.Generator | None) -> FloatArray:
    """Return those of both sizes, (2, T), of the runs or of as many drawn from them."""
    cumulants = []
    for runs in moments.values():
        drawn = [one if rng is None else one[rng.integers(0, len(one), size=len(one))] for one in runs]
        means = np.array([one.mean(axis=0) for one in drawn])
        cumulants.append(1 - means[:, 1] / (3 * means[:, 0] ** 2))
    return np.array(cumulants)


def _crossing(temperatures: FloatArray, cumulants: FloatArray, disordered: float) -> float:
    gap = cumulants[1] - cumulants[0]  # larger less smaller: positive in the ordered phase
    middle = (ORDERED + disordered) / 2
    for k in np.flatnonzero((gap[:-1] > 0) & (gap[1:] <= 0))[::-1]:
        part = gap[k] / (gap[k] - gap[k + 1])
        if cumulants[0, k] + part * (cumulants[0, k + 1] - cumulants[0, k]) > middle:
            return float(temperatures[k] + part * (temperatures[k + 1] - temperatures[k]))
    return float("nan")
