"""Settings of a training run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.execution.config import Executor


class MaceArchitecture(Config):
    """Shape of a MACE model."""

    hidden_irreps: str = "32x0e + 32x1o"
    """Features of a node, in e3nn's notation."""
    r_max: PositiveFloat = 5.0
    """Å. Cutoff of an edge."""
    num_interactions: PositiveInt = 2
    """Message-passing layers."""
    correlation: PositiveInt = 3
    """Body order of a message less one."""
    max_ell: PositiveInt = 3
    """Highest spherical harmonic of an edge."""
    num_radial_basis: PositiveInt = 8
    """Bessel functions."""
    num_cutoff_basis: PositiveInt = 5
    """Order of the polynomial cutoff."""
    readout_irreps: str = "16x0e"
    """Hidden layer of the last readout."""


class Weights(Config):
    """Weights of the loss; each term is a mean of squares (see `huber`)."""

    energy: NonNegativeFloat = 1.0
    """Of the energy per atom, (eV/atom)²."""
    forces: NonNegativeFloat = 100.0
    """Of each force component, (eV/Å)²."""
    stress: NonNegativeFloat = 10.0
    """Of each in-plane component of the membrane stress, (eV/Å²)²; out-of-plane components never enter."""


class StageTwo(Config):
    """The last part of a run, with more weight on energies and a small step."""

    start: PositiveFloat = Field(0.75, lt=1.0)
    """Fraction of the epochs after which it begins."""
    weights: Weights = Weights(energy=1000.0, forces=100.0, stress=10.0)
    """Weights from then on."""
    learning_rate: PositiveFloat = 1e-3
    """First step of this part; falls along a half cosine to a hundredth of it."""


class TrainConfig(Config):
    """A training run of one model or a committee."""

    name: str = Field("model", pattern=r"^[\w.-]+$")
    """Name of the `.model` file."""

    data: list[str] = ["wse2-pbe"]
    """Files of frames, or names of bundled datasets."""
    test_fraction: float = Field(0.12, ge=0.0, lt=1.0)
    """Share of each config type held out for good, at least one frame of each with three or more."""
    split_seed: int = 0
    """Seed of that choice; kept apart from `seed` so that a committee shares one test set."""
    valid_fraction: float = Field(0.1, gt=0.0, lt=1.0)
    """Share of the rest that judges the epochs."""
    valid_file: str | None = None
    """Frames that judge the epochs instead."""
    e0s: dict[str, float] | Literal["isolated", "least_squares"] = "least_squares"
    """Energies of single atoms (eV): given, from `IsolatedAtom` frames, or fitted."""
    model: MaceArchitecture = MaceArchitecture()
    """Shape of the model."""
    batch_size: PositiveInt = 4
    """Frames a step."""
    epochs: PositiveInt = 300
    """Passes over the data."""
    learning_rate: PositiveFloat = 0.01
    """First step; falls along a half cosine to a hundredth of it at the end of stage one."""
    weight_decay: NonNegativeFloat = 5e-7
    """Decoupled decay of the weights."""
    amsgrad: bool = True
    """Whether Adam keeps the largest second moment."""
    max_gradient: PositiveFloat = 10.0
    """Norm at which gradients are clipped."""
    ema_decay: float | None = Field(0.99, gt=0.0, lt=1.0)
    """Decay of the running mean of the weights that is judged and kept; null for none."""
    weights: Weights = Weights()
    """Weights of the loss."""
    huber: PositiveFloat | None = None
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
