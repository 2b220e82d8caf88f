"""Whether the atoms of a trajectory stay within the distances that the force field was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.models.model_card import outside_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.properties.dynamics.samples import Samples

MAX_FRAMES: Final = 20
"""Frames of a trajectory, evenly drawn, whose distances are compared; 10,000 atoms take a second each."""


def distance_notes(spec: str, samples: Sequence[Samples], sheet: Atoms) -> list[str]:
    """Say which trajectories have atoms nearer to one another than in the training set.

    Parameters
    ----------
    spec
        Name of the force field.
    samples
        Recorded frames of each trajectory.
    sheet
        The sheet that moved, repeated.

    Returns
    -------
    One text for each such trajectory; empty where no model card states the range of the training set.
    """
    notes: list[str] = []
    for sample in samples:
        positions, cells = sample.read("positions"), sample.read("cell")
        frames = []
        for k in np.unique(np.linspace(0, len(positions) - 1, MAX_FRAMES).astype(int)).tolist():
            frame = sheet.copy()
            vectors = frame.cell.array.copy()
            vectors[: cells.shape[1], : cells.shape[2]] = cells[k]
            frame.set_cell(vectors)
            frame.positions = positions[k]
            frames.append(frame)
        notes += outside_notes(spec, frames, subject=f"trajectory {sample.group}")
    return notes
