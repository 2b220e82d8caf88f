"""Schedule of a training run: learning rate and loss weights of each epoch, and when stage two starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from flatforce.models.training.config import TrainConfig, Weights
    from flatforce.models.training.progression import Progression


@dataclass(frozen=True)
class Schedule:
    """Learning rate and loss weights as functions of the epoch."""

    config: TrainConfig
    """Settings of the training."""

    @property
    def stage_two_start(self) -> int:
        """Index of the first epoch of stage two; the number of epochs if there is none."""
        if self.config.stage_two is None:
            return self.config.epochs
        return round(self.config.stage_two.start * self.config.epochs)

    def settings_at(self, state: Progression) -> tuple[float, Weights]:
        """Return the settings of the next epoch.

        Parameters
        ----------
        state
            State of the run.

        Returns
        -------
        Learning rate and weights of the loss.
        """
        config, start = self.config, self.stage_two_start
        if state.in_stage_two and config.stage_two is not None:
            fraction = (state.epoch - start) / max(1, config.epochs - start)
            rate = config.stage_two.learning_rate or 0.1 * config.learning_rate
            return rate * cosine_decay(fraction), config.stage_two.weights
        return config.learning_rate * cosine_decay(state.epoch / max(1, start)), config.weights

    def apply_patience(self, state: Progression) -> None:
        """End a stage early if the validation loss has not decreased for `patience` epochs.

        Parameters
        ----------
        state
            State of the run, which is changed.
        """
        patience = self.config.patience
        if patience is None or state.epoch - 1 - state.best_epoch < patience:
            return
        if not state.in_stage_two and self.stage_two_start < self.config.epochs:
            state.epoch = max(state.epoch, self.stage_two_start)
        else:
            state.out_of_patience = True


def cosine_decay(fraction: float) -> float:
    """Decay from 1 to 0.01 along a half cosine.

    Parameters
    ----------
    fraction
        Finished fraction of the stage, 0 to 1.

    Returns
    -------
    Factor of the initial learning rate.
    """
    return float(0.01 + 0.99 * (1 + np.cos(np.pi * fraction)) / 2)
