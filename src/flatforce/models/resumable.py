"""Predictions for many frames that a killed run does not compute twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.checkpoint import Checkpoint
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.models.batches import split_batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction


def evaluate_resumably(
    potential: Potential,
    frames: Sequence[Atoms],
    *,
    checkpoint: Path | None,
    stress: bool = True,
    progress: Progress = silent,
) -> list[Prediction]:
    """Predict frames in the batches of `Potential.evaluate`, and keep the predictions on disk from time to time.

    Parameters
    ----------
    potential
        The force field.
    frames
        Sheets.
    checkpoint
        File of the predictions of an interrupted run, which are not computed again; None to keep nothing.
    stress
        Whether the stress is computed.
    progress
        Called after each batch.

    Returns
    -------
    One prediction for each frame, in their order; the same numbers as without an interruption.
    """
    potential.check(frames)
    structures = [] if checkpoint is None else [hash_structure(frame) for frame in frames]
    batch_atoms = potential.batch_atoms
    key = hash_value([potential.spec, potential.dtype, potential.device, batch_atoms, stress, structures])
    kept = Checkpoint(checkpoint, key)
    predictions: list[Prediction] = kept.load() or []
    for batch in split_batches(frames[len(predictions) :], batch_atoms):
        predictions.extend(potential.evaluate(batch, stress=stress))
        kept.save(lambda: predictions)
        progress(len(predictions), len(frames), "frames")
    return predictions
