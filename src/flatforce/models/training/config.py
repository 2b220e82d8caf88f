"""Settings of a training run."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.execution.config import Executor
from flatforce.models.training.architectures import Architecture, MaceArchitecture

FURTHER: Final = 3e-4
"""First step of a model that is trained further."""


class Weights(Config):
    """Weights of the loss; each term is a mean of squares (see `huber_delta`)."""

    energy: NonNegativeFloat = 1.0
    """Of the energy per atom, (eV/atom)²."""
    forces: NonNegativeFloat = 100.0
    """Of each force component, (eV/Å)²."""
    stress: NonNegativeFloat = 10.0
    """Of each in-plane component of the membrane stress, (eV/Å²)²; out-of-plane components never enter."""

    @property
    def energy_only(self) -> bool:
        """Whether neither forces nor stress are fitted."""
        return self.forces == 0 and self.stress == 0


class StageTwo(Config):
    """The last part of a run, with more weight on energies and a small step."""

    start: PositiveFloat = Field(0.75, lt=1.0)
    """Fraction of the epochs after which it begins."""
    weights: Weights = Weights(energy=1000.0, forces=100.0, stress=10.0)
    """Weights from then on."""
    learning_rate: PositiveFloat | None = None
    """First step of this part; falls along a half cosine to a hundredth of it. A tenth of the run's if not given."""


class Replay(Config):
    """Frames that remind a model of what it knew before."""

    data: list[str]
    """Files of frames, or names of bundled datasets; those that are held out stay out."""
    count: PositiveInt = 100
    """Frames taken, at random by `seed`; all if there are fewer."""
    labels: Literal["model", "own"] = "model"
    """Whether they carry what the model said of them before it was trained further, or their own labels."""


class TrainConfig(Config):
    """A training run of one model or a committee."""

    name: str = Field("model", pattern=r"^[\w.-]+$")
    """Name of the model's file."""

    data: list[str] = []
    """Files of labelled frames, or names of bundled datasets: a training needs one at least."""
    test_fraction: float = Field(0.12, ge=0.0, lt=1.0)
    """Share held out for good; see `hold_out`."""
    hold_out: Literal["config_type", "material"] = "config_type"
    """Whether that share of each config type is held out, at least one frame of each with three or more, or that share of
    the materials, each with all its frames; validation frames are chosen likewise."""
    split: str | None = None
    """JSON of `flatforce data split`, or `split.json` of another run: what it holds out is held out here too, in place of
    `test_fraction`."""
    split_seed: int = 0
    """Seed of that choice; kept apart from `seed` so that a committee shares one test set."""
    valid_fraction: float = Field(0.1, gt=0.0, lt=1.0)
    """Share of the rest that judges the epochs."""
    valid_file: str | None = None
    """Frames that judge the epochs instead."""
    min_energy_step: float | None = None
    """eV/atom. Steps of a relaxation (frames of one `material` with `step` in their info) that are learnt: those after
    which the energy falls by more than this, the first and the last; null for all."""
    n_frames: PositiveInt | None = None
    """Training frames used, chosen by `seed`, for learning curves; null for all."""
    e0s: dict[str, float] | Literal["isolated", "least_squares"] = "least_squares"
    """Energies of single atoms (eV): given, from `IsolatedAtom` frames, or fitted."""
    model: Architecture = MaceArchitecture()
    """Shape of the model; not read when one is trained further."""
    start_from: str | None = None
    """Model that is trained further, such as chgnet:0.3.0; null for random weights."""
    refit_e0s: bool = True
    """Whether its reference energies are first moved, by least squares over the species, to those of the frames."""
    freeze: list[str] = []
    """Weights that stay as they are, by name; * stands for anything, as in `interactions.0.*`."""
    replay: Replay | None = None
    """Frames of what the model knew before, learnt beside the new ones; null for none."""
    batch_size: PositiveInt = 4
    """Frames a step."""
    epochs: PositiveInt = 300
    """Passes over the data."""
    learning_rate: PositiveFloat = 0.01
    """First step; falls along a half cosine to a hundredth of it at the end of stage one. 3e-4 if not given where a model
    is trained further: the other would wipe out what it knows."""
    weight_decay: NonNegativeFloat = 5e-7
    """Decoupled decay of the weights."""
    amsgrad: bool = True
    """Whether Adam keeps the largest second moment."""
    clip_grad: PositiveFloat = 10.0
    """Norm at which gradients are clipped."""
    ema_decay: float | None = Field(0.99, gt=0.0, lt=1.0)
    """Decay of the running mean of the weights that is judged and kept; null for none."""
    weights: Weights = Weights()
    """Weights of the loss."""
    config_type_weights: dict[str, NonNegativeFloat] = {}
    """Factors of the loss by config type, 1 where not given: more than 1 for what is hard to learn."""
    huber_delta: PositiveFloat | None = None
    """Error (eV/Å of a force, eV/atom, eV/Å²) beyond which the loss grows linearly instead of as the square, so
    that strongly displaced frames do not outweigh those about a minimum; null for squares alone."""
    stage_two: StageTwo | None = StageTwo()
    """The last part of the run; null for none."""
    patience: PositiveInt | None = None
    """Epochs without a better validation loss after which a stage ends; null for never."""
    seed: int = 1
    """Of weights, batches and the validation frames."""
    device: str = "auto"
    """`cpu`, `cuda`, or `auto`."""
    dtype: Literal["float32", "float64"] = "float32"
    """Arithmetic of the training."""
    n_models: PositiveInt = 1
    """Members of a committee; each has the next seed."""
    monitor: list[Literal["tensorboard", "wandb"]] = []
    """Live monitors beside the CSV; nothing leaves the machine unless `wandb` is asked for."""
    checkpoint_seconds: NonNegativeFloat = 20.0
    """s between checkpoints."""
    executors: dict[str, Executor] = Field({}, exclude=True)
    """Parsl pools by name; members are trained side by side on `gpu`. No part of what makes a run the same."""

    @model_validator(mode="before")
    @classmethod
    def _energies_alone(cls, values: Any) -> Any:
        """Leave out stage two, which would bring forces back, where only energies are fitted and none is given."""
        weights = values.get("weights") if isinstance(values, dict) else None
        plain = weights.model_dump() if isinstance(weights, Weights) else weights or {}
        alone = plain.get("forces") == 0 and plain.get("stress") == 0
        return {"stage_two": None} | values if alone else values

    @model_validator(mode="before")
    @classmethod
    def _gently_further(cls, values: Any) -> Any:
        further = isinstance(values, dict) and values.get("start_from") is not None
        return {"learning_rate": FURTHER} | values if further else values

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.start_from is None and (self.freeze or self.replay is not None):
            raise ValueError("freeze and replay need start_from: random weights know nothing to keep")
        return self

    @property
    def energy_only(self) -> bool:
        """Whether neither stage fits forces or stress."""
        return self.weights.energy_only and (self.stage_two is None or self.stage_two.weights.energy_only)
