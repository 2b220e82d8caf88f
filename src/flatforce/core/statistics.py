"""Intervals and tests for means over structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flatforce.core.arrays import FloatArray, IntArray


def bootstrap_interval(
    values: FloatArray,
    *,
    seed: int,
    groups: Sequence[int] | IntArray | None = None,
    level: float = 0.95,
    count: int = 2000,
) -> tuple[float, float]:
    """Return the interval of a mean by resampling structures, or groups of them that are not independent.

    Parameters
    ----------
    values
        (n,) one value for each structure.
    seed
        Of the draws.
    groups
        (n,) of each structure; each its own if not given.
    level
        Coverage.
    count
        Draws.

    Returns
    -------
    Lower and upper end, percentile method.
    """
    rng = np.random.default_rng(seed)
    sums, sizes = _by_group(values, groups)
    drawn = rng.integers(0, len(sums), size=(count, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_permutation_test(
    first: FloatArray,
    second: FloatArray,
    *,
    seed: int,
    groups: Sequence[int] | IntArray | None = None,
    count: int = 10000,
) -> float:
    """Test whether two models err alike on the same structures, by flipping signs of the differences.

    Parameters
    ----------
    first
        (n,) absolute errors.
    second
        (n,) absolute errors of the same structures.
    seed
        Of the flips.
    groups
        (n,) of each structure: those of a group, not independent, flip together; each its own if not given.
    count
        Flips.

    Returns
    -------
    Two-sided p value of a permutation test of the mean difference.
    """
    difference, _ = _by_group(first - second, groups)
    signs: Callable[..., FloatArray] = np.random.default_rng(seed).choice
    flipped = np.abs((signs([-1.0, 1.0], size=(count, len(difference))) * difference).sum(axis=1))
    return float((1 + (flipped >= abs(difference.sum()) - 1e-12).sum()) / (1 + count))


def _by_group(values: FloatArray, groups: Sequence[int] | IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Return the sum of each group and how many it has."""
    if groups is None:
        return values, np.ones(len(values))
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.asarray(np.bincount(place, weights=values), dtype=float)
    return sums, np.asarray(np.bincount(place), dtype=float)
