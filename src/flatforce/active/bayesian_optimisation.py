"""Where few evaluations go: to the extremum of a property, or to wherever it is least known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import GeometryError, MissingDependencyError
from flatforce.core.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flatforce.core.arrays import FloatArray

Aim = Literal["minimum", "maximum", "everywhere", "random"]

GRID: Final = 31
"""Places along each axis among which the next one is sought."""


class Search(Config):
    """How an extremum is searched."""

    aim: Aim = "minimum"
    """`minimum` and `maximum` go where the most is expected to be gained; `everywhere` where the Gaussian process is least
    sure, as active learning does; `random` anywhere."""
    lowest: tuple[float, float] = (-0.03, -0.03)
    """Of the two coordinates."""
    highest: tuple[float, float] = (0.03, 0.03)
    """Of the two coordinates."""
    first: PositiveInt = Field(5, ge=3)
    """Places drawn at random (scrambled Sobol points) before the Gaussian process has a say."""
    evaluations: PositiveInt = 20
    """In all."""
    seed: int = 0
    """Of the first places and of every draw."""

    @model_validator(mode="after")
    def _consistent(self) -> Search:
        if not all(low < high for low, high in zip(self.lowest, self.highest, strict=True)):
            raise ValueError("lowest must be below highest")
        if self.first > self.evaluations:
            raise ValueError("first is more than evaluations")
        return self


@dataclass(frozen=True)
class Found:
    """What a search saw and what it makes of it."""

    places: FloatArray
    """(n, 2) in the order of the search."""
    values: FloatArray
    """(n,); not a number where the property has none."""
    grid: FloatArray
    """(GRID², 2)."""
    mean: FloatArray
    """(GRID²,) of the Gaussian process."""
    deviation: FloatArray
    """(GRID²,) of the Gaussian process."""

    def best(self, aim: Aim) -> int:
        """Return the place of the best value seen.

        Parameters
        ----------
        aim
            `maximum`, else the minimum.

        Returns
        -------
        Its index.
        """
        return int(np.nanargmax(self.values) if aim == "maximum" else np.nanargmin(self.values))


def search(
    property_at: Callable[[FloatArray], float],
    config: Search,
    *,
    known: Mapping[tuple[float, float], float] | None = None,
    progress: Progress = silent,
) -> Found:
    """Evaluate a property of two coordinates where that tells most (Jones, Schonlau and Welch, J. Glob. Optim. 13, 455, 1998).

    The same settings ask for the same places in the same order: values that are kept make a killed search resume.

    Parameters
    ----------
    property_at
        The property at (2,) coordinates; not a number where it has none.
    config
        Settings.
    known
        Values at places known before; those within the bounds count as seen, not as evaluations.
    progress
        Told after each evaluation.

    Returns
    -------
    What was seen, and the Gaussian process through it.

    Raises
    ------
    GeometryError
        If the property has no value at any of the first places.
    """
    from scipy.stats.qmc import Sobol

    low, high = np.array(config.lowest), np.array(config.highest)
    axis = np.linspace(0.0, 1.0, GRID)
    unit = np.array(np.meshgrid(axis, axis, indexing="ij")).reshape(2, -1).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # balance asks for powers of two
        count = config.evaluations if config.aim == "random" else config.first
        places = list(np.asarray(Sobol(2, rng=np.random.default_rng(config.seed)).random(count)))
    given = [
        ((np.array(place) - low) / (high - low), value)
        for place, value in (known or {}).items()
        if (low <= np.array(place)).all() and (np.array(place) <= high).all()
    ]
    places = [place for place, _ in given] + places
    values = [value for _, value in given]
    for number in range(len(given), len(given) + config.evaluations):
        if number >= len(places):
            if not np.isfinite(values).any():
                raise GeometryError(
                    "The property has no value at any of the first places.",
                    fix="allow less, by lowest and highest, or raise max_steps",
                )
            places.append(unit[_next(np.array(places), np.array(values), unit, config.aim)])
        values.append(property_at(low + places[number] * (high - low)))
        progress(number + 1 - len(given), config.evaluations, f"{values[-1]:.4f}")
    mean, deviation = _process(np.array(places), np.array(values), unit)
    scale = high - low
    return Found(low + np.array(places) * scale, np.array(values), low + unit * scale, mean, deviation)


def _next(places: FloatArray, values: FloatArray, unit: FloatArray, aim: Aim) -> int:
    from scipy.stats import norm

    mean, deviation = _process(places, values, unit)
    seen = (np.linalg.norm(unit[:, None] - places[None], axis=2) < 0.5 / (GRID - 1)).any(axis=1)
    if aim == "everywhere":
        return int(np.where(seen, -np.inf, deviation).argmax())
    sign = 1.0 if aim == "maximum" else -1.0
    gain = sign * mean - np.nanmax(sign * values)
    ratio = gain / np.maximum(deviation, 1e-300)
    expected = gain * norm.cdf(ratio) + deviation * norm.pdf(ratio)
    return int(np.where(seen, -np.inf, expected).argmax())


def _process(places: FloatArray, values: FloatArray, unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit a Gaussian process with a Matérn 5/2 kernel, a length for each axis, by maximum likelihood."""
    process = _regressor()
    places, values = places[np.isfinite(values)], values[np.isfinite(values)]
    spread = float(values.std()) or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length at its bound is no news
        process.fit(places, (values - values.mean()) / spread)
        mean, deviation = process.predict(unit, return_std=True)
    return values.mean() + spread * np.asarray(mean), spread * np.asarray(deviation)


def _regressor() -> Any:
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    except ImportError as error:
        raise MissingDependencyError(
            "A search needs scikit-learn.", why=str(error), fix="pip install 'flatforce[search]'"
        ) from error
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern([0.5, 0.5], (0.05, 10.0), nu=2.5)
    kernel += WhiteKernel(1e-4, (1e-8, 1e-1))
    return GaussianProcessRegressor(kernel, n_restarts_optimizer=2, random_state=0)
