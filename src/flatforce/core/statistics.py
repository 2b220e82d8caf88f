"""Confidence intervals and hypothesis tests for means over structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray


def bootstrap_interval(
    values: FloatArray,
    *,
    seed: int,
    groups: Sequence[int] | IntArray | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
) -> tuple[float, float]:
    """Compute the confidence interval of a mean by the bootstrap over structures, or over groups of dependent structures.

    Parameters
    ----------
    values
        (n,) one value for each structure.
    seed
        Seed of the resamples.
    groups
        (n,) group of each structure; None if all structures are independent.
    level
        Confidence level.
    n_resamples
        Number of resamples.

    Returns
    -------
    Lower and upper end of the interval by the percentile method, in the unit of `values`.
    """
    rng = np.random.default_rng(seed)
    sums, sizes = _sum_by_group(values, groups)
    resampled = rng.integers(0, len(sums), size=(n_resamples, len(sums)))
    means = sums[resampled].sum(axis=1) / sizes[resampled].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_permutation_test(
    first: FloatArray,
    second: FloatArray,
    *,
    seed: int,
    groups: Sequence[int] | IntArray | None = None,
    n_resamples: int = 9999,
) -> float:
    """Test whether the errors of two models on the same structures have the same mean.

    Parameters
    ----------
    first
        (n,) absolute errors of the first model.
    second
        (n,) absolute errors of the second model on the same structures.
    seed
        Seed of the random permutations.
    groups
        (n,) group of each structure: the two models are exchanged for all structures of a group at once, because these are not
        independent. None if all structures are independent.
    n_resamples
        Number of random permutations. The test is exact where there are no more permutations than this, which is the case for
        up to 13 groups by default.

    Returns
    -------
    Two-sided p value of the mean difference; 1 for fewer than two groups.
    """
    from scipy.stats import permutation_test

    differences, _ = _sum_by_group(first - second, groups)
    if len(differences) < 2:
        return 1.0
    result = permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_resamples,
        alternative="two-sided",
        random_state=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _sum_by_group(
    values: FloatArray, groups: Sequence[int] | IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the sum of the values of each group and the number of its members."""
    if groups is None:
        return values, np.ones(len(values))
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.asarray(np.bincount(index, weights=values), dtype=float)
    return sums, np.asarray(np.bincount(index), dtype=float)
