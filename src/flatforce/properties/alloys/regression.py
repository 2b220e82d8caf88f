"""Linear regression with the regularisers of cluster expansions."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.arrays import FloatArray

NOTHING = 1e-9
"""meV per site. Energies below are round-off, which trainstation's scaling would blow up."""

ALIASED = 1e-8
"""Singular values below this part of the largest count as zero: far above round-off, far below those of real data."""


def fit_parameters(matrix: FloatArray, targets: FloatArray, method: str) -> FloatArray:
    """Fit the parameters of a linear model.

    Parameters
    ----------
    matrix
        (m, p) rows of zeros tell nothing and are left out.
    targets
        (m,) numbers.
    method
        `least-squares`, or a method of trainstation.

    Returns
    -------
    (p,) parameters.
    """
    from trainstation import fit

    told = np.abs(matrix).max(axis=1, initial=0.0) > 0  # pinned end members say 0 = 0
    matrix, targets = matrix[told], targets[told]
    if np.abs(targets).max(initial=0.0) < NOTHING:
        return np.zeros(matrix.shape[1])
    if method == "least-squares":
        return _least_norm(matrix, targets)
    # scikit-learn speaks of paths that did not converge; the inner loop judges them
    with warnings.catch_warnings(), _drawing_alike():
        warnings.simplefilter("ignore")
        alone = {"n_jobs": 1} if method == "rfe" else {}
        found = fit(matrix, targets, fit_method=method, check_condition=False, **alone)
    parameters = np.asarray(found["parameters"], dtype=float)
    if method == "rfe":
        kept = np.flatnonzero(parameters)
        parameters[kept] = _least_norm(matrix[:, kept], targets)
    return parameters


@contextmanager
def _drawing_alike() -> Iterator[None]:
    """Seed numpy's global generator for a while: feature elimination draws its inner splits from it, unseeded."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _least_norm(matrix: FloatArray, targets: FloatArray) -> FloatArray:
    """Solve by least squares; where small cells alias clusters, the smallest of all solutions.

    Columns that agree on every small cell leave their difference open. Without truncation it comes out as round-off
    over round-off: harmless on the same cells, and without bound on larger ones.
    """
    return np.asarray(np.linalg.lstsq(matrix, targets, rcond=ALIASED)[0])
