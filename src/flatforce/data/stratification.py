"""Assignment of groups of frames to subsets so that every stratum is divided by the same fractions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MAX_PASSES = 50
"""Largest number of passes over all groups; most datasets converge in fewer than ten."""

MIN_IMPROVEMENT = 1e-12
"""Smallest decrease of the cost for which a group is reassigned: above round-off."""


def assign_groups(
    frames: Sequence[Atoms],
    groups: Sequence[Sequence[int]],
    fractions: Sequence[float],
    *,
    stratify: str,
    seed: int,
) -> list[int]:
    """Assign groups to subsets so that the sizes of the subsets, and of each stratum in them, approach given fractions.

    Groups are assigned at random and then moved one by one to the subset of least cost, until none moves. The cost is
    Σ_k (f_k − w_k)² / w_k, summed over the whole dataset and all strata; f_k is the fraction in subset k and w_k the wanted
    one.

    Parameters
    ----------
    frames
        All frames.
    groups
        Indices of the frames of each group.
    fractions
        Wanted fraction of the frames in each subset; a subset of fraction 0 stays empty.
    stratify
        `element`, `composition` or `none`.
    seed
        Seed of the random generator.

    Returns
    -------
    For each group the number of its subset, an index into `fractions`.
    """
    rng = np.random.default_rng(seed)
    nonempty = [k for k, fraction in enumerate(fractions) if fraction > 0]
    wanted_fractions = np.array([fractions[k] for k in nonempty])
    weights = _stratum_weights(frames, groups, stratify)
    target = wanted_fractions[:, None] * weights.sum(axis=0)
    subset = rng.choice(len(wanted_fractions), size=len(groups), p=wanted_fractions)
    sizes = np.array([weights[subset == k].sum(axis=0) for k in range(len(wanted_fractions))])
    for _ in range(MAX_PASSES):
        has_moved = False
        for row in rng.permutation(len(groups)):
            old = subset[row]
            sizes_without = sizes.copy()
            sizes_without[old] -= weights[row]
            costs = [
                _cost(sizes_without, weights[row], k, target, wanted_fractions)
                for k in range(len(wanted_fractions))
            ]
            best = int(np.argmin(costs))
            if costs[best] < costs[old] - MIN_IMPROVEMENT:
                subset[row], has_moved = best, True
                sizes = sizes_without
                sizes[best] += weights[row]
        if not has_moved:
            break
    _fill_empty_subsets(subset, weights[:, 0], wanted_fractions)
    return [nonempty[int(k)] for k in subset]


def _stratum_weights(frames: Sequence[Atoms], groups: Sequence[Sequence[int]], stratify: str) -> FloatArray:
    """Return (groups, 1 + strata): fraction of all frames, and of each stratum, that a group holds.

    The first column is scaled so that the size of a subset weighs about as much as all strata together.
    """
    strata = [_strata(frame, stratify) for frame in frames]
    names = sorted(set().union(*strata))
    weights = np.zeros((len(groups), 1 + len(names)))
    for row, members in enumerate(groups):
        weights[row, 0] = len(members)
        for column, name in enumerate(names, start=1):
            weights[row, column] = sum(name in strata[index] for index in members)
    weights /= weights.sum(axis=0)
    weights[:, 0] *= max(1, len(names)) ** 0.5
    return weights


def _strata(frame: Atoms, stratify: str) -> set[str]:
    if stratify == "element":
        return set(frame.get_chemical_symbols())
    return {frame.symbols.formula.reduce()[0].format("hill")} if stratify == "composition" else set()


def _cost(
    sizes: FloatArray, added: FloatArray, subset: int, target: FloatArray, wanted_fractions: FloatArray
) -> float:
    """Compute the cost of adding a group to a subset."""
    deviation = sizes - target
    deviation[subset] += added
    return float(((deviation**2).sum(axis=1) / wanted_fractions).sum())


def _fill_empty_subsets(subset: NDArray[np.int64], sizes: FloatArray, wanted_fractions: FloatArray) -> None:
    """Give each empty subset the group whose size fits it best, out of a subset that has several groups."""
    for k, fraction in enumerate(wanted_fractions):
        if (subset == k).any():
            continue
        movable = [row for row in range(len(subset)) if (subset == subset[row]).sum() > 1]
        best = min(movable, key=lambda row: abs(sizes[row] / sizes.sum() - fraction))
        subset[best] = k
