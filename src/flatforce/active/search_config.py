"""Settings of a Bayesian optimisation in two coordinates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from flatforce.core.config import Config

Objective = Literal["minimise", "maximise", "explore", "random"]


class SearchConfig(Config):
    """How the extremum of a property of two coordinates is searched."""

    objective: Objective = "minimise"
    """Where the next point is evaluated: `minimise` and `maximise` take the largest expected improvement; `explore`
    takes the largest standard deviation of the Gaussian process, as active learning does; `random` takes scrambled
    Sobol points."""
    lower: tuple[float, float] = (-0.03, -0.03)
    """Lower bounds of the two coordinates; strains have no unit, 0.01 is one per cent."""
    upper: tuple[float, float] = (0.03, 0.03)
    """Upper bounds of the two coordinates; strains have no unit, 0.01 is one per cent."""
    n_initial: PositiveInt = Field(5, ge=3)
    """Number of scrambled Sobol points that are evaluated before the Gaussian process is used."""
    evaluations: PositiveInt = 20
    """Total number of evaluations, the initial ones included."""
    seed: int = 0
    """Seed of the scrambled Sobol points with which the search begins."""

    @model_validator(mode="after")
    def _check_bounds(self) -> SearchConfig:
        if not all(low < high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError("lower must be below upper in both coordinates")
        if self.n_initial > self.evaluations:
            raise ValueError("n_initial must not be larger than evaluations")
        return self
