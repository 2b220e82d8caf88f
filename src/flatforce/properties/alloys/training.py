"""Trainings inside a split: which orderings validate, and the training run itself, cached on disk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file, hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.core.results import read_record
from flatforce.data.frame_files import write_frames
from flatforce.data.frames import ENERGY, FORCES
from flatforce.models import load
from flatforce.models.spec import model_files
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import IntArray
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.config import EnergyOnlyConfig, FineTuningConfig
    from flatforce.properties.alloys.table import AlloyTable

VALIDATION_FRACTION = 0.2
"""Fraction of the mixed training orderings that select epochs and candidates."""

MIN_FOR_TWO = 6
"""Least number of mixed training orderings of which two or more validate; of fewer, one does."""


@dataclass(frozen=True)
class TrainingFrames:
    """Labelled frames of one training."""

    train: Sequence[Atoms]
    """Frames that are fitted."""
    valid: Sequence[Atoms]
    """Frames of other orderings, which select the epoch and the candidate."""


def validation_rows(table: AlloyTable, train: IntArray) -> IntArray:
    """Select training orderings for validation; end members, whose formation energies are zero, are always fitted.

    Parameters
    ----------
    table
        The table.
    train
        (m,) indices of the training rows.

    Returns
    -------
    (k,) indices of the validation rows, selected by the names of the training rows alone.

    Raises
    ------
    DataError
        If fewer than two training orderings are mixed.
    """
    mixed = sorted(
        (int(row) for row in train if not table.rows[row].end_member), key=lambda row: table.rows[row].name
    )
    if len(mixed) < 2:
        raise DataError(
            f"{len(mixed)} training orderings are too few to train on.",
            why="one of them selects the epoch",
            fix="raise max_cells, so that there are more orderings",
        )
    count = 1 if len(mixed) < MIN_FOR_TWO else max(2, round(VALIDATION_FRACTION * len(mixed)))
    return np.sort(np.random.default_rng(0).permutation(mixed)[:count])


def train_best_candidate(
    frames: TrainingFrames,
    shared_settings: dict[str, Any],
    config: FineTuningConfig | EnergyOnlyConfig,
    *,
    folder: Path,
    progress: Progress = silent,
) -> tuple[Potential, str]:
    """Train every candidate and return the one with the least validation error; a finished run is read from disk.

    Parameters
    ----------
    frames
        Frames that are fitted and that validate.
    shared_settings
        Settings of `flatforce train` that all candidates share.
    config
        Learning rates and epochs of the candidates.
    folder
        Folder of the trainings, with one subfolder for each set of frames and settings.
    progress
        Called after each epoch.

    Returns
    -------
    The model, and the learning rate and epochs that were selected.

    Raises
    ------
    DataError
        If every candidate diverged.
    """
    best: tuple[float, Path, str] | None = None
    start_files = model_files(shared_settings["start_from"]) if "start_from" in shared_settings else []
    start_hashes = [hash_file(path) for path in start_files]
    for rate, epochs in product(config.learning_rates, config.epochs):
        settings = shared_settings | {
            "learning_rate": rate,
            "epochs": epochs,
            "name": "alloy",
            "stage_two": None,
        }
        identities = [[_frame_identity(frame) for frame in group] for group in (frames.train, frames.valid)]
        run_folder = folder / hash_value([settings, start_hashes, identities])
        result = _train_candidate(frames, settings, run_folder, progress)
        error = float(result["metrics"]["energy_mae"] or np.inf)
        if result["converged"] and (best is None or error < best[0]):
            best = (error, run_folder / "run", f"rate {rate:g}, {epochs} epochs")
    if best is None:
        raise DataError("Every training diverged.", fix="lower learning_rates")
    cards = read_record(best[1])["details"]["cards"]
    specs = [f"{card['kind']}:{best[1] / card['file']}" for card in cards]
    return load(specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"), best[2]


def _train_candidate(
    frames: TrainingFrames, settings: dict[str, Any], folder: Path, progress: Progress
) -> dict[str, Any]:
    """Write the frames and train; return the content of `result.json`."""
    files = {name: folder / f"{name}.extxyz" for name in ("train", "valid")}
    for name, path in files.items():
        if not path.is_file():
            write_frames(path, list(getattr(frames, name)))
    data = {"data": [str(files["train"])], "valid_file": str(files["valid"]), "test_fraction": 0.0}
    return train(TrainConfig.parse(settings | data), folder / "run", progress=progress)


def _frame_identity(frame: Atoms) -> list[Any]:
    forces = frame.arrays.get(FORCES)
    return [hash_structure(frame), float(frame.info[ENERGY]), None if forces is None else forces.tolist()]
