"""Which frames the members fit, and which calibrate their doubt: sides that a frame keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flatforce.active.samplers import DYNAMICS
from flatforce.core.errors import DataError
from flatforce.data.frames import ISOLATED, config_type, material_of
from flatforce.data.splits import ENOUGH, together
from flatforce.models.training.data import species_of
from flatforce.studies.learn.material import held_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig


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
        If none can be set aside.
    """
    learnt = [frame for batch in batches for frame in batch]
    aside = _sides(config, batches)
    fitted = species_of(f for k, f in enumerate(learnt) if k not in aside and config_type(f) != ISOLATED)
    aside -= {k for k in aside if not set(learnt[k].symbols) <= fitted}
    if not aside:
        raise DataError(
            f"None of {len(learnt)} frames can be held out to calibrate the doubt.",
            why="one of each config type with three frames or more is, if others hold its species",
            fix="begin with more frames of a kind",
        )
    return [f for k, f in enumerate(learnt) if k not in aside], [learnt[k] for k in sorted(aside)]


def go_on(config: LearnConfig) -> bool:
    """Tell whether dynamics goes on from frames that it asked for, so that these must be fitted.

    Parameters
    ----------
    config
        Settings.

    Returns
    -------
    Whether it does.
    """
    dynamics = config.sampling.dynamics
    return dynamics is not None and dynamics.go_on


def _sides(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> set[int]:
    """Draw from each batch what its config types lack of their share; places in all batches, one after another."""
    first, *later = batches
    aside = set(held_out(config, first, config.set_aside))
    known = list(first)
    for number, batch in enumerate(later, start=1):
        before = len(known)
        known += batch
        free = {
            k for k in range(before, len(known)) if not (go_on(config) and config_type(known[k]) == DYNAMICS)
        }
        if config.train.hold_out == "material":
            aside |= _materials_aside(config, known, before, aside) & free
        else:
            aside |= _paths_aside(config, known, free, aside, number)
    return aside


def _materials_aside(config: LearnConfig, known: Sequence[Atoms], before: int, aside: set[int]) -> set[int]:
    """Keep each material on its side."""
    held = {material_of(known[k]) for k in aside}
    seen = {material_of(frame) for frame in known[:before]}
    drawn = {material_of(known[k]) for k in held_out(config, known, config.set_aside)} - seen
    return {k for k, frame in enumerate(known) if material_of(frame) in held | drawn}


def _paths_aside(
    config: LearnConfig, known: Sequence[Atoms], free: set[int], aside: set[int], number: int
) -> set[int]:
    """Whole trajectories, drawn within each config type until it has its share; one that was begun stays on its side."""
    taken: set[int] = set()
    kinds = [config_type(frame) for frame in known]
    for kind in sorted({kinds[k] for k in free}):
        mine = [k for k, name in enumerate(kinds) if name == kind]
        wanted = math.ceil(config.set_aside * len(mine)) if len(mine) >= ENOUGH else 0
        units = [set(unit) for unit in together(known, mine, longest=wanted)]
        taken |= {k for unit in units if unit & aside for k in unit & free}
        new = [unit for unit in units if unit <= free]
        rng = np.random.default_rng([config.seed, number, *kind.encode()])
        for k in rng.permutation(len(new)):
            if len((aside | taken) & set(mine)) < wanted:
                taken |= new[k]
    return taken
