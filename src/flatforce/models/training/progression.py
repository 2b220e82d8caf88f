"""State of a training run between epochs: the best epoch so far, divergence, and the history of errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

DIVERGENCE_FACTOR: Final = 1e4
"""A run has diverged when its validation loss is this many times the larger of the validation and the training loss of the best
epoch. The training loss counts because a few validation frames may be fitted by accident."""


@dataclass
class Progression:
    """Everything that a run carries from epoch to epoch, apart from the states of torch."""

    epoch: int = 0
    """Number of finished epochs."""
    best_loss: float = float("inf")
    """Validation loss of the best model of this stage, which may be the initial model."""
    best_scale: float = float("inf")
    """Larger of the validation and the training loss of the best epoch, the scale of `DIVERGENCE_FACTOR`."""
    best_epoch: int = -1
    """Index of the best epoch; -1 for the initial model."""
    best_weights: dict[str, Any] | None = None
    """Weights of the best model."""
    lowest_epoch_loss: float = float("inf")
    """Lowest validation loss of an epoch of this stage, even where the initial model is better."""
    lowest_epoch_weights: dict[str, Any] | None = None
    """Weights of the epoch with that loss."""
    initial_errors: dict[str, float] | None = None
    """Validation errors of the initial model in fine-tuning; None for random weights."""
    initial_weights: dict[str, Any] | None = None
    """Weights of the initial model in fine-tuning; None for random weights."""
    in_stage_two: bool = False
    """Whether stage two has started."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One row of losses and errors for each epoch, as in `metrics.csv`."""
    diverged: bool = False
    """Whether the run has diverged."""
    out_of_patience: bool = False
    """Whether the run ended early, since the validation loss no longer decreased."""

    def rank_epoch(self, row: dict[str, float], copy_weights: Callable[[], dict[str, Any]]) -> None:
        """Compare an epoch with the best model so far, and detect divergence.

        Parameters
        ----------
        row
            Losses of the epoch, `valid_loss` and `train_loss`.
        copy_weights
            Returns a copy of the weights that were validated.
        """
        loss = row["valid_loss"]
        if not np.isfinite([loss, row["train_loss"]]).all() or loss > DIVERGENCE_FACTOR * self.best_scale:
            self.diverged = True
            return
        if loss < self.lowest_epoch_loss:
            self.lowest_epoch_loss, self.lowest_epoch_weights = loss, copy_weights()
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, self.epoch
            self.best_scale = max(loss, row["train_loss"])
            self.best_weights = self.lowest_epoch_weights

    def start_from_initial_model(self, loss: float) -> None:
        """Let the initial model of fine-tuning be the best model until an epoch is better.

        Parameters
        ----------
        loss
            Validation loss of the initial model with the weights of the current stage.
        """
        self.best_loss = self.best_scale = loss
        self.best_epoch, self.best_weights = -1, self.initial_weights

    def start_stage_two(self) -> None:
        """Forget the losses of stage one, which has other weights."""
        self.in_stage_two = True
        self.best_loss = self.best_scale = self.lowest_epoch_loss = float("inf")

    def summarise(self) -> TrainingHistory:
        """Summarise the run.

        Returns
        -------
        Best epoch, its validation errors and all rows.
        """
        rows = [row for row in self.history if row["epoch"] == self.best_epoch]  # patience skips epochs
        best_errors = next(iter(rows), self.initial_errors)
        return TrainingHistory(self.best_epoch, best_errors, self.history, self.diverged)


@dataclass(frozen=True)
class TrainingHistory:
    """Summary of a finished training run."""

    best_epoch: int
    """Index of the best epoch; -1 if the initial model of fine-tuning stayed the best."""
    best_errors: dict[str, float] | None
    """Losses and validation errors of the best epoch; None if the run diverged in its first."""
    rows: list[dict[str, float]]
    """One row of losses and errors for each epoch, as in `metrics.csv`."""
    diverged: bool
    """Whether the run diverged."""
