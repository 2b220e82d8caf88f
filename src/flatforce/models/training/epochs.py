"""The epochs of a model, resumable so that a killed run ends with the same weights."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import config_type
from flatforce.models.precision import torch_device
from flatforce.models.training.files import save_torch
from flatforce.models.training.loss import Example, Truth, example, membrane_error, sheet_loss, truth
from flatforce.models.training.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig, Weights
    from flatforce.models.training.learners.base import Learner, Predicted

DIVERGED = 1e4
"""A validation loss this many times that of the best epoch, or its training loss if that is larger, means that the run has
run away: a few validation frames may be met by accident."""

CHECKPOINT = "checkpoint.pt"

UNKEPT = "best_epoch"
"""The model of the best epoch, where the one that was trained further stays ahead."""


@dataclass
class Progression:
    """Everything that a run carries from epoch to epoch, beside torch's own states."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_scale: float = float("inf")
    best_epoch: int = -1
    best_weights: dict[str, Any] | None = None
    epoch_loss: float = float("inf")
    """Of the best epoch, which is not the best where the model that was trained further stays ahead."""
    epoch_weights: dict[str, Any] | None = None
    start: dict[str, float] | None = None
    """Errors of a model that is trained further, before anything was learnt."""
    start_weights: dict[str, Any] | None = None
    in_stage_two: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    diverged: bool = False
    stopped: bool = False
    """Whether patience ran out."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    best_epoch: int
    """-1 for the model that a run started from."""
    best: dict[str, float] | None
    """Validation errors of that epoch; None if nothing came of the run."""
    history: list[dict[str, float]]
    diverged: bool


def fit(
    learner: Learner,
    train: Sequence[Atoms],
    valid: Sequence[Atoms],
    *,
    config: TrainConfig,
    seed: int,
    folder: Path,
    progress: Progress = silent,
) -> Trained:
    """Fit a model to frames.

    Parameters
    ----------
    learner
        The model; it has the best weights in the end.
    train
        Labelled frames.
    valid
        Labelled frames.
    config
        Settings.
    seed
        Of the batches.
    folder
        Where checkpoint and metrics stand; a checkpoint found there is gone on from.
    progress
        Told after each epoch.

    Returns
    -------
    The history.
    """
    monitor = Monitor(folder, config.monitor, config.model_dump(mode="json"))
    try:
        run = _Run(learner, train, valid, config=config, seed=seed, folder=folder, monitor=monitor)
        return run.finish(progress)
    finally:
        monitor.close()


class _Run:
    def __init__(  # private; one caller
        self,
        learner: Learner,
        train: Sequence[Atoms],
        valid: Sequence[Atoms],
        *,
        config: TrainConfig,
        seed: int,
        folder: Path,
        monitor: Monitor,
    ) -> None:
        import torch
        from torch_ema import ExponentialMovingAverage

        self.torch = torch
        self.config, self.seed, self.folder, self.monitor = config, seed, folder, monitor
        self.device = torch_device(config.device)
        self.learner, self.model = learner, learner.module.to(self.device)
        bare = config.energy_only

        def examples(frames: Sequence[Atoms]) -> list[Example]:
            factors = [config.config_type_weights.get(config_type(frame), 1.0) for frame in frames]
            return [
                example(frame, learner, need_forces=not bare, weight=factor)
                for frame, factor in zip(frames, factors, strict=True)
            ]

        self.train, self.valid = examples(train), examples(valid)
        free = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            free, lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=config.amsgrad
        )
        self.ema = (
            None if config.ema_decay is None else ExponentialMovingAverage(free, decay=config.ema_decay)
        )
        self.state = Progression()
        self.stage_two_start = (
            config.epochs if config.stage_two is None else round(config.stage_two.start * config.epochs)
        )

    def finish(self, progress: Progress) -> Trained:
        self._load()
        state, config = self.state, self.config
        if config.start_from is not None and state.start is None:
            state.start = self._errors(config.weights)
            state.start_weights = self._weights()
            self._start_counts()
        saved = time.monotonic()
        while state.epoch < config.epochs and not (state.diverged or state.stopped):
            self._enter_stage_two()
            row = self._epoch()
            state.history.append(row)
            self._judge(row)
            state.epoch += 1
            self.monitor.write(state.history)
            force = f"force MAE {row['valid_force_mae']:.1f} meV/Å, " if "valid_force_mae" in row else ""
            progress(state.epoch, config.epochs, f"{force}energy MAE {row['valid_energy_mae']:.2f} meV/atom")
            state.stopped = self._out_of_patience()
            if time.monotonic() - saved > config.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        self._save()
        if state.best_epoch < 0 and state.epoch_weights is not None:
            self.model.load_state_dict(state.epoch_weights)
            self.learner.save(self.folder / f"{UNKEPT}{self.learner.suffix}")
        if state.best_weights is not None:
            self.model.load_state_dict(state.best_weights)
        rows = [row for row in state.history if row["epoch"] == state.best_epoch]
        return Trained(
            state.best_epoch, next(iter(rows), state.start), state.history, state.diverged
        )  # patience leaves epochs out

    def _weights(self) -> dict[str, Any]:
        return {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def _start_counts(self) -> None:
        """Let the model that a run started from compete: an epoch that is worse is no gain."""
        state = self.state
        if state.start_weights is None:
            return
        now = self._weights()
        self.model.load_state_dict(state.start_weights)
        _, weights = self._settings_now()
        state.best_loss = state.best_scale = self._errors(weights)["valid_loss"]
        self.model.load_state_dict(now)
        state.best_epoch, state.best_weights = -1, state.start_weights

    def _enter_stage_two(self) -> None:
        state = self.state
        if state.epoch >= self.stage_two_start and not state.in_stage_two:
            state.in_stage_two = True
            state.best_loss = state.best_scale = state.epoch_loss = float("inf")
            self._start_counts()

    def _out_of_patience(self) -> bool:
        state, patience = self.state, self.config.patience
        if patience is None or state.epoch - 1 - state.best_epoch < patience:
            return False
        if not state.in_stage_two and self.stage_two_start < self.config.epochs:
            state.epoch = max(state.epoch, self.stage_two_start)
            return False
        return True

    def _settings_now(self) -> tuple[float, Weights]:
        config, epoch, start = self.config, self.state.epoch, self.stage_two_start
        if self.state.in_stage_two and config.stage_two is not None:
            part = (epoch - start) / max(1, config.epochs - start)
            rate = config.stage_two.learning_rate or 0.1 * config.learning_rate
            return rate * _fall(part), config.stage_two.weights
        return config.learning_rate * _fall(epoch / max(1, start)), config.weights

    def _epoch(self) -> dict[str, float]:
        torch = self.torch
        rate, weights = self._settings_now()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        start, losses = time.perf_counter(), []
        order = np.random.default_rng([self.seed, self.state.epoch]).permutation(len(self.train))
        self.model.train()
        for first in range(0, len(order), self.config.batch_size):
            batch = [self.train[i] for i in order[first : first + self.config.batch_size]]
            self.optimizer.zero_grad(set_to_none=True)
            found = self._predict(batch, forces=weights.forces > 0, stress=weights.stress > 0)
            loss = sheet_loss(self._truth(batch), found, weights, huber_delta=self.config.huber_delta)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_grad)
            self.optimizer.step()
            if self.ema is not None:
                self.ema.update()
            losses.append(float(loss.detach()))
        row = {
            "epoch": float(self.state.epoch),
            "learning_rate": rate,
            "train_loss": float(np.mean(losses)),
            "stage": 2.0 if self.state.in_stage_two else 1.0,
        }
        with self._averaged():
            row |= self._errors(weights)
        return row | {"seconds": time.perf_counter() - start}

    def _averaged(self) -> Any:
        return nullcontext() if self.ema is None else self.ema.average_parameters()

    def _errors(self, weights: Weights) -> dict[str, float]:
        self.model.eval()
        bare = self.config.energy_only
        losses, energy, forces, stress = [], [], [], []
        for first in range(0, len(self.valid), 2 * self.config.batch_size):
            batch = self.valid[first : first + 2 * self.config.batch_size]
            wanted, found = self._truth(batch), self._predict(batch, forces=not bare, stress=not bare)
            losses.append(float(sheet_loss(wanted, found, weights, huber_delta=self.config.huber_delta).detach()))
            energy.append(((wanted.energy - found.energy) / wanted.sizes).detach().abs())
            if not bare:
                forces.append((wanted.forces - found.forces).detach().abs().flatten())
                stress.append(membrane_error(wanted, found)[wanted.labelled > 0].detach().abs().flatten())
        row = {
            "valid_loss": float(np.mean(losses)),
            "valid_energy_mae": 1e3 * float(self.torch.cat(energy).mean()),
        }
        if bare:
            return row
        tension = self.torch.cat(stress)
        return row | {
            "valid_force_mae": 1e3 * float(self.torch.cat(forces).mean()),
            "valid_stress_mae": EV_PER_A2_IN_N_PER_M * float(tension.mean())
            if len(tension)
            else float("nan"),
        }

    def _judge(self, row: dict[str, float]) -> None:
        state, loss = self.state, row["valid_loss"]
        if not np.isfinite([loss, row["train_loss"]]).all() or loss > DIVERGED * state.best_scale:
            state.diverged = True
            return
        if loss < state.epoch_loss:
            state.epoch_loss = loss
            with self._averaged():
                state.epoch_weights = self._weights()
        if loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            state.best_scale = max(loss, row["train_loss"])
            state.best_weights = state.epoch_weights

    def _truth(self, batch: Sequence[Example]) -> Truth:
        return truth(batch, dtype=getattr(self.torch, self.config.dtype), device=self.device)

    def _predict(self, batch: Sequence[Example], *, forces: bool, stress: bool) -> Predicted:
        graphs = [one.graph for one in batch]
        return self.learner.predict(graphs, device=self.device, forces=forces, stress=stress)

    def _save(self) -> None:
        content = {
            "progression": vars(self.state),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
        }
        save_torch(self.folder / CHECKPOINT, content)

    def _load(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        content = self.torch.load(path, map_location=self.device, weights_only=False)
        self.state = Progression(**content["progression"])
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(content["ema"])


def _fall(part: float) -> float:
    return float(0.01 + 0.99 * (1 + np.cos(np.pi * part)) / 2)
