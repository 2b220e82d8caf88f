"""Scores of predicted formation energies: errors, rank correlation, convex hull."""

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
    "max_error": "meV/site",
    "mae_per_atom": "meV/atom",
    "spearman": "",
    "hull_mae": "meV/site",
    "ground_state_recall": "",
    "ground_state_precision": "",
    "regret": "meV/site",
}
"""Units of the scores."""

HULL_TOLERANCE = 1e-6
"""Energies above the hull that are round-off, in meV per site."""

WALL_TOLERANCE = 1e-9
"""Least downward part of the normal of a facet of the lower hull: the walls of the composition range have none."""

GROUND_STATE_TOLERANCE = 1.0
"""Predicted energy above the hull within which an ordering counts as a predicted ground state, in meV per site."""

COMPOSITION_TOLERANCE = 1e-6
"""Difference of concentrations that is round-off."""

MIN_RANKED = 3
"""Least number of orderings of one composition that a rank correlation is computed for."""


def lower_hull(concentrations: FloatArray, energies: FloatArray) -> FloatArray:
    """Return the energy above the lower convex hull.

    Parameters
    ----------
    concentrations
        (n, n_species) concentrations; the end members with zero energy are always part of the hull.
    energies
        (n,) formation energies.

    Returns
    -------
    (n,) energies above the hull in the unit of the energies; 0 on the hull.
    """
    from scipy.spatial import ConvexHull

    n_species = concentrations.shape[1]
    pure = np.eye(n_species)
    scale = float(np.max(np.abs(energies), initial=0.0)) or 1.0
    energies = energies / scale
    lid = np.append(np.full(n_species - 1, 1 / n_species), 2.0)  # gives a flat set of points a volume
    points = np.vstack(
        [
            np.column_stack(
                [
                    np.vstack([pure, concentrations])[:, 1:],
                    np.concatenate([np.zeros(n_species), energies]),
                ]
            ),
            lid,
        ]
    )
    planes = ConvexHull(points).equations
    lower = planes[planes[:, -2] < -WALL_TOLERANCE]
    heights = -(concentrations[:, 1:] @ lower[:, :-2].T + lower[:, -1]) / lower[:, -2]
    return np.asarray(scale * np.maximum(energies - heights.max(axis=1), 0.0))


def score_predictions(table: AlloyTable, rows: IntArray, predictions: FloatArray) -> dict[str, float]:
    """Score predictions of some rows.

    Parameters
    ----------
    table
        The table with the true formation energies.
    rows
        (m,) indices of the predicted rows.
    predictions
        (m,) predicted formation energies in meV per site.

    Returns
    -------
    Name of each score of `SCORE_UNITS` → value; NaN where a score needs more rows than there are.
    """
    truth = table.formation_energies[rows]
    error = np.abs(predictions - truth)
    sites_per_atom = np.array([table.rows[row].n_sites / table.rows[row].n_atoms for row in rows])
    concentrations = table.concentrations[rows]
    above = lower_hull(concentrations, truth)
    predicted_above = lower_hull(concentrations, predictions)
    stable, predicted_stable = above < HULL_TOLERANCE, predicted_above < GROUND_STATE_TOLERANCE
    lowest = predicted_above < HULL_TOLERANCE
    return {
        "mae": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "max_error": float(error.max()),
        "mae_per_atom": float((error * sites_per_atom).mean()),
        "spearman": _rank_correlation(concentrations, truth, predictions),
        "hull_mae": float(np.abs(above - predicted_above).mean()),
        "ground_state_recall": float(predicted_stable[stable].mean()) if stable.any() else np.nan,
        "ground_state_precision": float(stable[predicted_stable].mean())
        if predicted_stable.any()
        else np.nan,
        "regret": float(above[lowest].mean()) if lowest.any() else 0.0,
    }


def _rank_correlation(concentrations: FloatArray, truth: FloatArray, predictions: FloatArray) -> float:
    """Return Spearman's correlation within compositions, weighted by their rows; NaN if none has three rows."""
    from scipy.stats import spearmanr

    correlations, weights = [], []
    for composition in np.unique(np.round(concentrations, 9), axis=0):
        rows = np.abs(concentrations - composition).max(axis=1) < COMPOSITION_TOLERANCE
        if rows.sum() >= MIN_RANKED and np.ptp(truth[rows]) > 0:
            constant = np.ptp(predictions[rows]) < 1e-9
            correlations.append(
                0.0 if constant else float(spearmanr(truth[rows], predictions[rows]).statistic)
            )
            weights.append(int(rows.sum()))
    return float(np.average(correlations, weights=weights)) if correlations else float("nan")


def mean_scores(fold_scores: Sequence[dict[str, float]], n_rows: Sequence[int]) -> dict[str, float]:
    """Average scores over folds; a score that is undefined in a fold is left out of its mean.

    Parameters
    ----------
    fold_scores
        Scores of every fold.
    n_rows
        Number of test orderings of every fold: its weight.

    Returns
    -------
    Name of each score → weighted mean.
    """
    means = {}
    for name in fold_scores[0]:
        values = np.array([scores[name] for scores in fold_scores])
        finite = np.isfinite(values)
        weights = np.array(n_rows, dtype=float)[finite]
        means[name] = float(np.average(values[finite], weights=weights)) if finite.any() else float("nan")
    return means
