"""Intervals and tests for means over structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from flatforce.core.arrays import FloatArray


def bootstrap(
    values: FloatArray, *, seed: int, level: float = 0.95, count: int = 2000
) -> tuple[float, float]:
    """Return the interval of a mean by resampling structures.

    Parameters
    ----------
    values
        (n,) one value for each structure.
    seed
        Of the draws.
    level
        Coverage.
    count
        Draws.

    Returns
    -------
    Lower and upper end, percentile method.
    """
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), size=(count, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_test(first: FloatArray, second: FloatArray, *, seed: int, count: int = 10000) -> float:
    """Test whether two models err alike on the same structures, by flipping signs of the differences.

    Parameters
    ----------
    first
        (n,) absolute errors.
    second
        (n,) absolute errors of the same structures.
    seed
        Of the flips.
    count
        Flips.

    Returns
    -------
    Two-sided p value of a permutation test of the mean difference.
    """
    difference = first - second
    signs: Callable[..., FloatArray] = np.random.default_rng(seed).choice
    flipped = np.abs((signs([-1.0, 1.0], size=(count, len(difference))) * difference).mean(axis=1))
    return float((1 + (flipped >= abs(difference.mean()) - 1e-15).sum()) / (1 + count))
