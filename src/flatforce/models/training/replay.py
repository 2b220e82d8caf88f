"""Frames of earlier training data that fine-tuning adds to the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_frames, read_labelled
from flatforce.data.frames import Labels, attach_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.training.config import Replay


def replay_frames(
    replay: Replay,
    initial: Potential,
    shifts: dict[str, float],
    *,
    seed: int,
    is_allowed: Callable[[Atoms], bool],
) -> list[Atoms]:
    """Draw frames of earlier training data and label them.

    Parameters
    ----------
    replay
        Settings of the replay.
    initial
        The model before fine-tuning.
    shifts
        Element → eV by which its reference energies were shifted.
    seed
        Seed of the draw.
    is_allowed
        Whether a frame may be trained on.

    Returns
    -------
    Frames with labels under the REF keys, shifted to the reference energies of the new data.
    """
    keep_labels = replay.labels == "own"
    read = read_labelled if keep_labels else read_frames
    candidates = [
        frame
        for name in replay.data
        for frame in read(dataset_path(name))
        if initial.elements >= set(frame.get_chemical_symbols()) and is_allowed(frame)
    ]
    order = np.random.default_rng([seed, 1]).permutation(len(candidates))[: replay.count]
    frames = [candidates[index] for index in sorted(order)]
    if keep_labels:
        return frames
    return [
        attach_labels(
            frame,
            Labels(prediction.energy + _sum_energies(frame, shifts), prediction.forces, prediction.stress),
        )
        for frame, prediction in zip(frames, initial.evaluate(frames), strict=True)
    ]


def _sum_energies(frame: Atoms, energies: dict[str, float]) -> float:
    return sum(energies.get(symbol, 0.0) for symbol in frame.get_chemical_symbols())
