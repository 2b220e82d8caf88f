"""Labelled frames as what a training run fits: reference energies, splits, numbers per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.frames import ISOLATED, config_type, get_labels
from flatforce.data.material_splits import hold_out_materials
from flatforce.data.splits import draw
from flatforce.models.atomic_energies import fit_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


def reference_energies(
    frames: Sequence[Atoms], config: TrainConfig, *, species: Sequence[str] | None = None
) -> dict[str, float]:
    """Decide on the energies of single atoms.

    Parameters
    ----------
    frames
        Labelled frames.
    config
        `e0s` says how.
    species
        Those that are wanted; of the frames if not given.

    Returns
    -------
    Species → eV.

    Raises
    ------
    DataError
        If a species is missing, or isolated atoms are asked for and absent.
    """
    wanted = sorted(species or {symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    if isinstance(config.e0s, dict):
        found = dict(config.e0s)
    elif config.e0s == "isolated":
        found = {
            frame.get_chemical_symbols()[0]: get_labels(frame, need_forces=False).energy
            for frame in frames
            if config_type(frame) == ISOLATED and len(frame) == 1
        }
    else:
        known = [frame for frame in frames if set(frame.get_chemical_symbols()) <= set(wanted)]
        energies = [get_labels(frame, need_forces=False).energy for frame in known]
        found = fit_energies(known, energies, wanted)
    missing = [symbol for symbol in wanted if symbol not in found]
    if missing:
        raise DataError(
            f"There is no reference energy for {', '.join(missing)}.",
            fix=f"name them under e0s, add frames with config_type {ISOLATED}, or use e0s: least_squares",
        )
    return {symbol: found[symbol] for symbol in wanted}


def split_validation(
    frames: Sequence[Atoms], *, fraction: float, seed: int, by: str = "config_type"
) -> tuple[list[Atoms], list[Atoms]]:
    """Set frames aside to judge the epochs, within each config type or by material.

    A config type of few frames gives none: the model would lose what it knows of it, and the epochs would be
    judged by one frame that nothing was learnt for.

    Parameters
    ----------
    frames
        Labelled frames.
    fraction
        Share of each config type, rounded; at least one frame in all.
    seed
        Of the choice.
    by
        `config_type`, or `material` for whole materials.

    Returns
    -------
    Training frames and validation frames.

    Raises
    ------
    DataError
        If there are fewer than two frames.
    """
    if len(frames) < 2:
        raise DataError("Training takes two frames or more.", fix="add labelled frames")
    if by == "material":
        aside = set(hold_out_materials(frames, fraction=fraction, seed=seed))  # one at least
        return [f for i, f in enumerate(frames) if i not in aside], [frames[i] for i in sorted(aside)]
    rng = np.random.default_rng(seed)
    groups: dict[str, list[int]] = {}
    for i, frame in enumerate(frames):
        groups.setdefault(config_type(frame), []).append(i)
    chosen: set[int] = set()
    for name in sorted(groups):
        chosen |= set(draw(frames, groups[name], round(fraction * len(groups[name])), rng))
    if not chosen:
        chosen = {int(rng.choice(max(groups.values(), key=len)))}
    train = [frame for i, frame in enumerate(frames) if i not in chosen]
    return train, [frames[i] for i in sorted(chosen)]
