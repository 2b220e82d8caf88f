"""Frames of an active-learning run: what it begins with, what it is judged on, what it may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file, hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_frames, read_labelled
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.splits import hold_out
from flatforce.models.training.data import species_of
from flatforce.structures.defects import build_defect, place_defect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig

FEWEST = 4
"""Frames that a run can begin with: some are fitted, some calibrate the doubt."""


@dataclass(frozen=True)
class Material:
    """Frames of a run; no frame, and no copy of one, is on two sides."""

    start: list[Atoms]
    test: list[Atoms]
    pool: list[Atoms]
    """Labelled candidates; empty where samplers make them."""
    sheets: list[Atoms]
    """Where samplers start."""
    primitive: Atoms | None
    """That random defects are built in."""
    target: Atoms | None
    """The cell whose property counts."""
    pristine: Atoms | None
    """The sheet that its energy is compared with."""
    hashes: dict[str, str]


def gather(config: LearnConfig) -> Material:
    """Read the frames of a run and set the test frames aside.

    Parameters
    ----------
    config
        Settings.

    Returns
    -------
    The frames.

    Raises
    ------
    DataError
        If nothing is left to begin with, or a species is met that no frame to begin with holds.
    """
    start, pool = (_distinct(names) for names in (config.start, config.pool))
    if config.test is not None:
        test = list(_distinct([config.test]).values())
    else:
        every = list((start | pool).values())
        test = [every[k] for k in held_out(config, every, config.test_fraction)]
    never = {hash_structure(frame) for frame in test}
    first = [frame for key, frame in start.items() if key not in never]
    if config.n_start is not None and config.n_start < len(first):
        drawn = np.random.default_rng(config.seed).permutation(len(first))[: config.n_start]
        first = [first[k] for k in sorted(drawn)]
    used = never | {hash_structure(frame) for frame in first}
    if len(first) < FEWEST or not test:
        raise DataError(
            f"{len(first)} frames to begin with and {len(test)} to test on are too few.",
            fix="give more labelled frames under `start`, or frames under `test`",
        )
    defects = config.sampling.defects
    found = Material(
        first,
        test,
        [frame for key, frame in pool.items() if key not in used],
        [frame for name in config.structures for frame in _structures(name)],
        None if defects is None else _structures(defects.primitive)[0],
        None if config.target is None else _structures(config.target.structure)[0],
        _structures(config.target.pristine)[0] if config.target and config.target.pristine else None,
        _hashes(config),
    )
    if config.pool and not found.pool:
        raise DataError(
            "No frame is left in the pool.",
            why="all of them stand among those to begin with or to test on",
            fix="name other frames under `pool`, or fewer under `start` (n_start)",
        )
    _check_species(found, config)
    return found


def _distinct(names: Sequence[str]) -> dict[str, Atoms]:
    return {hash_structure(frame): frame for name in names for frame in read_labelled(dataset_path(name))}


def held_out(config: LearnConfig, frames: Sequence[Atoms], fraction: float) -> list[int]:
    """Draw frames to hold out, by config type or by material as the training does.

    Parameters
    ----------
    config
        Settings.
    frames
        All.
    fraction
        Share.

    Returns
    -------
    Sorted places.
    """
    split = hold_out_materials if config.train.hold_out == "material" else hold_out
    return split(frames, fraction=fraction, seed=config.seed)


def _structures(name: str) -> list[Atoms]:
    path = Path(name)
    found = read_frames(path) if path.is_file() else []
    if not found:
        raise DataError(
            f"There is no structure {name}.", fix="check `structures`, `sampling.defects` and `target`"
        )
    return found


def _hashes(config: LearnConfig) -> dict[str, str]:
    named = [*config.start, *config.pool, *([] if config.test is None else [config.test])]
    plain = list(config.structures)
    plain += [] if config.sampling.defects is None else [config.sampling.defects.primitive]
    plain += [] if config.target is None else [config.target.structure]
    plain += [config.target.pristine] if config.target and config.target.pristine else []
    return {name: hash_file(dataset_path(name)) for name in named} | {
        name: hash_file(Path(name)) for name in plain
    }


def _check_species(found: Material, config: LearnConfig) -> None:
    known = species_of(found.start)
    met = {
        "the test frames": found.test,
        "the pool": found.pool,
        "`structures`": found.sheets,
        "the target": [] if found.target is None else [found.target],
    }
    defects = config.sampling.defects
    if defects is not None and found.primitive is not None:
        size = (defects.size, defects.size)
        met["`sampling.defects`"] = [
            build_defect(
                found.primitive,
                size,
                place_defect(found.primitive, size, word, occupied=[], rng=np.random.default_rng(0)),
            ).atoms
            for word in defects.defects
        ]
    for place, frames in met.items():
        if unknown := species_of(frames) - known:
            raise DataError(
                f"No frame to begin with holds {', '.join(sorted(unknown))}, but {place}: they would have no energy.",
                why="a force field knows the species of the frames that it was trained on",
                fix="add labelled frames of them to `start`, or raise n_start",
            )
