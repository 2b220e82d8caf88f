"""The epochs of a MACE model, resumable so that a killed run ends with the same weights."""

from __future__ import annotations

import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_numbers

from flatforce.core.progress import Progress, silent
from flatforce.core.results import write_atomically
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import get_labels
from flatforce.models.backends.mace import import_mace, make_graph
from flatforce.models.potential import padded
from flatforce.models.training.loss import membrane_error, sheet_loss
from flatforce.models.training.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig, Weights

DIVERGED = 1e4
"""A validation loss this many times the best one means that the run has run away."""

CHECKPOINT = "checkpoint.pt"


@dataclass
class Progression:
    """Everything that a run carries from epoch to epoch, beside torch's own states."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    best_weights: dict[str, Any] | None = None
    in_stage_two: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    diverged: bool = False
    stopped: bool = False
    """Whether patience ran out."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    model: Any
    """The torch module with the best weights."""
    best_epoch: int
    history: list[dict[str, float]]
    diverged: bool


def train_mace(
    train: Sequence[Atoms],
    valid: Sequence[Atoms],
    *,
    config: TrainConfig,
    seed: int,
    e0s: dict[str, float],
    folder: Path,
    progress: Progress = silent,
) -> Trained:
    """Fit a MACE model.

    Parameters
    ----------
    train
        Labelled frames.
    valid
        Labelled frames.
    config
        Settings.
    seed
        Of weights and batches.
    e0s
        Species → eV.
    folder
        Where checkpoint and metrics stand; a checkpoint found there is gone on from.
    progress
        Told after each epoch.

    Returns
    -------
    The model and its history.
    """
    torch = import_mace()
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, config.dtype))
    monitor = Monitor(folder, config.monitor, config.model_dump(mode="json"))
    try:
        run = _Run(train, valid, config=config, seed=seed, e0s=e0s, folder=folder, monitor=monitor)
        return run.finish(progress)
    finally:
        monitor.close()
        torch.set_default_dtype(before)


class _Run:
    def __init__(  # private; one caller
        self,
        train: Sequence[Atoms],
        valid: Sequence[Atoms],
        *,
        config: TrainConfig,
        seed: int,
        e0s: dict[str, float],
        folder: Path,
        monitor: Monitor,
    ) -> None:
        self.torch = torch = import_mace()
        from torch_ema import ExponentialMovingAverage

        self.config, self.seed, self.folder, self.monitor = config, seed, folder, monitor
        auto = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = auto if config.device == "auto" else config.device
        self.train = [labelled_graph(frame, config, e0s) for frame in train]
        self.valid = [labelled_graph(frame, config, e0s) for frame in valid]
        torch.manual_seed(seed)
        self.model = build_model(self.train, config, e0s).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            amsgrad=config.amsgrad,
        )
        self.ema = (
            None
            if config.ema_decay is None
            else ExponentialMovingAverage(self.model.parameters(), decay=config.ema_decay)
        )
        self.state = Progression()
        self.stage_two_start = (
            config.epochs if config.stage_two is None else round(config.stage_two.start * config.epochs)
        )

    def finish(self, progress: Progress) -> Trained:
        self._load()
        state, config = self.state, self.config
        saved = time.monotonic()
        while state.epoch < config.epochs and not (state.diverged or state.stopped):
            self._enter_stage_two()
            row = self._epoch()
            state.history.append(row)
            self._judge(row)
            state.epoch += 1
            self.monitor.write(state.history)
            text = f"force MAE {row['valid_force_mae']:.1f} meV/Å, energy MAE {row['valid_energy_mae']:.2f} meV/atom"
            progress(state.epoch, config.epochs, text)
            state.stopped = self._out_of_patience()
            if time.monotonic() - saved > config.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        self._save()
        if state.best_weights is not None:
            self.model.load_state_dict(state.best_weights)
        return Trained(self.model, state.best_epoch, state.history, state.diverged)

    def _enter_stage_two(self) -> None:
        state = self.state
        if state.epoch >= self.stage_two_start and not state.in_stage_two:
            state.in_stage_two = True
            state.best_loss = float("inf")

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
            return config.stage_two.learning_rate * _fall(part), config.stage_two.weights
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
            batch = self._batch([self.train[i] for i in order[first : first + self.config.batch_size]])
            self.optimizer.zero_grad(set_to_none=True)
            out = self.model(batch.to_dict(), training=True, compute_stress=weights.stress > 0)
            loss = sheet_loss(batch, out, weights, huber=self.config.huber)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_gradient)
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
        losses, energy, forces, stress = [], [], [], []
        for first in range(0, len(self.valid), 2 * self.config.batch_size):
            batch = self._batch(self.valid[first : first + 2 * self.config.batch_size])
            out = self.model(batch.to_dict(), compute_stress=True)
            losses.append(float(sheet_loss(batch, out, weights, huber=self.config.huber).detach()))
            sizes = batch.ptr[1:] - batch.ptr[:-1]
            energy.append(((batch.energy - out["energy"]) / sizes).detach().abs())
            forces.append((batch.forces - out["forces"]).detach().abs().flatten())
            labelled = batch.stress_weight > 0
            stress.append(membrane_error(batch, out["stress"])[labelled].detach().abs().flatten())
        cat = self.torch.cat
        found = cat(stress)
        return {
            "valid_loss": float(np.mean(losses)),
            "valid_energy_mae": 1e3 * float(cat(energy).mean()),
            "valid_force_mae": 1e3 * float(cat(forces).mean()),
            "valid_stress_mae": EV_PER_A2_IN_N_PER_M * float(found.mean()) if len(found) else float("nan"),
        }

    def _judge(self, row: dict[str, float]) -> None:
        state, loss = self.state, row["valid_loss"]
        if not np.isfinite([loss, row["train_loss"]]).all() or loss > DIVERGED * state.best_loss:
            state.diverged = True
        elif loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            with self._averaged():
                state.best_weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def _batch(self, graphs: Sequence[Any]) -> Any:
        from mace.tools import torch_geometric

        return torch_geometric.Batch.from_data_list(list(graphs)).to(self.device)

    def _save(self) -> None:
        content = {
            "progression": vars(self.state),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
        }
        write_atomically(self.folder / CHECKPOINT, lambda part: self.torch.save(content, part))

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


