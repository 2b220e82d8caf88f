"""Bayesian optimisation in two coordinates: few evaluations, placed at the extremum of a property or where it is least known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import GeometryError, MissingDependencyError
from flatforce.core.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flatforce.active.search_config import Objective, SearchConfig
    from flatforce.core.arrays import FloatArray

GRID: Final = 31
"""Number of grid points along each axis among which the next evaluation is placed."""


@dataclass(frozen=True)
class SearchResult:
    """Evaluations of a search, and the Gaussian process that is fitted to them."""

    coordinates: FloatArray
    """(n, 2) coordinates in the order of evaluation; values that were known before come first."""
    values: FloatArray
    """(n,) values of the property; NaN where it has none."""
    grid: FloatArray
    """(GRID², 2) coordinates of the grid."""
    mean: FloatArray
    """(GRID²,) mean of the Gaussian process on the grid."""
    deviation: FloatArray
    """(GRID²,) standard deviation of the Gaussian process on the grid."""

    def best(self, objective: Objective) -> int:
        """Return the index of the best value.

        Parameters
        ----------
        objective
            `maximise` for the largest value, any other for the smallest.

        Returns
        -------
        Index into `coordinates` and `values`.
        """
        return int(np.nanargmax(self.values) if objective == "maximise" else np.nanargmin(self.values))


def optimise(
    property_at: Callable[[FloatArray], float],
    config: SearchConfig,
    *,
    known_values: Mapping[tuple[float, float], float] | None = None,
    progress: Progress = silent,
) -> SearchResult:
    """Evaluate a property of two coordinates where the expected improvement is largest.

    The method is that of Jones, Schonlau and Welch, J. Glob. Optim. 13, 455 (1998). The same settings ask for the same
    coordinates in the same order: if `property_at` stores its values, a killed search continues.

    Parameters
    ----------
    property_at
        Returns the property at (2,) coordinates; NaN where it has no value.
    config
        Settings.
    known_values
        Coordinates → values that are known before; those within the bounds are used, and not counted as evaluations.
    progress
        Called after each evaluation.

    Returns
    -------
    The evaluations, and the Gaussian process through them.

    Raises
    ------
    GeometryError
        If the property has no value at any of the initial coordinates.
    """
    lower, upper = np.array(config.lower), np.array(config.upper)
    width = upper - lower
    grid = _unit_grid()
    known_inside = {
        coordinates: value
        for coordinates, value in (known_values or {}).items()
        if (lower <= np.array(coordinates)).all() and (np.array(coordinates) <= upper).all()
    }
    points = [(np.array(coordinates) - lower) / width for coordinates in known_inside]
    points += _initial_points(config)
    values = list(known_inside.values())
    for number in range(len(known_inside), len(known_inside) + config.evaluations):
        if number >= len(points):
            if not np.isfinite(values).any():
                raise GeometryError(
                    "The property has no value at any of the initial coordinates.",
                    fix="set narrower bounds with `lower` and `upper`, or a larger `max_steps`",
                )
            points.append(grid[_next_point(np.array(points), np.array(values), grid, config.objective)])
        values.append(property_at(lower + points[number] * width))
        progress(number + 1 - len(known_inside), config.evaluations, f"{values[-1]:.4f}")
    mean, deviation = _fit_gaussian_process(np.array(points), np.array(values), grid)
    return SearchResult(
        lower + np.array(points) * width, np.array(values), lower + grid * width, mean, deviation
    )


def _unit_grid() -> FloatArray:
    """Return the grid in the unit square, (GRID², 2)."""
    axis = np.linspace(0.0, 1.0, GRID)
    return np.asarray(np.array(np.meshgrid(axis, axis, indexing="ij")).reshape(2, -1).T)


def _initial_points(config: SearchConfig) -> list[FloatArray]:
    """Draw scrambled Sobol points in the unit square: the initial ones, or all of them for the objective `random`."""
    from scipy.stats.qmc import Sobol

    count = config.evaluations if config.objective == "random" else config.n_initial
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Sobol warns unless the number of points is a power of two
        points = Sobol(2, rng=np.random.default_rng(config.seed)).random(count)
    return list(np.asarray(points))


def _next_point(points: FloatArray, values: FloatArray, grid: FloatArray, objective: Objective) -> int:
    """Return the index of the grid point with the largest expected improvement, or the largest standard deviation."""
    from scipy.stats import norm

    mean, deviation = _fit_gaussian_process(points, values, grid)
    distances = np.linalg.norm(grid[:, None] - points[None], axis=2)
    is_evaluated = (distances < 0.5 / (GRID - 1)).any(axis=1)
    if objective == "explore":
        return int(np.where(is_evaluated, -np.inf, deviation).argmax())
    sign = 1.0 if objective == "maximise" else -1.0
    improvement = sign * mean - np.nanmax(sign * values)
    ratio = improvement / np.maximum(deviation, 1e-300)
    expected = improvement * norm.cdf(ratio) + deviation * norm.pdf(ratio)
    return int(np.where(is_evaluated, -np.inf, expected).argmax())


def _fit_gaussian_process(
    points: FloatArray, values: FloatArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit a Gaussian process with an anisotropic Matérn 5/2 kernel by maximum likelihood: mean and deviation on the grid."""
    regressor = _regressor()
    points, values = points[np.isfinite(values)], values[np.isfinite(values)]
    scale = float(values.std()) or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length scale at its bound is harmless
        regressor.fit(points, (values - values.mean()) / scale)
        mean, deviation = regressor.predict(grid, return_std=True)
    return values.mean() + scale * np.asarray(mean), scale * np.asarray(deviation)


def _regressor() -> Any:
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    except ImportError as error:
        raise MissingDependencyError(
            "Bayesian optimisation needs scikit-learn.", why=str(error), fix="pip install 'flatforce[search]'"
        ) from error
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern([0.5, 0.5], (0.05, 10.0), nu=2.5)
    kernel += WhiteKernel(1e-4, (1e-8, 1e-1))
    return GaussianProcessRegressor(kernel, n_restarts_optimizer=2, random_state=0)
