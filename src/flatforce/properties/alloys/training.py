"""Trainings inside a split: what chooses their epochs, and the run itself, kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file, hash_structure, hash_value
from flatforce.core.results import read_record
from flatforce.data.frames import ENERGY, FORCES, write_frames
from flatforce.models import load
from flatforce.models.spec import model_files
from flatforce.models.training.architectures import Architecture, MaceArchitecture
from flatforce.models.training.config import TrainConfig, Weights
from flatforce.models.training.run import train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import IntArray
    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.table import AlloyTable

VALIDATION = 0.2
"""Share of the training orderings, end members apart, that choose epochs and candidates."""

FEW = 6
"""Training orderings below which one of them does; else two or more."""


class Further(Config):
    """A force field that is trained further on the frames of the training orderings."""

    start_from: str
    """The force field."""
    learning_rates: list[PositiveFloat] = Field([3e-4], min_length=1)
    """Candidates; validation orderings, taken from the training ones, choose."""
    epochs: list[PositiveInt] = Field([40], min_length=1)
    """Candidates."""
    batch_size: PositiveInt = 2
    """Frames a step."""
    weights: Weights = Weights(energy=1e5, forces=100.0, stress=10.0)
    """Of the loss; formation energies are a few meV per atom: 0.5 meV/atom weigh as much as 15 meV/Å."""


class Network(Config):
    """A network of formation energies on relaxed sheets, from random weights."""

    model: Architecture = MaceArchitecture(hidden_irreps="16x0e + 16x1o", r_max=5.0)
    """Its shape."""
    learning_rates: list[PositiveFloat] = Field([5e-3], min_length=1)
    """Candidates; validation orderings choose."""
    epochs: list[PositiveInt] = Field([200], min_length=1)
    """Candidates."""
    batch_size: PositiveInt = 4
    """Frames a step."""
    n_models: PositiveInt = 3
    """Trained from different seeds; their mean answers: one depends on its seed by as much as models differ."""


def set_aside(table: AlloyTable, train: IntArray) -> IntArray:
    """Choose training orderings that choose epochs and candidates; end members, whose energies are known, are fitted.

    Parameters
    ----------
    table
        The table.
    train
        (m,) training rows.

    Returns
    -------
    (k,) rows, by the names of the training rows alone.

    Raises
    ------
    DataError
        If fewer than two orderings train.
    """
    mixed = sorted((int(k) for k in train if not table.rows[k].end_member), key=lambda k: table.rows[k].name)
    if len(mixed) < 2:
        raise DataError(
            f"{len(mixed)} training orderings are too few to train on.",
            why="one of them chooses the epoch",
            fix="make more orderings: raise `max_cells`",
        )
    count = 1 if len(mixed) < FEW else max(2, round(VALIDATION * len(mixed)))
    return np.sort(np.random.default_rng(0).permutation(mixed)[:count])


def trained(
    fitted: Sequence[Atoms],
    choosing: Sequence[Atoms],
    base: dict[str, Any],
    config: Further | Network,
    folder: Path,
    progress: Progress,
) -> tuple[Potential, str]:
    """Train every candidate and keep the one that the validation orderings like best; a finished run is taken up.

    Parameters
    ----------
    fitted
        Labelled frames.
    choosing
        Labelled frames of other orderings: they choose the epoch and the candidate.
    base
        Settings that candidates share.
    config
        Candidates.
    folder
        Where trainings stand, one subfolder for each set of frames and settings.
    progress
        Told after each epoch.

    Returns
    -------
    The model and what was chosen.

    Raises
    ------
    DataError
        If every candidate diverged.
    """
    best: tuple[float, Path, str] | None = None
    start = [hash_file(path) for path in model_files(base["start_from"])] if "start_from" in base else []
    for rate in config.learning_rates:
        for epochs in config.epochs:
            values = base | {"learning_rate": rate, "epochs": epochs, "name": "alloy", "stage_two": None}
            key = hash_value(
                [values, start, [[_frame_key(frame) for frame in some] for some in (fitted, choosing)]]
            )
            inside = folder / key
            files = {"fitted": fitted, "choosing": choosing}
            for name, frames in files.items():
                if not (inside / f"{name}.extxyz").is_file():
                    write_frames(inside / f"{name}.extxyz", list(frames))
            data, valid = (str(inside / f"{name}.extxyz") for name in files)
            settings = TrainConfig.parse(values | {"data": [data], "valid_file": valid, "test_fraction": 0.0})
            result = train(settings, inside / "run", progress=progress)
            error = float(result["metrics"]["energy_mae"] or np.inf)
            if result["converged"] and (best is None or error < best[0]):
                best = (error, inside / "run", f"rate {rate:g}, {epochs} epochs")
    if best is None:
        raise DataError("Every training diverged.", fix="lower the learning rates")
    specs = [f"{card['kind']}:{best[1] / card['file']}" for card in read_record(best[1])["details"]["cards"]]
    return load(specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"), best[2]


def _frame_key(frame: Atoms) -> list[Any]:
    forces = frame.arrays.get(FORCES)
    return [hash_structure(frame), float(frame.info[ENERGY]), None if forces is None else forces.tolist()]
