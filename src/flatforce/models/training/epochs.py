"""The epochs of a training run, resumable so that an interrupted run ends with the same weights."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.models.precision import torch_device
from flatforce.models.training.examples import Example, collate_labels, make_examples
from flatforce.models.training.files import save_torch
from flatforce.models.training.loss import sheet_loss
from flatforce.models.training.monitor import Monitor, describe_errors
from flatforce.models.training.progression import Progression, TrainingHistory
from flatforce.models.training.schedule import Schedule
from flatforce.models.training.validation import validation_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig, Weights
    from flatforce.models.training.learners.base import Learner

CHECKPOINT: Final = "checkpoint.pt"
"""File of the state of an unfinished run."""

BEST_EPOCH: Final = "best_epoch"
"""Name of the model file of the best epoch of fine-tuning, written where the initial model stays better."""


def fit(
    learner: Learner,
    train: Sequence[Atoms],
    valid: Sequence[Atoms],
    *,
    config: TrainConfig,
    seed: int,
    folder: Path,
    progress: Progress = silent,
) -> TrainingHistory:
    """Fit a model to labelled frames.

    Parameters
    ----------
    learner
        The model, which has the best weights in the end.
    train
        Training set.
    valid
        Validation set.
    config
        Settings of the training.
    seed
        Seed of the order of the frames.
    folder
        Folder of the checkpoint and of `metrics.csv`; a run with a checkpoint there is continued.
    progress
        Called after each epoch.

    Returns
    -------
    Best epoch and errors of all epochs.
    """
    examples = [make_examples(frames, learner, config) for frames in (train, valid)]
    monitor = Monitor(folder, config.monitor, config.model_dump(mode="json"))
    try:
        loop = TrainingLoop(learner, *examples, config=config, seed=seed, folder=folder)
        return loop.run(monitor, progress)
    finally:
        monitor.close()


class TrainingLoop:
    """Optimiser, averaged weights and state of one run.

    Parameters
    ----------
    learner
        The model.
    train
        Training set.
    valid
        Validation set.
    config
        Settings of the training.
    seed
        Seed of the order of the frames.
    folder
        Folder of the checkpoint.
    """

    def __init__(
        self,
        learner: Learner,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        config: TrainConfig,
        seed: int,
        folder: Path,
    ) -> None:
        import torch
        from torch_ema import ExponentialMovingAverage

        self.torch = torch
        self.config, self.seed, self.folder = config, seed, folder
        self.train, self.valid = train, valid
        self.device = torch_device(config.device)
        self.learner, self.model = learner, learner.module.to(self.device)
        trainable = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trainable, lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=config.amsgrad
        )
        self.ema = (
            None if config.ema_decay is None else ExponentialMovingAverage(trainable, decay=config.ema_decay)
        )
        self.state, self.schedule = Progression(), Schedule(config)

    def run(self, monitor: Monitor, progress: Progress) -> TrainingHistory:
        """Train to the last epoch, from the checkpoint if there is one.

        Parameters
        ----------
        monitor
            Writes the errors of each epoch.
        progress
            Called after each epoch.

        Returns
        -------
        Best epoch and errors of all epochs.
        """
        self._load_checkpoint()
        state, config = self.state, self.config
        if config.start_from is not None and state.initial_errors is None:
            state.initial_errors = self._validate(config.weights)
            state.initial_weights = self._copy_weights()
            self._rank_initial_model()
        last_checkpoint = time.monotonic()
        while state.epoch < config.epochs and not (state.diverged or state.out_of_patience):
            if state.epoch >= self.schedule.stage_two_start and not state.in_stage_two:
                state.start_stage_two()
                self._rank_initial_model()
            row = self._train_epoch()
            state.history.append(row)
            state.rank_epoch(row, self._copy_averaged_weights)
            state.epoch += 1
            monitor.write(state.history)
            progress(state.epoch, config.epochs, describe_errors(row))
            self.schedule.apply_patience(state)
            if time.monotonic() - last_checkpoint > config.checkpoint_seconds:
                self._save_checkpoint()
                last_checkpoint = time.monotonic()
        self._save_checkpoint()
        self._load_best_weights()
        return state.summarise()

    def _train_epoch(self) -> dict[str, float]:
        rate, weights = self.schedule.settings_at(self.state)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        start, losses = time.perf_counter(), []
        order = np.random.default_rng([self.seed, self.state.epoch]).permutation(len(self.train))
        self.model.train()
        for first in range(0, len(order), self.config.batch_size):
            indices = order[first : first + self.config.batch_size]
            losses.append(self._train_batch([self.train[index] for index in indices], weights))
        row = {
            "epoch": float(self.state.epoch),
            "learning_rate": rate,
            "train_loss": float(np.mean(losses)),
            "stage": 2.0 if self.state.in_stage_two else 1.0,
        }
        with self._averaged_weights():
            row |= self._validate(weights)
        return row | {"seconds": time.perf_counter() - start}

    def _train_batch(self, batch: Sequence[Example], weights: Weights) -> float:
        """Take one step of the optimiser and return the loss."""
        torch = self.torch
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

    def _validate(self, weights: Weights) -> dict[str, float]:
        return validation_errors(
            self.learner, self.valid, config=self.config, weights=weights, device=self.device
        )

    def _rank_initial_model(self) -> None:
        """In fine-tuning, let the initial model compete with the epochs, so that the result is never worse."""
        state = self.state
        if state.initial_weights is None:
            return
        current = self._copy_weights()
        self.model.load_state_dict(state.initial_weights)
        _, weights = self.schedule.settings_at(state)
        state.start_from_initial_model(self._validate(weights)["valid_loss"])
        self.model.load_state_dict(current)

    def _copy_weights(self) -> dict[str, Any]:
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _copy_averaged_weights(self) -> dict[str, Any]:
        with self._averaged_weights():
            return self._copy_weights()

    def _averaged_weights(self) -> Any:
        return nullcontext() if self.ema is None else self.ema.average_parameters()

    def _load_best_weights(self) -> None:
        state = self.state
        if state.best_epoch < 0 and state.lowest_epoch_weights is not None:
            self.model.load_state_dict(state.lowest_epoch_weights)
            self.learner.save(self.folder / f"{BEST_EPOCH}{self.learner.suffix}")
        if state.best_weights is not None:
            self.model.load_state_dict(state.best_weights)

    def _save_checkpoint(self) -> None:
        content = {
            "progression": vars(self.state),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
        }
        save_torch(self.folder / CHECKPOINT, content)

    def _load_checkpoint(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        content = self.torch.load(path, map_location=self.device, weights_only=False)
        self.state = Progression(**content["progression"])
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(content["ema"])
