"""Labelled frames as the training loop reads them: the graph of the model and the labels as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.data.frames import config_type, get_labels
from flatforce.models.slab import pad_vacuum
from flatforce.structures.sheet import cell_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.learners.base import Learner


@dataclass(frozen=True)
class Example:
    """One labelled frame of the training or validation set."""

    graph: Any
    """Input of the model."""
    energy: float
    """eV, label of the energy."""
    forces: FloatArray
    """(N, 3) eV/Å, labels of the forces; NaN where there are none, which only energy-only training accepts."""
    membrane: FloatArray | None
    """(3,) eV/Å², label of the membrane stress, components xx, yy, xy; None if the frame has none."""
    height: float
    """Å, height of the cell that the model evaluates."""
    weight: float = 1.0
    """Factor of the frame's terms in the loss."""


@dataclass(frozen=True)
class LabelBatch:
    """Labels of a batch of F frames with N atoms in total, as torch tensors."""

    energy: Any
    """(F,) eV."""
    forces: Any
    """(N, 3) eV/Å."""
    membrane: Any
    """(F, 3) eV/Å², components xx, yy, xy of the membrane stress; 0 for a frame without a label."""
    has_stress: Any
    """(F,) 1 for a frame with a label of the stress, else 0."""
    sizes: Any
    """(F,) number of atoms of each frame."""
    heights: Any
    """(F,) Å, height of the cell that the model evaluates."""
    weights: Any
    """(F,) factor of each frame's terms in the loss."""


def make_examples(frames: Sequence[Atoms], learner: Learner, config: TrainConfig) -> list[Example]:
    """Prepare labelled frames for training.

    Parameters
    ----------
    frames
        Labelled frames.
    learner
        The model, which makes the graphs.
    config
        Settings of the training.

    Returns
    -------
    One example for each frame, weighted by `config_type_weights`.
    """
    weights = [config.config_type_weights.get(config_type(frame), 1.0) for frame in frames]
    return [
        make_example(frame, learner, need_forces=not config.energy_only, weight=weight)
        for frame, weight in zip(frames, weights, strict=True)
    ]


def make_example(frame: Atoms, learner: Learner, *, need_forces: bool = True, weight: float = 1.0) -> Example:
    """Prepare a labelled frame for training, in the cell that the model evaluates.

    Parameters
    ----------
    frame
        A labelled frame.
    learner
        The model, which makes the graph.
    need_forces
        Whether a frame without forces is refused.
    weight
        Factor of the frame's terms in the loss.

    Returns
    -------
    Graph and labels. Of the stress only the in-plane components are kept, times the cell height.
    """
    labels = get_labels(frame, need_forces=need_forces)
    slab = pad_vacuum(frame, learner.cutoff)
    height = cell_height(frame)
    membrane = None
    if labels.stress is not None and height > 0:
        membrane = labels.stress[(0, 1, 0), (0, 1, 1)] * height
    return Example(
        learner.graph(slab), labels.energy, labels.forces, membrane, float(slab.cell[2, 2]), weight
    )


def collate_labels(examples: Sequence[Example], *, dtype: Any, device: str) -> LabelBatch:
    """Collect the labels of a batch.

    Parameters
    ----------
    examples
        The frames of the batch.
    dtype
        Torch dtype of the tensors.
    device
        Device of the tensors.

    Returns
    -------
    Labels of all frames of the batch, as tensors on the device.
    """
    import torch

    def tensor(values: Any) -> Any:
        return torch.as_tensor(np.asarray(values), dtype=dtype, device=device)

    membranes = [np.zeros(3) if example.membrane is None else example.membrane for example in examples]
    return LabelBatch(
        energy=tensor([example.energy for example in examples]),
        forces=tensor(np.concatenate([example.forces for example in examples])),
        membrane=tensor(membranes),
        has_stress=tensor([example.membrane is not None for example in examples]),
        sizes=tensor([len(example.forces) for example in examples]),
        heights=tensor([example.height for example in examples]),
        weights=tensor([example.weight for example in examples]),
    )
