"""Cluster expansions and force fields as models of formation energies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.core.errors import DataError
from flatforce.properties.alloys.cluster_expansion import select_and_fit
from flatforce.properties.alloys.predictors import Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.config import ClusterExpansionConfig
    from flatforce.properties.alloys.design import Design
    from flatforce.properties.alloys.table import AlloyTable


@dataclass(frozen=True)
class NestedExpansion(Predictor):
    """A cluster expansion whose cutoffs and regression method are selected among the training rows."""

    designs: Sequence[Design]
    config: ClusterExpansionConfig
    name: str = "cluster expansion"
    model_input: str = "ideal lattice"
    selections: list[str] = field(default_factory=list)
    """Cutoffs and method that each call selected."""

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        expansion = select_and_fit(self.designs, train, targets, self.config)
        cutoffs = "/".join(f"{cutoff:.1f}" for cutoff in expansion.design.cutoffs)
        self.selections.append(f"{cutoffs} Å, {expansion.method}")
        return expansion.predict(expansion.design.vectors[test])


@dataclass(frozen=True)
class ForceField(Predictor):
    """Formation energies of a force field, uncalibrated or linearly recalibrated on the training rows."""

    label: str
    """Name of the force field and of its input."""
    energies: FloatArray
    """(n,) formation energies in meV per site; NaN where the force field failed."""
    model_input: str = "relaxed by the force field"
    recalibrated: bool = False
    """Whether energies are multiplied by the slope of the least-squares line through zero."""

    @property
    @override
    def name(self) -> str:
        return f"{self.label}, {'linearly recalibrated' if self.recalibrated else 'uncalibrated'}"

    @property
    @override
    def needs_training(self) -> bool:
        return self.recalibrated

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        energies = self.energies[test]
        if not self.recalibrated:
            return energies
        finite = finite_rows(self.energies, train, self.label)
        return fit_slope(self.energies[train][finite], targets[finite]) * energies


@dataclass(frozen=True)
class DeltaExpansion(Predictor):
    """A cluster expansion of the difference to a force field, whose weight 0, β or 1 the inner cross-validation selects.

    If the force field is wrong, the difference is harder to expand than the energies themselves; hence the selection.
    β is the slope of the least-squares line.
    """

    label: str
    """Name of the force field."""
    energies: FloatArray
    """(n,) formation energies of the force field in meV per site."""
    designs: Sequence[Design]
    config: ClusterExpansionConfig
    model_input: str = "ideal lattice and the force field"
    selections: list[str] = field(default_factory=list)
    """Weight of the force field that each call selected."""

    @property
    @override
    def name(self) -> str:
        return f"cluster expansion on {self.label}"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        finite = finite_rows(self.energies, train, self.label)
        train, targets = train[finite], targets[finite]
        baseline = self.energies[train]
        fits = {
            weight: select_and_fit(self.designs, train, targets - weight * baseline, self.config)
            for weight in (0.0, fit_slope(baseline, targets), 1.0)
        }
        weight = min(fits, key=lambda weight: fits[weight].cv_rmse)
        self.selections.append(f"weight {weight:.2f}")
        return weight * self.energies[test] + fits[weight].predict(fits[weight].design.vectors[test])


def finite_rows(energies: FloatArray, rows: IntArray, label: str) -> IntArray:
    """Select the rows for which a force field has energies.

    Parameters
    ----------
    energies
        (n,) formation energies of the force field in meV per site.
    rows
        (m,) indices of rows.
    label
        Name of the force field, for the message.

    Returns
    -------
    (k,) indices into `rows`.

    Raises
    ------
    DataError
        If it has energies of end members at most.
    """
    finite = np.flatnonzero(np.isfinite(energies[rows]))
    if not energies[rows][finite].any():
        raise DataError(
            f"{label} has no energies of the training orderings.",
            why="its relaxations failed or left the lattice",
            fix="leave the force field out of compare.force_fields",
        )
    return finite


def fit_slope(x: FloatArray, y: FloatArray) -> float:
    """Fit a straight line through zero, so that the end members stay at zero.

    Parameters
    ----------
    x
        (m,) formation energies of a force field.
    y
        (m,) formation energies of the table in the same unit.

    Returns
    -------
    Slope of the least-squares line, dimensionless.
    """
    return float(x @ y / (x @ x))


@dataclass(frozen=True)
class InSampleFit:
    """Errors of a cluster expansion on the rows that it was fitted to; they say nothing about new orderings."""

    mae: float
    """Mean absolute error over the mixed rows in meV per site; NaN if there are too few rows for a fit."""
    rmse: float
    """Root mean square error over the mixed rows in meV per site."""
    method: str
    """Regression method, or why there is no fit."""


def fit_in_sample(
    table: AlloyTable, designs: Sequence[Design], config: ClusterExpansionConfig
) -> InSampleFit:
    """Fit an expansion to all rows and predict the same rows.

    Parameters
    ----------
    table
        The table.
    designs
        Candidate designs.
    config
        Settings.

    Returns
    -------
    Mean absolute and root-mean-square error in meV per site of the mixed rows; NaN if there are too few rows for a fit.
    """
    rows = np.arange(len(table.rows))
    try:
        expansion = select_and_fit(designs, rows, table.formation_energies, config)
    except DataError as error:
        return InSampleFit(np.nan, np.nan, error.what)
    predictions = expansion.predict(expansion.design.vectors)
    errors = np.abs(predictions - table.formation_energies)[table.mixed_rows]
    return InSampleFit(float(errors.mean()), float(np.sqrt((errors**2).mean())), expansion.method)
