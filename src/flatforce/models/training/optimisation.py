"""A model in training as torch holds it: its weights, their moving average, and the optimiser."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flatforce.models.precision import torch_device
from flatforce.models.training.examples import collate_labels
from flatforce.models.training.loss import sheet_loss
from flatforce.models.training.validation import validation_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from flatforce.models.training.config import TrainConfig, Weights
    from flatforce.models.training.examples import Example
    from flatforce.models.training.learners.base import Learner


class Optimisation:
    """A model, its AdamW optimiser, and the exponential moving average (EMA) of its weights.

    Parameters
    ----------
    learner
        The model, which is moved to the device of the training.
    config
        Settings of the training.
    """

    def __init__(self, learner: Learner, config: TrainConfig) -> None:
        import torch
        from torch_ema import ExponentialMovingAverage

        self.config, self.device = config, torch_device(config.device)
        self.learner, self.model = learner, learner.module.to(self.device)
        trainable = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trainable, lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=config.amsgrad
        )
        self.ema = (
            None if config.ema_decay is None else ExponentialMovingAverage(trainable, decay=config.ema_decay)
        )

    def start_epoch(self, learning_rate: float) -> None:
        """Set the learning rate of an epoch, and the model to training.

        Parameters
        ----------
        learning_rate
            Learning rate of AdamW, dimensionless.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.model.train()

    def step(self, batch: Sequence[Example], weights: Weights) -> float:
        """Take one step of the optimiser.

        Parameters
        ----------
        batch
            Labelled graphs of one batch.
        weights
            Weights of the loss.

        Returns
        -------
        The loss of the batch before the step.
        """
        import torch

        self.optimizer.zero_grad(set_to_none=True)
        predictions = self.learner.predict(
            [example.graph for example in batch],
            device=self.device,
            forces=weights.forces > 0,
            stress=weights.stress > 0,
        )
        labels = collate_labels(batch, dtype=getattr(torch, self.config.dtype), device=self.device)
        loss = sheet_loss(labels, predictions, weights, huber_delta=self.config.huber_delta)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_grad)
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update()
        return float(loss.detach())

    def validate(self, examples: Sequence[Example], weights: Weights) -> dict[str, float]:
        """Evaluate the model with its current weights.

        Parameters
        ----------
        examples
            Validation set.
        weights
            Weights of the loss.

        Returns
        -------
        `valid_loss` and mean absolute errors, as `validation_errors` returns them.
        """
        return validation_errors(
            self.learner, examples, config=self.config, weights=weights, device=self.device
        )

    def averaged_weights(self) -> AbstractContextManager[Any]:
        """Let the model have the EMA of its weights inside a `with` block.

        Returns
        -------
        A context manager; one without effect if there is no EMA.
        """
        return nullcontext() if self.ema is None else self.ema.average_parameters()

    def copy_weights(self) -> dict[str, Any]:
        """Copy the current weights.

        Returns
        -------
        Name of each weight → a tensor of its own.
        """
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def copy_averaged_weights(self) -> dict[str, Any]:
        """Copy the EMA of the weights.

        Returns
        -------
        Name of each weight → a tensor of its own.
        """
        with self.averaged_weights():
            return self.copy_weights()

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Replace the current weights.

        Parameters
        ----------
        weights
            What `copy_weights` returned.
        """
        self.model.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps.

        Returns
        -------
        States of the model, the optimiser and the EMA, as torch names them.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint.

        Parameters
        ----------
        state
            What `state` returned.
        """
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
