"""Settings of a training run."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.execution.config import Executor
from flatforce.models.training.architectures import Architecture, MaceArchitecture

FINE_TUNING_LEARNING_RATE: Final = 3e-4
"""Initial learning rate of fine-tuning where none is given: the default of a new model would erase what the model knows."""


class Weights(Config):
    """Weights of the terms of the loss; each term is a mean of squared errors (see `huber_delta`)."""

    energy: NonNegativeFloat = 1.0
    """Weight of the squared error of the energy per atom in (eV/atom)²."""
    forces: NonNegativeFloat = 100.0
    """Weight of the squared error of a force component in (eV/Å)²; 0 leaves forces out."""
    stress: NonNegativeFloat = 10.0
    """Weight of the squared error of an in-plane component of the membrane stress in (eV/Å²)²; 0 leaves the stress out.
    Out-of-plane components never enter the loss."""

    @property
    def energy_only(self) -> bool:
        """Whether neither forces nor stress are fitted."""
        return self.forces == 0 and self.stress == 0


class StageTwo(Config):
    """The last part of a run, with larger weight on the energies and a small learning rate."""

    start: PositiveFloat = Field(0.75, lt=1.0)
    """Fraction of the epochs after which stage two starts."""
    weights: Weights = Weights(energy=1000.0, forces=100.0, stress=10.0)
    """Weights of the loss in stage two."""
    learning_rate: PositiveFloat | None = None
    """Initial learning rate of stage two, which decays along a half cosine to a hundredth of it; null for a tenth of
    the learning rate of stage one."""


class Replay(Config):
    """Frames from earlier training data, which keep a fine-tuned model from forgetting them."""

    data: list[str]
    """Files of frames, or names of bundled datasets. Validation and test frames of the run are left out."""
    count: PositiveInt = 100
    """Number of frames, drawn at random with `seed`; all of them if there are fewer."""
    labels: Literal["model", "own"] = "model"
    """Whether the frames are labelled with the predictions of the model before fine-tuning (`model`) or keep their own labels
    (`own`)."""


class TrainConfig(Config):
    """A training run of one model or a committee."""

    name: str = Field("model", pattern=r"^[\w.-]+$")
    """Name of the model file, without its suffix."""

    data: list[str] = []
    """Files of labelled frames, or names of bundled datasets; at least one is needed."""
    test_fraction: float = Field(0.12, ge=0.0, lt=1.0)
    """Fraction of the frames that is held out as test set; see `hold_out`."""
    hold_out: Literal["config_type", "material"] = "config_type"
    """Whether the test set takes its fraction of each config type (`config_type`; at least one frame of every type that has
    three), or of the materials, each with all its frames (`material`). Validation frames are chosen in the same way."""
    split: str | None = None
    """JSON file of `flatforce data split`, or `split.json` or the folder of another run, in place of `test_fraction`: its test set is
    held out, and its validation set, where it has one, chooses the best epoch of all members. Frames in no subset of a file of
    `flatforce data split` are left out. null draws a new test set."""
    fold: NonNegativeInt | None = None
    """Number of the fold, from 0, that is the test set, where `split` was made with `--folds`; the other folds are trained on."""
    split_seed: int = 0
    """Seed of the test set. It is separate from `seed` so that all members of a committee share one test set."""
    valid_fraction: float = Field(0.1, gt=0.0, lt=1.0)
    """Fraction of the other frames that is the validation set, by which the best epoch is chosen."""
    valid_file: str | None = None
    """File of labelled frames, or name of a bundled dataset, that is the validation set instead; null for `valid_fraction`."""
    min_energy_step: float | None = None
    """Energy difference in eV/atom to the next step of its relaxation above which a frame is trained on, the first and the
    last step always; null trains on all steps. Steps are frames of one `material` with `step` in their info. It applies to
    relaxations, whose energy falls, and not to molecular dynamics. The literature writes e_cut."""
    n_frames: PositiveInt | None = None
    """Number of training frames, drawn with `seed`, for learning curves; null for all."""
    e0s: dict[str, float] | Literal["isolated", "least_squares"] = "least_squares"
    """Reference energies of the elements in eV: given as a mapping, taken from `IsolatedAtom` frames (`isolated`), or fitted to
    the data (`least_squares`)."""
    model: Architecture = MaceArchitecture()
    """Architecture of a new model; it has no effect in fine-tuning."""
    start_from: str | None = None
    """Force field that is fine-tuned, such as chgnet:0.3.0; null trains a new model from random weights."""
    refit_e0s: bool = True
    """Whether fine-tuning first shifts the reference energies of the model to those of the data, by least squares over the
    elements."""
    freeze: list[str] = []
    """Names of weights that fine-tuning leaves unchanged; * matches anything, as in `interactions.0.*`."""
    replay: Replay | None = None
    """Frames of earlier training data that fine-tuning adds to the training set; null for none."""
    batch_size: PositiveInt = 4
    """Batch size: number of frames in one step of the optimiser."""
    epochs: PositiveInt = 300
    """Number of epochs, that is, of passes over the training set."""
    learning_rate: PositiveFloat = 0.01
    """Initial learning rate, which decays along a half cosine to a hundredth of it at the end of stage one. If it is not given
    in fine-tuning, it is 3e-4, since the default would erase what the model knows."""
    weight_decay: NonNegativeFloat = 5e-7
    """Decoupled weight decay of the AdamW optimiser."""
    amsgrad: bool = True
    """Whether AdamW uses the maximum of past second moments (AMSGrad)."""
    clip_grad: PositiveFloat = 10.0
    """Largest norm of the gradient; larger gradients are scaled down to it."""
    ema_decay: float | None = Field(0.99, gt=0.0, lt=1.0)
    """Decay of the exponential moving average (EMA) of the weights, which is validated and saved; null for the weights
    themselves."""
    weights: Weights = Weights()
    """Weights of the terms of the loss."""
    config_type_weights: dict[str, NonNegativeFloat] = {}
    """Factors of the loss by config type, 1 for a type that is not listed; more than 1 for frames that are hard to fit."""
    huber_delta: PositiveFloat | None = None
    """Error (in eV/Å for forces, eV/atom for energies, eV/Å² for stress) beyond which the loss is linear instead of quadratic
    (Huber loss), so that strongly displaced frames do not outweigh those near a minimum; null for the squared error."""
    stage_two: StageTwo | None = StageTwo()
    """The last part of the run; null for none."""
    patience: PositiveInt | None = None
    """Number of epochs without a lower validation loss after which a stage ends early; null for never."""
    seed: int = 1
    """Seed of the initial weights, the batches and the validation set."""
    device: str = "auto"
    """Device that trains: `cpu`, `cuda`, or `auto` for a GPU if there is one."""
    dtype: Literal["float32", "float64"] = "float32"
    """Floating-point precision in which the model is trained."""
    n_models: PositiveInt = 1
    """Number of members of a committee; the seed of each is one higher than that of the one before."""
    monitor: list[Literal["tensorboard", "wandb"]] = []
    """Live monitors in addition to `metrics.csv`; data leave the machine only if `wandb` is listed."""
    checkpoint_seconds: NonNegativeFloat = 20.0
    """Time in s between two checkpoints, from which an interrupted run continues."""
    executors: dict[str, Executor] = Field({}, exclude=True)
    """Parsl pools by name; the members of a committee are trained in parallel on the pool `gpu`. A run may be continued with
    other pools."""

    @model_validator(mode="before")
    @classmethod
    def _omit_stage_two(cls, values: Any) -> Any:
        """Leave out stage two, whose default weights would fit forces, if only energies are fitted and none is given."""
        weights = values.get("weights") if isinstance(values, dict) else None
        weight_values = weights.model_dump() if isinstance(weights, Weights) else weights or {}
        energy_only = weight_values.get("forces") == 0 and weight_values.get("stress") == 0
        return {"stage_two": None} | values if energy_only else values

    @model_validator(mode="before")
    @classmethod
    def _reduce_learning_rate(cls, values: Any) -> Any:
        """Lower the default of the learning rate in fine-tuning."""
        fine_tuning = isinstance(values, dict) and values.get("start_from") is not None
        return {"learning_rate": FINE_TUNING_LEARNING_RATE} | values if fine_tuning else values

    @model_validator(mode="after")
    def _check_fine_tuning(self) -> TrainConfig:
        if self.start_from is None and (self.freeze or self.replay is not None):
            raise ValueError(
                "freeze and replay need start_from, since random weights hold nothing to preserve"
            )
        return self

    @model_validator(mode="after")
    def _check_fold(self) -> TrainConfig:
        if self.fold is not None and self.split is None:
            raise ValueError(
                "fold needs split, a file of `flatforce data split FRAMES --folds 5 -o split.json`"
            )
        return self

    @property
    def energy_only(self) -> bool:
        """Whether neither stage fits forces or stress."""
        return self.weights.energy_only and (self.stage_two is None or self.stage_two.weights.energy_only)