def labelled_graph(frame: Atoms, config: TrainConfig, e0s: dict[str, float]) -> Any:
    """Turn a labelled frame into MACE's graph, in the cell that the model will see.

    Parameters
    ----------
    frame
        A labelled frame.
    config
        Cutoff and precision.
    e0s
        The species known.

    Returns
    -------
    The graph; a frame without stress has stress weight 0.
    """
    labels = get_labels(frame)
    slab = padded(frame, config.model.r_max)
    has_stress = labels.stress is not None and frame.cell[2, 2] > 0
    stress = np.zeros((3, 3))
    if labels.stress is not None and has_stress:
        stress = labels.stress * frame.cell[2, 2] / slab.cell[2, 2]
    return make_graph(
        slab,
        numbers=sorted(atomic_numbers[symbol] for symbol in e0s),
        cutoff=config.model.r_max,
        heads=["Default"],
        properties={"energy": labels.energy, "forces": labels.forces, "stress": stress},
        property_weights={"energy": 1.0, "forces": 1.0, "stress": float(has_stress)},
    )


def build_model(graphs: Sequence[Any], config: TrainConfig, e0s: dict[str, float]) -> Any:
    """Make an untrained model, scaled to the data.

    Parameters
    ----------
    graphs
        Training graphs: neighbours and forces are counted on them.
    config
        Shape of the model.
    e0s
        Species → eV.

    Returns
    -------
    The torch module.
    """
    torch = import_mace()
    from e3nn import o3
    from mace import modules

    shape = config.model
    numbers = sorted(atomic_numbers[symbol] for symbol in e0s)
    by_number = {atomic_numbers[symbol]: energy for symbol, energy in e0s.items()}
    energies = np.array([[by_number[z] for z in numbers]])
    neighbours = sum(g.edge_index.shape[1] for g in graphs) / sum(g.num_nodes for g in graphs)
    forces = torch.cat([g.forces.flatten() for g in graphs])
    e0_of = torch.tensor(energies[0], dtype=torch.get_default_dtype())
    shifts = [float((g.energy - (g.node_attrs @ e0_of).sum()) / g.num_nodes) for g in graphs]
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    with warnings.catch_warnings():  # e3nn 0.4.4 compiles by a TorchScript that warns of itself
        warnings.simplefilter("ignore")
        return modules.ScaleShiftMACE(
            r_max=shape.r_max,
            num_bessel=shape.num_radial_basis,
            num_polynomial_cutoff=shape.num_cutoff_basis,
            max_ell=shape.max_ell,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=shape.num_interactions,
            num_elements=len(numbers),
            hidden_irreps=o3.Irreps(shape.hidden_irreps),
            MLP_irreps=o3.Irreps(shape.readout_irreps),
            gate=torch.nn.functional.silu,
            atomic_energies=energies,
            avg_num_neighbors=neighbours,
            atomic_numbers=numbers,
            correlation=shape.correlation,
            radial_type="bessel",
            atomic_inter_scale=float(forces.square().mean().sqrt()),
            atomic_inter_shift=float(np.mean(shifts)),
            heads=["Default"],
        )
