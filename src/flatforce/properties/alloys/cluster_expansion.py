"""Cluster expansions of formation energies, on icet and trainstation; inner cross-validation selects their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import DataError
from flatforce.properties.alloys.regression import SINGULAR_TOLERANCE, fit_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.config import ClusterExpansionConfig, RegressionMethod
    from flatforce.properties.alloys.design import Design


@dataclass(frozen=True)
class Expansion:
    """A fitted cluster expansion."""

    design: Design
    """Its cluster space, and the cluster vectors of the table."""
    method: str
    """Regression method."""
    parameters: FloatArray
    """(p,) parameters in meV per site."""
    cv_rmse: float
    """Root mean square error of the inner cross-validation, in meV per site."""

    def predict(self, vectors: FloatArray) -> FloatArray:
        """Predict formation energies.

        Parameters
        ----------
        vectors
            (n, p) cluster vectors.

        Returns
        -------
        (n,) formation energies in meV per site.
        """
        return np.asarray(vectors @ self.parameters)


def select_and_fit(
    designs: Sequence[Design], rows: IntArray, targets: FloatArray, config: ClusterExpansionConfig
) -> Expansion:
    """Select cutoffs and regression method by cross-validation among the given rows, then fit all of these.

    Parameters
    ----------
    designs
        Candidate designs.
    rows
        (m,) indices of the training rows in the table.
    targets
        (m,) formation energies of the training rows in meV per site.
    config
        Settings.

    Returns
    -------
    The expansion with the least cross-validation error.

    Raises
    ------
    DataError
        If every candidate has too many parameters for these rows.
    """
    best: tuple[float, Design, RegressionMethod] | None = None
    for design in designs:
        max_parameters = config.max_parameter_ratio * len(_informative_rows(design, rows))
        if not 0 < design.basis.shape[1] <= max_parameters:
            continue
        for method in config.methods:
            error = _cross_validation_error(design, rows, targets, method=method, config=config)
            if best is None or error < best[0]:
                best = (error, design, method)
    if best is None:
        fewest = min(design.basis.shape[1] for design in designs)
        raise DataError(
            f"{len(rows)} orderings, end members included, are too few for a cluster expansion.",
            why=f"the smallest candidate has {fewest} parameters, {config.max_parameter_ratio:.2g} per ordering are allowed",
            fix="raise max_cells, or set expansion.cutoffs to shorter ones",
        )
    error, design, method = best
    free_parameters = fit_parameters(design.reduced[rows], targets, method)
    return Expansion(design, method, np.asarray(design.basis @ free_parameters), error)


def _informative_rows(design: Design, rows: IntArray) -> IntArray:
    """Return the indices, within the rows, of those that carry information: any parameters reproduce pinned end members."""
    return np.flatnonzero(np.abs(design.reduced[rows]).max(axis=1, initial=0.0) > SINGULAR_TOLERANCE)


def _cross_validation_error(
    design: Design, rows: IntArray, targets: FloatArray, *, method: str, config: ClusterExpansionConfig
) -> float:
    """Return the root mean square error of the inner cross-validation in meV per site."""
    informative = _informative_rows(design, rows)
    matrix, targets = design.reduced[rows[informative]], targets[informative]
    order = np.random.default_rng(config.seed).permutation(len(informative))
    errors = []
    for validation in np.array_split(order, min(config.folds, len(informative))):
        train = np.setdiff1d(order, validation)
        parameters = fit_parameters(matrix[train], targets[train], method)
        errors.append(matrix[validation] @ parameters - targets[validation])
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def refit(expansion: Expansion, vectors: FloatArray, targets: FloatArray) -> FloatArray:
    """Fit the same kind of expansion to other rows.

    Parameters
    ----------
    expansion
        The expansion whose cutoffs and regression method are used.
    vectors
        (m, p) cluster vectors.
    targets
        (m,) formation energies in meV per site.

    Returns
    -------
    (p,) parameters in meV per site.
    """
    basis = expansion.design.basis
    return np.asarray(basis @ fit_parameters(vectors @ basis, targets, expansion.method))


def interactions(expansion: Expansion) -> list[dict[str, Any]]:
    """List effective cluster interactions.

    Parameters
    ----------
    expansion
        A fit.

    Returns
    -------
    For each orbit its order, radius (Å), multiplicity, and eci (meV per site, of each cluster).
    """
    from icet import ClusterExpansion

    table = ClusterExpansion(expansion.design.space, expansion.parameters).to_dataframe()
    return [
        {
            "order": int(row["order"]),
            "radius": float(row["radius"]),
            "multiplicity": int(row["multiplicity"]),
            "eci": float(row["eci"]),
        }
        for _, row in table.iterrows()
    ]


def to_icet(expansion: Expansion) -> Any:
    """Turn a fit into icet's own object, in eV per site.

    Parameters
    ----------
    expansion
        A fit.

    Returns
    -------
    A `ClusterExpansion`, for Monte Carlo with mchammer, whose Boltzmann constant is in eV/K.
    """
    from icet import ClusterExpansion

    return ClusterExpansion(expansion.design.space, 1e-3 * expansion.parameters)
