"""The loss of a sheet: energy per atom, forces, membrane stress in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatforce.models.training.config import Weights


def sheet_loss(batch: Any, out: dict[str, Any], weights: Weights) -> Any:
    """Compute the weighted mean squares.

    Parameters
    ----------
    batch
        MACE's batch, with labels; `stress` holds the stress of the cell as the model sees it.
    out
        What the model says.
    weights
        Of the three terms.

    Returns
    -------
    A scalar tensor. Only the xx, yy and xy components of the stress enter, times the cell height.
    """
    sizes = batch.ptr[1:] - batch.ptr[:-1]
    loss = weights.energy * ((batch.energy - out["energy"]) / sizes).square().mean()
    loss = loss + weights.forces * (batch.forces - out["forces"]).square().mean()
    if weights.stress > 0:
        loss = loss + weights.stress * membrane_error(batch, out["stress"]).square().mean()
    return loss


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
