"""Settings of an active-learning run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.active.property import Target
from flatforce.active.sampling import Sampling
from flatforce.active.selection import Strategy
from flatforce.core.config import Config
from flatforce.models.training.config import TrainConfig
from flatforce.reference.config import LabelConfig


class Stopping(Config):
    """When enough is known."""

    rounds: PositiveInt = 5
    """Rounds of labels at most."""
    budget: PositiveInt | None = None
    """Labels at most, failed ones counted; null for no limit."""
    force_mae: PositiveFloat | None = None
    """meV/Å. Done when the upper end of the 95 % interval on the test frames is below."""
    gain: NonNegativeFloat = 0.0
    """Least relative fall of the test error over `patience` rounds; less ends the run, 0 never does."""
    patience: PositiveInt = 2
    """Rounds over which the gain is measured."""


class LearnConfig(Config):
    """Sample, select, label, train, assess, round by round."""

    start: list[str]
    """Labelled frames to begin with: files, or bundled datasets."""
    n_start: PositiveInt | None = None
    """How many of them, drawn by `seed`; all if not given."""
    test: str | None = None
    """Labelled frames that the run never learns from; drawn from `start` and `pool` if not given."""
    test_fraction: float = Field(0.15, gt=0.0, lt=1.0)
    """Share drawn, of each config type, where `test` is not given."""
    calibration_fraction: float = Field(0.15, gt=0.0, lt=0.5)
    """Share of the frames known so far, of each config type, that the members do not fit: they choose the epochs, and the
    doubt is calibrated on them."""
    calibration_folds: PositiveInt = 1
    """Committees, each trained without another part of the frames, so that nearly all calibrate the doubt; together they are the
    force field. With 4 each leaves a quarter out, in place of `calibration_fraction`, and training takes four times as
    long, as do forces."""
    pool: list[str] = []
    """Labelled frames that stand in for DFT: candidates whose labels are looked up. For studies in hindsight."""
    structures: list[str] = []
    """Files of sheets that samplers start from."""
    sampling: Sampling = Sampling()
    """How candidates are made, where there is no pool."""
    label: LabelConfig | None = None
    """How chosen frames are labelled, where there is no pool."""
    train: TrainConfig = TrainConfig(n_models=3)
    """The committee, or one model; its data are given by the run."""
    further: list[TrainConfig] = []
    """Members of other kinds, such as M3GNet beside MACE: models that fail alike do not agree by their shape alone."""
    doubt: Literal["committee", "distance"] = "committee"
    """What ranks the errors of forces: the spread of the members, or the SOAP distance of an atom's surroundings from those
    that were learnt, for which one model is enough."""
    strategy: Strategy = "combined"
    """How frames are chosen."""
    per_round: PositiveInt = 10
    """Labels a round."""
    target: Target | None = None
    """The property that `strategy: property` narrows."""
    stop: Stopping = Stopping()
    """When it ends."""
    seed: int = 0
    """Of every draw."""

    @property
    def set_aside(self) -> float:
        """Share of the frames known so far that a committee does not fit."""
        return self.calibration_fraction if self.calibration_folds == 1 else 1 / self.calibration_folds

    @model_validator(mode="after")
    def _consistent(self) -> LearnConfig:
        if not self.pool and (self.label is None or not self.structures):
            raise ValueError("give a pool of labelled frames, or structures and how to label")
        members = sum(one.n_models for one in (self.train, *self.further))
        if self.doubt == "committee" and members < 2:
            raise ValueError(
                "train.n_models, with those under `further`, must be 2 or more: doubt is the spread of a committee, unless "
                "`doubt: distance`"
            )
        if self.strategy == "property" and self.target is None:
            raise ValueError("strategy: property needs a target")
        return self
