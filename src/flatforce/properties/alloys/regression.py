"""Linear regression with the regularisers that cluster expansions use."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.arrays import FloatArray

ENERGY_TOLERANCE = 1e-9
"""Energies below are round-off, in meV per site; trainstation's scaling would blow them up."""

SINGULAR_TOLERANCE = 1e-8
"""Singular values below this fraction of the largest count as zero: far above round-off, far below those of data."""


def fit_parameters(matrix: FloatArray, targets: FloatArray, method: str) -> FloatArray:
    """Fit the parameters of a linear model.

    Parameters
    ----------
    matrix
        (m, p) design matrix; rows of zeros carry no information and are left out.
    targets
        (m,) values to be fitted.
    method
        `least-squares`, or the name of a method of trainstation.

    Returns
    -------
    (p,) parameters, in the unit of the targets.
    """
    from trainstation import fit

    nonzero = np.abs(matrix).max(axis=1, initial=0.0) > 0  # the rows of pinned end members are 0 = 0
    matrix, targets = matrix[nonzero], targets[nonzero]
    if np.abs(targets).max(initial=0.0) < ENERGY_TOLERANCE:
        return np.zeros(matrix.shape[1])
    if method == "least-squares":
        return _solve_least_norm(matrix, targets)
    # scikit-learn warns of paths that did not converge; the inner cross-validation sees their errors
    with warnings.catch_warnings(), _seeded_global_generator():
        warnings.simplefilter("ignore")
        options = {"n_jobs": 1} if method == "rfe" else {}
        result = fit(matrix, targets, fit_method=method, check_condition=False, **options)
    parameters = np.asarray(result["parameters"], dtype=float)
    if method == "rfe":
        selected = np.flatnonzero(parameters)
        parameters[selected] = _solve_least_norm(matrix[:, selected], targets)
    return parameters


@contextmanager
def _seeded_global_generator() -> Iterator[None]:
    """Seed numpy's global generator for a while: feature elimination takes its inner splits from it, unseeded."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _solve_least_norm(matrix: FloatArray, targets: FloatArray) -> FloatArray:
    """Solve by least squares; where small cells alias clusters, return the solution of least norm.

    Columns that agree on every small cell leave their difference undetermined. Without truncation it is round-off
    divided by round-off: harmless on the same cells, and without bound on larger ones.
    """
    return np.asarray(np.linalg.lstsq(matrix, targets, rcond=SINGULAR_TOLERANCE)[0])
