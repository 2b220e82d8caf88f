"""Transition temperature of an alloy: the crossing of Binder cumulants, with an error bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.properties.alloys.monte_carlo import ORDER_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.monte_carlo import MonteCarloPoint

ORDERED_CUMULANT: Final = 2 / 3
"""Binder cumulant of perfect order."""

NOISE_FRACTION: Final = 0.25
"""Fraction of the way from the disordered to the ordered cumulant below which a crossing counts as noise."""

CUMULANT_TOLERANCE: Final = 1e-9
"""Difference of cumulants that is round-off: sheets in perfect order."""

MAX_STEP_FRACTION: Final = 0.5
"""Fraction of the fall from order to disorder in one temperature step beyond which no interpolation resolves it."""


@dataclass(frozen=True)
class Transition:
    """An order–disorder transition."""

    temperature: float
    """Transition temperature in K; NaN if the cumulants do not cross within the temperatures."""
    error: float
    """Standard error from bootstrap samples of the runs in K, or half the temperature step if that is too large to
    interpolate; NaN for single runs, or where half of the samples do not cross."""
    unresolved: bool
    """Whether order vanishes within one temperature step that is too large to interpolate: `temperature` is its middle."""


NO_TRANSITION: Final = Transition(float("nan"), float("nan"), unresolved=False)


def find_transition(
    points: Sequence[MonteCarloPoint], *, n_components: int, seed: int, samples: int = 200
) -> Transition:
    """Find where the Binder cumulants of the two largest sizes cross (Binder 1981).

    Without order the components are Gaussian, the cumulant is 1 − (n + 2) / 3n, and the sizes cross by chance: crossings
    near that value are ignored, as are temperatures at which the cumulants are undefined (an end member).

    Parameters
    ----------
    points
        Runs of at least two sizes at the same temperatures.
    n_components
        Number n of real components of the order parameter.
    seed
        Seed of the bootstrap samples.
    samples
        Number of bootstrap samples: sets of runs, drawn with replacement at each temperature and size.

    Returns
    -------
    The crossing; its error is the standard deviation over the bootstrap samples.
    """
    sizes = sorted({point.size for point in points})[-2:]
    temperatures = np.array(sorted({point.temperature for point in points}))
    if len(sizes) < 2:
        return NO_TRANSITION
    moments = {
        size: [
            np.array([(p.psi2, p.psi4) for p in points if (p.size, p.temperature) == (size, temperature)])
            for temperature in temperatures
        ]
        for size in sizes
    }
    disordered = 1 - (n_components + 2) / (3 * n_components)
    cumulants = _binder_cumulants(moments, None)
    defined = np.flatnonzero(np.isfinite(cumulants).all(axis=0))
    if len(defined) < 2:
        return NO_TRANSITION
    temperatures, cumulants = temperatures[defined], cumulants[:, defined]
    moments = {size: [runs[k] for k in defined] for size, runs in moments.items()}
    crossing, step = _find_crossing(temperatures, cumulants, disordered)
    if np.isnan(crossing):
        return NO_TRANSITION
    rng = np.random.default_rng(seed)
    sampled = [
        _find_crossing(temperatures, _binder_cumulants(moments, rng), disordered)[0] for _ in range(samples)
    ]
    error = _standard_error(np.array(sampled), min(len(runs) for size in sizes for runs in moments[size]))
    if cumulants[1, step] - cumulants[1, step + 1] > MAX_STEP_FRACTION * (ORDERED_CUMULANT - disordered):
        low, high = (float(temperature) for temperature in temperatures[step : step + 2])
        return Transition((low + high) / 2, float(np.nanmax([error, (high - low) / 2])), unresolved=True)
    return Transition(crossing, error, unresolved=False)


def _standard_error(crossings: FloatArray, n_runs: int) -> float:
    """Return the standard deviation over bootstrap samples, corrected for few runs; NaN if most do not cross."""
    finite = crossings[np.isfinite(crossings)]
    if n_runs > 1 and len(finite) > len(crossings) // 2:
        return float(finite.std()) * float(np.sqrt(n_runs / (n_runs - 1)))
    return float("nan")


def _binder_cumulants(moments: Mapping[int, list[FloatArray]], rng: np.random.Generator | None) -> FloatArray:
    """Return (2, n_temperatures) cumulants of both sizes, of the runs or of a bootstrap sample of them."""
    cumulants = []
    for runs_by_temperature in moments.values():
        runs_used = [
            runs if rng is None else runs[rng.integers(0, len(runs), size=len(runs))]
            for runs in runs_by_temperature
        ]
        means = np.array([runs.mean(axis=0) for runs in runs_used])
        psi2 = np.where(means[:, 0] > ORDER_TOLERANCE, means[:, 0], np.nan)
        cumulants.append(1 - means[:, 1] / (3 * psi2**2))
    return np.array(cumulants)


def _find_crossing(temperatures: FloatArray, cumulants: FloatArray, disordered: float) -> tuple[float, int]:
    """Return the highest crossing that is not noise, and the temperature step it lies in; NaN and 0 for none."""
    gap = cumulants[1] - cumulants[0]  # larger cell minus smaller cell: positive in the ordered phase
    min_cumulant = disordered + NOISE_FRACTION * (ORDERED_CUMULANT - disordered)
    for k in np.flatnonzero((gap[:-1] > CUMULANT_TOLERANCE) & (gap[1:] <= 0))[::-1]:
        fraction = gap[k] / (gap[k] - gap[k + 1])
        if cumulants[0, k] + fraction * (cumulants[0, k + 1] - cumulants[0, k]) > min_cumulant:
            return float(temperatures[k] + fraction * (temperatures[k + 1] - temperatures[k])), int(k)
    return float("nan"), 0
