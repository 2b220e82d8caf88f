"""The loss of a sheet: energy per atom, forces, membrane stress in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatforce.models.training.config import Weights


def sheet_loss(batch: Any, out: dict[str, Any], weights: Weights, *, huber: float | None = None) -> Any:
    """Compute the weighted mean of the squares, or of Huber's loss.

    Parameters
    ----------
    batch
        MACE's batch, with labels; `stress` holds the stress of the cell as the model sees it.
    out
        What the model says.
    weights
        Of the three terms.
    huber
        Error in the units of each term beyond which the loss is linear, 2 δ |x| − δ²; None for squares alone.

    Returns
    -------
    A scalar tensor. Only the xx, yy and xy components of the stress enter, times the cell height.
    """
    sizes = batch.ptr[1:] - batch.ptr[:-1]
    loss = weights.energy * _mean((batch.energy - out["energy"]) / sizes, huber)
    loss = loss + weights.forces * _mean(batch.forces - out["forces"], huber)
    if weights.stress > 0:
        loss = loss + weights.stress * _mean(membrane_error(batch, out["stress"]), huber)
    return loss


def _mean(error: Any, huber: float | None) -> Any:
    if huber is None:
        return error.square().mean()
    size = error.abs()
    return (error.square() - (size - huber).clamp(min=0).square()).mean()  # 2 δ |x| − δ² beyond δ


def membrane_error(batch: Any, stress: Any) -> Any:
    """Compare membrane stresses.

    Parameters
    ----------
    batch
        MACE's batch, with labels.
    stress
        (F, 3, 3) eV/Å³, what the model says.

    Returns
    -------
    (F, 3) eV/Å², label less model, of xx, yy and xy; 0 for a frame without stress.
    """
    height = batch.cell.view(-1, 3, 3)[:, 2, 2]
    error = (batch.stress - stress)[:, (0, 1, 0), (0, 1, 1)] * height[:, None]
    return error * batch.stress_weight[:, None]
