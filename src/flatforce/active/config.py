"""Settings of an active-learning run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.active.sampling import SamplingConfig
from flatforce.active.target_config import TargetConfig
from flatforce.core.config import Config
from flatforce.models.training.config import TrainConfig
from flatforce.reference.config import LabelConfig

Strategy = Literal["random", "uncertainty", "diversity", "combined", "property"]


class StoppingConfig(Config):
    """Criteria that end a run; the first one that is met ends it."""

    rounds: PositiveInt = 5
    """Largest number of rounds in which labels are computed."""
    label_budget: PositiveInt | None = None
    """Largest number of labels, failed ones included; null for no limit."""
    force_mae: PositiveFloat | None = None
    """Force error in meV/Å: the run ends when the upper end of the 95 % confidence interval of the mean absolute error on
    the test set is below it; null never ends a run by its error."""
    min_improvement: NonNegativeFloat = 0.0
    """Relative decrease of the force error on the test set over `patience` rounds below which the run ends; 0 never ends it."""
    patience: PositiveInt = 2
    """Number of rounds over which the improvement is measured."""


class LearnConfig(Config):
    """Active learning: sample, select, label, train and assess, round by round."""

    initial: list[str]
    """Labelled frames of the initial training set: files, or names of bundled datasets."""
    n_initial: PositiveInt | None = None
    """Number of the initial frames that are used, drawn by `seed`; null uses all of them."""
    test: str | None = None
    """File of the labelled test set, which no force field of the run is trained on; null draws it from `initial` and `pool`."""
    test_fraction: float = Field(0.15, gt=0.0, lt=1.0)
    """Fraction of each config type that is drawn as test set where `test` is not given."""
    calibration_fraction: float = Field(0.15, gt=0.0, lt=0.5)
    """Fraction of the labelled frames, of each config type, in the calibration set: no member is trained on them, they choose
    the best epoch, and the uncertainty is calibrated on them."""
    calibration_folds: PositiveInt = 1
    """Number of committees, each trained without another fold of the labelled frames, so that nearly all frames calibrate the
    uncertainty; all members together are the force field. With 4, each committee leaves out a quarter, in place of
    `calibration_fraction`; training takes four times as long, and so does the evaluation of forces."""
    pool: list[str] = []
    """Labelled frames that stand in for DFT in a retrospective study: candidates whose labels are looked up."""
    structures: list[str] = []
    """Files of the sheets from which the samplers start."""
    sampling: SamplingConfig = SamplingConfig()
    """How candidates are generated, where there is no pool."""
    label: LabelConfig | None = None
    """How selected frames are labelled, where there is no pool."""
    train: TrainConfig = TrainConfig(n_models=3)
    """Training of the committee, or of a single model; the run supplies the data."""
    extra_members: list[TrainConfig] = []
    """Trainings of further members, such as M3GNet beside MACE: models of one architecture may agree on a wrong force, which
    their standard deviation does not show."""
    uncertainty: Literal["committee", "descriptor_distance"] = "committee"
    """How the uncertainty of forces is estimated before it is calibrated: `committee` takes the standard deviation of the
    members, `descriptor_distance` the SOAP distance of an atom's neighbourhood from the nearest one in the training set, for
    which one model is enough."""
    strategy: Strategy = "combined"
    """How frames are selected among the candidates."""
    labels_per_round: PositiveInt = 10
    """Number of frames that are labelled in each round."""
    target: TargetConfig | None = None
    """Property of a relaxed cell whose variance `strategy: property` reduces; null for the other strategies."""
    stop: StoppingConfig = StoppingConfig()
    """Criteria that end the run; the first one that is met ends it."""
    seed: int = 0
    """Seed of all random draws of the run."""

    @property
    def held_out_fraction(self) -> float:
        """Fraction of the labelled frames that one committee is not trained on."""
        return self.calibration_fraction if self.calibration_folds == 1 else 1 / self.calibration_folds

    @property
    def trainings(self) -> tuple[TrainConfig, ...]:
        """Settings of all trainings, those of `train` first."""
        return (self.train, *self.extra_members)

    @property
    def n_members(self) -> int:
        """Number of members of one committee."""
        return sum(training.n_models for training in self.trainings)

    @model_validator(mode="after")
    def _check_consistency(self) -> LearnConfig:
        if not self.pool and (self.label is None or not self.structures):
            raise ValueError("give `pool`, a list of labelled frames, or both `structures` and `label`")
        if self.uncertainty == "committee" and self.n_members < 2:
            raise ValueError(
                "train.n_models, with the models of `extra_members`, must be 2 or more: the uncertainty is the standard deviation "
                "of a committee, unless `uncertainty: descriptor_distance`"
            )
        if self.strategy == "property" and self.target is None:
            raise ValueError("strategy: property needs `target`, the property whose variance is reduced")
        return self
