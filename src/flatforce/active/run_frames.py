"""Frames of an active-learning run: the initial training set, the test set, the pool, and the sheets of the samplers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.calibration_split import hold_out_frames
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.models.training.data import species_of
from flatforce.structures.defects import build_defect, place_defect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig

MIN_INITIAL_FRAMES: Final = 4
"""Fewest initial frames: some train the members, some calibrate their uncertainty."""


@dataclass(frozen=True)
class LabelledFrames:
    """Labelled frames of a run; no frame, and no copy of one, is in two of the lists."""

    initial: list[Atoms]
    """The initial training set."""
    test: list[Atoms]
    """The test set, which no force field of the run is trained on."""
    pool: list[Atoms]
    """Labelled candidates of a retrospective study; empty where samplers generate candidates."""


@dataclass(frozen=True)
class RunFrames:
    """All structures of a run."""

    labelled: LabelledFrames
    """Initial training set, test set and pool."""
    sheets: list[Atoms] = field(default_factory=list)
    """Structures from which the samplers start."""
    primitive: Atoms | None = None
    """Primitive cell in which random defects are built."""
    path_ends: list[tuple[Atoms, Atoms]] = field(default_factory=list)
    """First and last structure of each path of minimum energy."""
    target: Atoms | None = None
    """The cell whose property counts for `strategy: property`."""
    pristine: Atoms | None = None
    """The pristine sheet that its energy is compared with."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """Name of each file → hash of its content."""


def divide_frames(
    config: LearnConfig,
    initial: dict[str, Atoms],
    pool: dict[str, Atoms],
    test: Sequence[Atoms] | None,
) -> LabelledFrames:
    """Divide the labelled frames of a run.

    Parameters
    ----------
    config
        Settings.
    initial
        Content hash → frame, of the files of `initial`.
    pool
        Content hash → frame, of the files of `pool`.
    test
        The test set; None draws it from `initial` and `pool`.

    Returns
    -------
    Initial training set, test set and pool.

    Raises
    ------
    DataError
        If one of them has too few frames.
    """
    if test is None:
        candidates = list((initial | pool).values())
        test = [candidates[k] for k in hold_out_frames(config, candidates, config.test_fraction)]
    test_hashes = {hash_structure(frame) for frame in test}
    training = [frame for key, frame in initial.items() if key not in test_hashes]
    if config.n_initial is not None and config.n_initial < len(training):
        drawn_indices = np.random.default_rng(config.seed).permutation(len(training))[: config.n_initial]
        training = [training[k] for k in sorted(drawn_indices)]
    excluded = test_hashes | {hash_structure(frame) for frame in training}
    if len(training) < MIN_INITIAL_FRAMES or not test:
        raise DataError(
            f"The initial training set has {len(training)} frames and the test set {len(test)}, which is too few.",
            why=f"{MIN_INITIAL_FRAMES} initial frames and one test frame are needed",
            fix="add labelled frames to `initial`, or give a file of frames as `test`",
        )
    remaining = [frame for key, frame in pool.items() if key not in excluded]
    if config.pool and not remaining:
        raise DataError(
            "No frame is left in the pool.",
            why="all of its frames are in the initial training set or in the test set",
            fix="name other frames under `pool`, or set a smaller `n_initial`",
        )
    return LabelledFrames(training, list(test), remaining)


def check_species(frames: RunFrames, config: LearnConfig) -> None:
    """Check that each species occurs in the initial training set.

    Parameters
    ----------
    frames
        All structures of the run.
    config
        Settings; the defects of the sampler are built.

    Raises
    ------
    DataError
        If a structure has a species that no initial frame has: the force field would have no energy for it.
    """
    trained_species = species_of(frames.labelled.initial)
    sources = {
        "the test set": frames.labelled.test,
        "the pool": frames.labelled.pool,
        "`structures`": frames.sheets,
        "the target": [] if frames.target is None else [frames.target],
        "`sampling.paths`": [frame for ends in frames.path_ends for frame in ends],
        "`sampling.defects`": _example_defects(frames, config),
    }
    for source, structures in sources.items():
        if unknown := species_of(structures) - trained_species:
            raise DataError(
                f"{', '.join(sorted(unknown))} occurs in {source}, but in no frame of the initial training set.",
                why="a force field knows only the species of the frames that it was trained on",
                fix="add labelled frames with these species to `initial`, or set a larger `n_initial`",
            )


def _example_defects(frames: RunFrames, config: LearnConfig) -> list[Atoms]:
    """Build each defect of the sampler once, at any site."""
    defects, primitive = config.sampling.defects, frames.primitive
    if defects is None or primitive is None:
        return []
    cells = []
    for name in defects.defects:
        placed = place_defect(primitive, defects.supercell, name, occupied=[], rng=np.random.default_rng(0))
        cells.append(build_defect(primitive, defects.supercell, placed).atoms)
    return cells
