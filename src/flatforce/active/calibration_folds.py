"""Committees that each leave another part of what is known out, so that nearly all of it calibrates the doubt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flatforce.active.calibration import check_enough
from flatforce.active.samplers import DYNAMICS
from flatforce.data.frames import ISOLATED, config_type
from flatforce.data.material_splits import material_groups
from flatforce.data.splits import ENOUGH, together
from flatforce.models.training.data import species_of
from flatforce.active.calibration_split import go_on, set_aside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig

NEAR = 0.01
"""Å. Materials that share a near copy stay together."""


def part(config: LearnConfig, batches: Sequence[Sequence[Atoms]]) -> list[tuple[list[Atoms], list[Atoms]]]:
    """Part what is known as often as there are `calibration_folds`.

    Parameters
    ----------
    config
        Settings.
    batches
        Labelled frames to begin with, then those of each round.

    Returns
    -------
    Frames that are fitted and those that are not, for each committee. For the first as `set_aside` tells; for the others
    what the first one fits is dealt out, by config type and in whole trajectories, or by material. None leaves more than its
    share out, nor what a force field cannot be asked without: the last frames of a species or of a config type. Such
    frames, and those that dynamics on the fly asked for, are fitted by all.

    Raises
    ------
    DataError
        If none can be set aside, or too few to calibrate the doubt: told before anything is trained.
    """
    fitted, aside = set_aside(config, batches)
    found = [(fitted, aside)]
    for units in _dealt(config, fitted, aside):
        out = _judgeable(config, fitted, aside, units)
        if out:
            rest = [frame for k, frame in enumerate(fitted) if k not in out]
            found.append(([*rest, *aside], [fitted[k] for k in sorted(out)]))
    check_enough(sum(len(frame) for _, left_out in found for frame in left_out))
    return found


def _dealt(config: LearnConfig, fitted: list[Atoms], aside: list[Atoms]) -> list[list[set[int]]]:
    """Deal places of fitted frames out, a trajectory or material at a time, to where fewest of its kind are."""
    every = [*fitted, *aside]
    by_material = config.train.hold_out == "material"
    groups = material_groups(every, tolerance=NEAR) if by_material else []
    kinds = [str(group) for group in groups] or [config_type(frame) for frame in every]
    most = math.ceil(config.set_aside * len(every))
    parts: list[list[set[int]]] = [[] for _ in range(config.calibration_folds - 1)]
    rng = np.random.default_rng([config.seed, config.calibration_folds])
    never = {ISOLATED, DYNAMICS} if go_on(config) else {ISOLATED}
    for kind in sorted(set(kinds)) if parts else []:
        mine = [k for k in range(len(fitted)) if kinds[k] == kind and config_type(fitted[k]) not in never]
        if not mine or (not by_material and kinds.count(kind) < ENOUGH):
            continue
        longest = math.ceil(config.set_aside * kinds.count(kind))
        units = [mine] if by_material else together(fitted, mine, longest=longest)
        for k in rng.permutation(len(units)):
            free = [one for one in parts if _count(one) + len(units[k]) <= most]
            if free:
                min(free, key=lambda one: (_count(one, mine), _count(one))).append(set(units[k]))
    return parts


def _count(units: Sequence[set[int]], among: Sequence[int] | None = None) -> int:
    return sum(len(unit if among is None else unit.intersection(among)) for unit in units)


def _judgeable(
    config: LearnConfig, fitted: list[Atoms], aside: list[Atoms], units: Sequence[set[int]]
) -> set[int]:
    """Leave out what a committee trained on the rest can be asked about."""
    out = set().union(*units)
    for unit in units:
        here = [fitted[k] for k in unit]
        rest = [frame for k, frame in enumerate(fitted) if k not in out] + aside
        rest = [frame for frame in rest if config_type(frame) != ISOLATED]
        kinds = {config_type(frame) for frame in here}
        if config.train.hold_out == "material":
            kinds &= set(config.train.type_weights)
        if not (species_of(here) <= species_of(rest) and kinds <= {config_type(frame) for frame in rest}):
            out -= unit
    return out
