"""Batches of frames: how many are evaluated together, and how the outputs are divided among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray


def split_batches(frames: Sequence[Atoms], batch_atoms: int) -> Iterator[list[Atoms]]:
    """Divide frames into batches.

    Parameters
    ----------
    frames
        Frames.
    batch_atoms
        Largest number of atoms in a batch of several frames; a frame of more atoms is a batch of its own.

    Yields
    ------
    Consecutive frames, in their order.
    """
    batch: list[Atoms] = []
    n_atoms = 0
    for frame in frames:
        if batch and n_atoms + len(frame) > batch_atoms:
            yield batch
            batch, n_atoms = [], 0
        batch.append(frame)
        n_atoms += len(frame)
    if batch:
        yield batch


def split_outputs(
    frames: Sequence[Atoms], energies: FloatArray, forces: FloatArray, stresses: FloatArray | None
) -> list[RawPrediction]:
    """Divide the outputs of a model for one batch among its frames.

    Parameters
    ----------
    frames
        The F frames of the batch, with N atoms in total.
    energies
        (F,) eV, or of another shape with F entries.
    forces
        (N, 3) eV/Å, in the order of the frames.
    stresses
        (F, 3, 3) eV/Å³, tension positive; None if they were not computed.

    Returns
    -------
    One prediction for each frame, in their order.
    """
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    return [
        RawPrediction(float(energy), frame_forces, tensor)
        for energy, frame_forces, tensor in zip(
            energies.ravel(),
            np.split(forces, ends),
            [None] * len(frames) if stresses is None else stresses,
            strict=True,
        )
    ]


def to_numpy(tensor: Any) -> FloatArray:
    """Copy a tensor of torch to numpy.

    Parameters
    ----------
    tensor
        The tensor, on any device and in any dtype.

    Returns
    -------
    Its numbers in float64, in the same shape.
    """
    array: FloatArray = tensor.detach().cpu().numpy().astype(float)
    return array
