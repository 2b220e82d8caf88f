"""The loss of a sheet: energy per atom, forces, and in-plane membrane stress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatforce.models.training.config import Weights
    from flatforce.models.training.examples import LabelBatch
    from flatforce.models.training.learners.base import PredictionBatch


def sheet_loss(
    labels: LabelBatch, predictions: PredictionBatch, weights: Weights, *, huber_delta: float | None = None
) -> Any:
    """Compute the weighted mean of the squared errors, or of their Huber loss.

    Parameters
    ----------
    labels
        Labels of the batch.
    predictions
        Predictions of the model.
    weights
        Weights of the three terms; a term of weight 0 is not computed.
    huber_delta
        Error δ, in the unit of each term, beyond which the loss is linear, 2 δ |x| − δ²; None for squared errors.

    Returns
    -------
    A scalar tensor. Of the stress only the components xx, yy and xy enter, times the cell height.
    """
    per_frame = labels.weights
    energy_error = (labels.energy - predictions.energy) / labels.sizes
    loss = weights.energy * _weighted_mean(energy_error, huber_delta, per_frame)
    if weights.forces > 0:
        per_atom = per_frame.repeat_interleave(labels.sizes.long())[:, None]
        force_error = labels.forces - predictions.forces
        loss = loss + weights.forces * _weighted_mean(force_error, huber_delta, per_atom)
    if weights.stress > 0:
        stress_error = membrane_error(labels, predictions)
        loss = loss + weights.stress * _weighted_mean(stress_error, huber_delta, per_frame[:, None])
    return loss


def _weighted_mean(error: Any, huber_delta: float | None, weights: Any) -> Any:
    squares = error.square()
    if huber_delta is not None:
        squares = squares - (error.abs() - huber_delta).clamp(min=0).square()  # 2 δ |x| − δ² beyond δ
    return (weights * squares).mean()


def membrane_error(labels: LabelBatch, predictions: PredictionBatch) -> Any:
    """Compute the error of the membrane stress.

    Parameters
    ----------
    labels
        Labels of the batch.
    predictions
        Predictions of the model.

    Returns
    -------
    (F, 3) eV/Å², label minus prediction of xx, yy and xy; 0 for a frame without a label.
    """
    membrane = predictions.stress[:, (0, 1, 0), (0, 1, 1)] * labels.heights[:, None]
    return (labels.membrane - membrane) * labels.has_stress[:, None]
