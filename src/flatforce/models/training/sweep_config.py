"""Settings of a sweep over training settings."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from flatforce.core.config import Config

Choice = bool | int | float | str | None

DEFAULT_TRIALS = 20
"""Number of training runs of a sampler that could continue without end."""


class Range(Config):
    """An interval of numbers."""

    low: float
    """Lower end of the interval, in the unit of the setting."""
    high: float
    """Upper end of the interval, in the unit of the setting."""
    log: bool = False
    """Whether values are drawn uniformly on a logarithmic scale."""

    @model_validator(mode="after")
    def _check_order(self) -> Range:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be smaller than high, and positive if log is set")
        return self


class SweepConfig(Config):
    """Which training settings are tried, and by which error they are ranked."""

    train: dict[str, Any]
    """Settings of the training run, as `flatforce train` reads them."""
    vary: dict[str, list[Choice] | Range] = Field(min_length=1)
    """Setting → list of values, or a range; `model.r_max` names a setting of a section. Vary `n_frames` for a learning
    curve."""
    objective: Literal["valid_loss", "valid_energy_mae", "valid_force_mae", "valid_stress_mae"] = (
        "valid_force_mae"
    )
    """Error on the validation set that is minimised: the loss, or the mean absolute error of the energy in meV/atom, of the
    forces in meV/Å, or of the stress in N/m."""
    sampler: Literal["grid", "tpe", "random"] = "grid"
    """How values are chosen: every combination of the listed values (`grid`), Optuna's tree-structured Parzen estimator
    (`tpe`), or at random (`random`)."""
    trials: PositiveInt | None = None
    """Number of training runs; null for 20. It has no effect on a grid, which has one run for each combination."""
    seed: int = 0
    """Seed of the sampler; it has no effect on a grid."""

    @model_validator(mode="after")
    def _check_grid(self) -> SweepConfig:
        ranges = [name for name, values in self.vary.items() if isinstance(values, Range)]
        if self.sampler == "grid" and ranges:
            raise ValueError(
                f"a grid needs lists of values; give values for {', '.join(ranges)}, or set sampler: tpe"
            )
        return self

    @property
    def n_trials(self) -> int:
        """Number of training runs of the sweep."""
        if self.sampler == "grid":
            return math.prod(len(values) for values in self.vary.values() if isinstance(values, list))
        return self.trials or DEFAULT_TRIALS
