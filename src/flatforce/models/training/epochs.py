"""The epochs of a training run, resumable so that an interrupted run ends with the same weights."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.progress import Progress, silent
from flatforce.models.training.examples import Example, make_examples
from flatforce.models.training.files import save_torch
from flatforce.models.training.monitor import Monitor, describe_errors
from flatforce.models.training.optimisation import Optimisation
from flatforce.models.training.progression import Progression, TrainingHistory
from flatforce.models.training.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.learners.base import Learner

CHECKPOINT: Final = "checkpoint.pt"
"""File of the state of an unfinished run."""

BEST_EPOCH: Final = "best_epoch"
"""Name of the model file of the best epoch of fine-tuning, written where the initial model stays better."""


@dataclass(frozen=True)
class MemberRun:
    """The training of one member of a committee, or of a single model."""

    config: TrainConfig
    """Settings of the training."""
    seed: int
    """Seed of the order of the frames."""
    folder: Path
    """Folder of the checkpoint and of `metrics.csv`; a run with a checkpoint there is continued."""


def fit(
    learner: Learner,
    train: Sequence[Atoms],
    valid: Sequence[Atoms],
    run: MemberRun,
    *,
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
    run
        Settings, seed and folder.
    progress
        Called after each epoch.

    Returns
    -------
    Index and validation errors of the best epoch, and the errors of all epochs.
    """
    config = run.config
    train_examples, valid_examples = (make_examples(frames, learner, config) for frames in (train, valid))
    monitor = Monitor(run.folder, config.monitor, config.model_dump(mode="json"))
    try:
        return TrainingLoop(learner, train_examples, valid_examples, run).run_epochs(monitor, progress)
    finally:
        monitor.close()


class TrainingLoop:
    """A training run between its first and its last epoch.

    Parameters
    ----------
    learner
        The model.
    train
        Training set.
    valid
        Validation set.
    run
        Settings, seed and folder.
    """

    def __init__(
        self, learner: Learner, train: Sequence[Example], valid: Sequence[Example], run: MemberRun
    ) -> None:
        self.run, self.config = run, run.config
        self.train, self.valid = train, valid
        self.optimisation = Optimisation(learner, run.config)
        self.state, self.schedule = Progression(), Schedule(run.config)

    def run_epochs(self, monitor: Monitor, progress: Progress) -> TrainingHistory:
        """Train to the last epoch, from the checkpoint if there is one.

        Parameters
        ----------
        monitor
            Writes the errors of each epoch.
        progress
            Called after each epoch.

        Returns
        -------
        Index and validation errors of the best epoch, and the errors of all epochs.
        """
        self._load_checkpoint()
        state, config = self.state, self.config
        if config.start_from is not None and state.initial_errors is None:
            state.initial_errors = self.optimisation.validate(self.valid, config.weights)
            state.initial_weights = self.optimisation.copy_weights()
            self._rank_initial_model()
        last_checkpoint = time.monotonic()
        while state.epoch < config.epochs and not (state.diverged or state.out_of_patience):
            if state.epoch >= self.schedule.stage_two_start and not state.in_stage_two:
                state.start_stage_two()
                self._rank_initial_model()
            row = self._train_epoch()
            state.history.append(row)
            state.rank_epoch(row, self.optimisation.copy_averaged_weights)
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
        """Take one step on each batch and validate; return the row of the epoch in `metrics.csv`."""
        rate, weights = self.schedule.settings_at(self.state)
        start, losses = time.perf_counter(), []
        order = np.random.default_rng([self.run.seed, self.state.epoch]).permutation(len(self.train))
        self.optimisation.start_epoch(rate)
        for first in range(0, len(order), self.config.batch_size):
            indices = order[first : first + self.config.batch_size]
            losses.append(self.optimisation.step([self.train[index] for index in indices], weights))
        row = {
            "epoch": float(self.state.epoch),
            "learning_rate": rate,
            "train_loss": float(np.mean(losses)),
            "stage": 2.0 if self.state.in_stage_two else 1.0,
        }
        with self.optimisation.averaged_weights():
            row |= self.optimisation.validate(self.valid, weights)
        return row | {"seconds": time.perf_counter() - start}

    def _rank_initial_model(self) -> None:
        """In fine-tuning, let the initial model compete with the epochs, so that the result is never worse."""
        state, optimisation = self.state, self.optimisation
        if state.initial_weights is None:
            return
        current = optimisation.copy_weights()
        optimisation.load_weights(state.initial_weights)
        _, weights = self.schedule.settings_at(state)
        state.start_from_initial_model(optimisation.validate(self.valid, weights)["valid_loss"])
        optimisation.load_weights(current)

    def _load_best_weights(self) -> None:
        """Give the model its best weights; of fine-tuning without improvement, write the best epoch as well."""
        state, learner = self.state, self.optimisation.learner
        if state.best_epoch < 0 and state.lowest_epoch_weights is not None:
            self.optimisation.load_weights(state.lowest_epoch_weights)
            learner.save(self.run.folder / f"{BEST_EPOCH}{learner.suffix}")
        if state.best_weights is not None:
            self.optimisation.load_weights(state.best_weights)

    def _save_checkpoint(self) -> None:
        content = {"progression": vars(self.state), **self.optimisation.state()}
        save_torch(self.run.folder / CHECKPOINT, content)

    def _load_checkpoint(self) -> None:
        import torch

        path = self.run.folder / CHECKPOINT
        if not path.is_file():
            return
        try:
            content = torch.load(path, map_location=self.optimisation.device, weights_only=True)
            self.state = Progression(**content.pop("progression"))
            self.optimisation.restore(content)
        except (EOFError, KeyError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError) as error:
            raise ResultError(
                f"{path} cannot be read, so that the training cannot be resumed.",
                why=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'the file is cut short'}",
                fix="delete it to train from the beginning; it belongs to another model, or was damaged when it was copied",
            ) from error
