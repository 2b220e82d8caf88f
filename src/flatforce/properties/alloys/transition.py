"""Where an alloy loses its order: the crossing of Binder cumulants, with an error bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.properties.alloys.monte_carlo import NO_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.monte_carlo import Point

ORDERED: Final = 2 / 3
"""Cumulant of perfect order."""

ABOVE_NOISE: Final = 0.25
"""Share of the way from disorder to order that a crossing must have gone."""

LEAST_GAP: Final = 1e-9
"""Difference of cumulants that is round-off: sheets in perfect order."""

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

    Without order the components are Gaussian, the cumulant is 1 − (n + 2) / 3n, and the sizes cross by chance: crossings
    near that are not looked at, nor temperatures at which the cumulants are undefined (a pure sheet).

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
    nothing = Transition(float("nan"), float("nan"), coarse=False)
    if len(sizes) < 2:
        return nothing
    moments = {
        size: [
            np.array([(p.second, p.fourth) for p in points if (p.size, p.temperature) == (size, t)])
            for t in temperatures
        ]
        for size in sizes
    }
    disordered = 1 - (components + 2) / (3 * components)
    cumulants = _cumulants(moments, None)
    known = np.flatnonzero(np.isfinite(cumulants).all(axis=0))
    if len(known) < 2:
        return nothing
    temperatures, cumulants = temperatures[known], cumulants[:, known]
    moments = {size: [each[k] for k in known] for size, each in moments.items()}
    best, step = _crossing(temperatures, cumulants, disordered)
    rng = np.random.default_rng(seed)
    drawn = np.array([_crossing(temperatures, _cumulants(moments, rng), disordered)[0] for _ in range(draws)])
    found = drawn[np.isfinite(drawn)]
    runs = min(len(one) for each in moments.values() for one in each)
    if np.isnan(best):
        return nothing
    error = float("nan")
    if runs > 1 and len(found) > draws // 2:
        error = float(found.std()) * np.sqrt(runs / (runs - 1))
    if cumulants[1, step] - cumulants[1, step + 1] > COARSE * (ORDERED - disordered):
        low, high = (float(t) for t in temperatures[step : step + 2])
        return Transition((low + high) / 2, float(np.nanmax([error, (high - low) / 2])), coarse=True)
    return Transition(best, error, coarse=False)


def _cumulants(moments: Mapping[int, list[FloatArray]], rng: np.random.Generator | None) -> FloatArray:
    """Return those of both sizes, (2, T), of the runs or of as many drawn from them."""
    cumulants = []
    for runs in moments.values():
        drawn = [one if rng is None else one[rng.integers(0, len(one), size=len(one))] for one in runs]
        means = np.array([one.mean(axis=0) for one in drawn])
        ordered = np.where(means[:, 0] > NO_FIELD, means[:, 0], np.nan)
        cumulants.append(1 - means[:, 1] / (3 * ordered**2))
    return np.array(cumulants)


def _crossing(temperatures: FloatArray, cumulants: FloatArray, disordered: float) -> tuple[float, int]:
    """Return the highest crossing that is none of noise, and the step it lies in; NaN and 0 for none."""
    gap = cumulants[1] - cumulants[0]  # larger less smaller: positive in the ordered phase
    least = disordered + ABOVE_NOISE * (ORDERED - disordered)
    for k in np.flatnonzero((gap[:-1] > LEAST_GAP) & (gap[1:] <= 0))[::-1]:
        part = gap[k] / (gap[k] - gap[k + 1])
        if cumulants[0, k] + part * (cumulants[0, k + 1] - cumulants[0, k]) > least:
            return float(temperatures[k] + part * (temperatures[k + 1] - temperatures[k])), int(k)
    return float("nan"), 0
