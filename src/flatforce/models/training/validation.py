"""Errors of a model in training on the validation set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models.training.examples import collate_labels
from flatforce.models.training.loss import membrane_error, sheet_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.models.training.config import TrainConfig, Weights
    from flatforce.models.training.examples import Example
    from flatforce.models.training.learners.base import Learner


def validation_errors(
    learner: Learner, examples: Sequence[Example], *, config: TrainConfig, weights: Weights, device: str
) -> dict[str, float]:
    """Evaluate a model on the validation set.

    Parameters
    ----------
    learner
        The model in training.
    examples
        Validation set.
    config
        Settings of the training.
    weights
        Weights of the loss.
    device
        Device of the model.

    Returns
    -------
    `valid_loss` and the mean absolute errors `valid_energy_mae` in meV/atom, `valid_force_mae` in meV/Å and
    `valid_stress_mae` in N/m; the last two only if forces or stress are fitted.
    """
    import torch

    learner.module.eval()
    with_forces = not config.energy_only
    losses: list[float] = []
    energy_errors, force_errors, stress_errors = [], [], []
    batch_size = 2 * config.batch_size
    for first in range(0, len(examples), batch_size):
        batch = examples[first : first + batch_size]
        labels = collate_labels(batch, dtype=getattr(torch, config.dtype), device=device)
        predictions = learner.predict(
            [example.graph for example in batch], device=device, forces=with_forces, stress=with_forces
        )
        loss: Any = sheet_loss(labels, predictions, weights, huber_delta=config.huber_delta)
        losses.append(float(loss.detach()))
        energy_errors.append(((labels.energy - predictions.energy) / labels.sizes).detach().abs())
        if with_forces:
            force_errors.append((labels.forces - predictions.forces).detach().abs().flatten())
            stress_error = membrane_error(labels, predictions)[labels.has_stress > 0]
            stress_errors.append(stress_error.detach().abs().flatten())
    errors = {
        "valid_loss": float(np.mean(losses)),
        "valid_energy_mae": 1e3 * float(torch.cat(energy_errors).mean()),
    }
    if not with_forces:
        return errors
    stress = torch.cat(stress_errors)
    return errors | {
        "valid_force_mae": 1e3 * float(torch.cat(force_errors).mean()),
        "valid_stress_mae": EV_PER_A2_IN_N_PER_M * float(stress.mean()) if len(stress) else float("nan"),
    }
