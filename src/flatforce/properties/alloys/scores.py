"""How predictions of formation energies are judged: errors, order, hull; intervals by the bootstrap, paired tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.table import AlloyTable

SCORE_UNITS = {
    "mae": "meV/site",
    "rmse": "meV/site",
    "max": "meV/site",
    "mae_atom": "meV/atom",
    "spearman": "1",
    "hull_mae": "meV/site",
    "ground_state_recall": "1",
    "ground_state_precision": "1",
    "regret": "meV/site",
}
"""Of `scores`."""

ON_HULL = 1e-6
"""meV per site above the hull: round-off."""

FACING_DOWN = 1e-9
"""Least downward part of the normal of a facet of the lower hull: the walls of the composition range have none."""

SAME = 1.0
"""meV per site within which a state counts as a ground state."""


def lower_hull(shares: FloatArray, energies: FloatArray) -> FloatArray:
    """Return the energy above the lower convex hull.

    Parameters
    ----------
    shares
        (n, species) compositions; the pure ones with zero energy are always part of the hull.
    energies
        (n,) formation energies.

    Returns
    -------
    (n,) in the unit of the energies, 0 on the hull.
    """
    from scipy.spatial import ConvexHull

    species = shares.shape[1]
    pure = np.eye(species)
    scale = float(np.max(np.abs(energies), initial=0.0)) or 1.0
    energies = energies / scale
    lid = np.append(np.full(species - 1, 1 / species), 2.0)  # gives a flat set of points a volume
    points = np.vstack(
        [
            np.column_stack(
                [np.vstack([pure, shares])[:, 1:], np.concatenate([np.zeros(species), energies])]
            ),
            lid,
        ]
    )
    planes = ConvexHull(points).equations
    lower = planes[planes[:, -2] < -FACING_DOWN]
    heights = -(shares[:, 1:] @ lower[:, :-2].T + lower[:, -1]) / lower[:, -2]
    return np.asarray(scale * np.maximum(energies - heights.max(axis=1), 0.0))


def scores(table: AlloyTable, places: IntArray, predicted: FloatArray) -> dict[str, float]:
    """Judge predictions of some rows.

    Parameters
    ----------
    table
        The truth.
    places
        (m,) rows that were predicted.
    predicted
        (m,) meV per site.

    Returns
    -------
    The names of `SCORE_UNITS`; NaN where a score needs more rows than there are.
    """
    truth = table.formation[places]
    error = np.abs(predicted - truth)
    atoms = np.array([table.rows[k].n_sites / table.rows[k].n_atoms for k in places])
    shares = table.shares[places]
    above, above_predicted = lower_hull(shares, truth), lower_hull(shares, predicted)
    stable, named = above < ON_HULL, above_predicted < SAME
    lowest = above_predicted < ON_HULL
    return {
        "mae": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "max": float(error.max()),
        "mae_atom": float((error * atoms).mean()),
        "spearman": _rank(shares, truth, predicted),
        "hull_mae": float(np.abs(above - above_predicted).mean()),
        "ground_state_recall": float(named[stable].mean()) if stable.any() else np.nan,
        "ground_state_precision": float(stable[named].mean()) if named.any() else np.nan,
        "regret": float(above[lowest].mean()) if lowest.any() else 0.0,
    }


def _rank(shares: FloatArray, truth: FloatArray, predicted: FloatArray) -> float:
    """Return Spearman's correlation within compositions, weighted by their rows; NaN if none has three."""
    from scipy.stats import spearmanr

    found, weights = [], []
    for one in np.unique(np.round(shares, 9), axis=0):
        same = np.abs(shares - one).max(axis=1) < 1e-6
        if same.sum() >= 3 and np.ptp(truth[same]) > 0:
            flat = np.ptp(predicted[same]) < 1e-9
            found.append(0.0 if flat else float(spearmanr(truth[same], predicted[same]).statistic))
            weights.append(int(same.sum()))
    return float(np.average(found, weights=weights)) if found else float("nan")


def mean_scores(each: Sequence[dict[str, float]], rows: Sequence[int]) -> dict[str, float]:
    """Average scores over folds; a score that a fold could not give is left out of its mean.

    Parameters
    ----------
    each
        Scores of every fold.
    rows
        Orderings in each, that it weighs.

    Returns
    -------
    Their means.
    """
    found = {}
    for name in each[0]:
        values = np.array([one[name] for one in each])
        known = np.isfinite(values)
        weights = np.array(rows, dtype=float)[known]
        found[name] = float(np.average(values[known], weights=weights)) if known.any() else float("nan")
    return found
