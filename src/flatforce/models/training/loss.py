"""The loss of a sheet: energy per atom, forces, membrane stress in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.data.frames import get_labels
from flatforce.models.slab import pad_vacuum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.training.config import Weights
    from flatforce.models.training.learners.base import Learner, Predicted


@dataclass(frozen=True)
class Example:
    """One labelled frame as it is learnt."""

    graph: Any
    """What the model takes."""
    energy: float
    """eV."""
    forces: FloatArray
    """(N, 3) eV/Å; NaN where there are none, which only a run that fits energies alone may read."""
    membrane: FloatArray | None
    """(3,) eV/Å², membrane stress xx, yy, xy; None where not labelled."""
    height: float
    """Å, of the cell that the model sees."""
    weight: float = 1.0
    """Factor of its terms in the loss."""


@dataclass(frozen=True)
class Truth:
    """Labels of a batch; torch tensors."""

    energy: Any
    """(F,) eV."""
    forces: Any
    """(N, 3) eV/Å."""
    membrane: Any
    """(F, 3) eV/Å²; 0 where not labelled."""
    labelled: Any
    """(F,) 1 where the stress is labelled, else 0."""
    sizes: Any
    """(F,) atoms of each frame."""
    heights: Any
    """(F,) Å."""
    factors: Any
    """(F,) of each frame's terms in the loss."""


def example(frame: Atoms, learner: Learner, *, need_forces: bool = True, weight: float = 1.0) -> Example:
    """Turn a labelled frame into what is learnt, in the cell that the model will see.

    Parameters
    ----------
    frame
        A labelled frame.
    learner
        Whose graph.
    need_forces
        Whether a frame without forces is refused.
    weight
        Factor of its terms in the loss.

    Returns
    -------
    Graph and labels. Of the stress only the in-plane components are kept, times the cell height.
    """
    labels = get_labels(frame, need_forces=need_forces)
    slab = pad_vacuum(frame, learner.cutoff)
    height = float(frame.cell[2, 2])
    membrane = None
    if labels.stress is not None and height > 0:
        membrane = labels.stress[(0, 1, 0), (0, 1, 1)] * height
    return Example(
        learner.graph(slab), labels.energy, labels.forces, membrane, float(slab.cell[2, 2]), weight
    )


def truth(examples: Sequence[Example], *, dtype: Any, device: str) -> Truth:
    """Gather the labels of a batch.

    Parameters
    ----------
    examples
        The frames.
    dtype
        Of torch.
    device
        Where they are to be.

    Returns
    -------
    The labels.
    """
    import torch

    def tensor(values: Any) -> Any:
        return torch.as_tensor(np.asarray(values), dtype=dtype, device=device)

    membranes = [np.zeros(3) if one.membrane is None else one.membrane for one in examples]
    return Truth(
        energy=tensor([one.energy for one in examples]),
        forces=tensor(np.concatenate([one.forces for one in examples])),
        membrane=tensor(membranes),
        labelled=tensor([one.membrane is not None for one in examples]),
        sizes=tensor([len(one.forces) for one in examples]),
        heights=tensor([one.height for one in examples]),
        factors=tensor([one.weight for one in examples]),
    )


def sheet_loss(wanted: Truth, found: Predicted, weights: Weights, *, huber_delta: float | None = None) -> Any:
    """Compute the weighted mean of the squares, or of Huber's loss.

    Parameters
    ----------
    wanted
        Labels.
    found
        What the model says.
    weights
        Of the three terms; a term without weight is not looked at.
    huber_delta
        Error in the units of each term beyond which the loss is linear, 2 δ |x| − δ²; None for squares alone.

    Returns
    -------
    A scalar tensor. Only the xx, yy and xy components of the stress enter, times the cell height.
    """
    per_frame = wanted.factors
    loss = weights.energy * _mean((wanted.energy - found.energy) / wanted.sizes, huber_delta, per_frame)
    if weights.forces > 0:
        per_atom = per_frame.repeat_interleave(wanted.sizes.long())[:, None]
        loss = loss + weights.forces * _mean(wanted.forces - found.forces, huber_delta, per_atom)
    if weights.stress > 0:
        loss = loss + weights.stress * _mean(membrane_error(wanted, found), huber_delta, per_frame[:, None])
    return loss


def _mean(error: Any, huber_delta: float | None, factors: Any) -> Any:
    squares = error.square()
    if huber_delta is not None:
        squares = squares - (error.abs() - huber_delta).clamp(min=0).square()  # 2 δ |x| − δ² beyond δ
    return (factors * squares).mean()


def membrane_error(wanted: Truth, found: Predicted) -> Any:
    """Compare membrane stresses.

    Parameters
    ----------
    wanted
        Labels.
    found
        What the model says.

    Returns
    -------
    (F, 3) eV/Å², label less model, of xx, yy and xy; 0 for a frame without stress.
    """
    membrane = found.stress[:, (0, 1, 0), (0, 1, 1)] * wanted.heights[:, None]
    return (wanted.membrane - membrane) * wanted.labelled[:, None]
