"""Frames of an active-learning run: what it begins with, what it is judged on, what it may ask for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flatforce.active.samplers import DYNAMICS, PATH
from flatforce.active.uncertainty import check_enough
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file, hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import config_type, material_of, read_frames, read_labelled
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.splits import ENOUGH, hold_out
from flatforce.structures.defects import build_defect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
        test = [every[k] for k in _aside(config, every, config.test_fraction)]
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


def set_aside(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> tuple[list[Atoms], list[Atoms]]:
    """Part what is known into frames that are fitted and frames that stop the members early and calibrate the doubt.

    A frame keeps its side in all rounds, and frames of one path are on one side: neighbours on it are near copies. What
    dynamics on the fly asked for is fitted, for a trajectory goes on from there.

    Parameters
    ----------
    config
        Settings.
    batches
        Labelled frames to begin with, then those of each round.

    Returns
    -------
    Both parts; what is set aside holds no species that is not fitted.

    Raises
    ------
    DataError
        If none can be set aside, or too few to calibrate the doubt: told before anything is trained.
    """
    learnt = [frame for batch in batches for frame in batch]
    aside = _sides(config, batches)
    fitted = _species(frame for k, frame in enumerate(learnt) if k not in aside)
    aside -= {k for k in aside if not set(learnt[k].symbols) <= fitted}
    if not aside:
        raise DataError(
            f"None of {len(learnt)} frames can be held out to calibrate the doubt.",
            why="one of each config type with three frames or more is, if others hold its species",
            fix="begin with more frames of a kind",
        )
    check_enough(sum(len(learnt[k]) for k in aside))
    return [f for k, f in enumerate(learnt) if k not in aside], [learnt[k] for k in sorted(aside)]


def _sides(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> set[int]:
    """Draw from each batch what its config types lack of their share; places in all batches, one after another."""
    first, *later = batches
    aside = set(_aside(config, first, config.calibration_fraction))
    known = list(first)
    dynamics = config.sampling.dynamics
    for number, batch in enumerate(later, start=1):
        before = len(known)
        known += batch
        free = [
            k
            for k in range(before, len(known))
            if not (dynamics is not None and dynamics.go_on and config_type(known[k]) == DYNAMICS)
        ]
        draw = _materials_aside if config.train.hold_out == "material" else _paths_aside
        aside |= draw(config, known, before, free, aside, number)
    return aside


def _materials_aside(
    config: LearnConfig,
    known: Sequence[Atoms],
    before: int,
    free: Sequence[int],
    aside: set[int],
    number: int,
) -> set[int]:
    """Keep each material on its side."""
    del number
    held = {material_of(known[k]) for k in aside}
    seen = {material_of(frame) for frame in known[:before]}
    drawn = {material_of(known[k]) for k in _aside(config, known, config.calibration_fraction)} - seen
    return {k for k in free if material_of(known[k]) in held | drawn}


def _paths_aside(
    config: LearnConfig,
    known: Sequence[Atoms],
    before: int,
    free: Sequence[int],
    aside: set[int],
    number: int,
) -> set[int]:
    """Whole paths, drawn within each config type until it has its share."""
    del before
    taken: set[int] = set()
    kinds = [config_type(frame) for frame in known]
    for kind in sorted({kinds[k] for k in free}):
        mine = {k for k, name in enumerate(kinds) if name == kind}
        wanted = math.ceil(config.calibration_fraction * len(mine)) if len(mine) >= ENOUGH else 0
        paths: dict[str, set[int]] = {}
        for k in sorted(mine & set(free)):
            paths.setdefault(str(known[k].info.get(PATH, k)), set()).add(k)
        rng = np.random.default_rng([config.seed, number, *kind.encode()])
        for name in rng.permutation(sorted(paths)):
            if len((aside | taken) & mine) < wanted:
                taken |= paths[name]
    return taken


def _distinct(names: Sequence[str]) -> dict[str, Atoms]:
    return {hash_structure(frame): frame for name in names for frame in read_labelled(dataset_path(name))}


def _aside(config: LearnConfig, frames: Sequence[Atoms], fraction: float) -> list[int]:
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


def _species(frames: Iterable[Atoms]) -> set[str]:
    return {symbol for frame in frames for symbol in set(frame.symbols)}


def _check_species(found: Material, config: LearnConfig) -> None:
    known = _species(found.start)
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
            build_defect(found.primitive, size, word).atoms for word in defects.defects
        ]
    for place, frames in met.items():
        if unknown := _species(frames) - known:
            raise DataError(
                f"No frame to begin with holds {', '.join(sorted(unknown))}, but {place}: they would have no energy.",
                why="a force field knows the species of the frames that it was trained on",
                fix="add labelled frames of them to `start`, or raise n_start",
            )
