"""Splits of a dataset in which no material, and no near copy, stands on two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.data.curation.duplicates import near_duplicates
from flatforce.data.frames import material_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

PARTS = ("train", "valid", "test")

ENOUGH = 3
"""Materials without an element of their own from which one is held out."""

PASSES = 50
"""Rounds over all groups; most sets settle in less than ten."""


class SplitConfig(Config):
    """How frames are parted: by `ratios`, unless `folds` or `leave_out` is given."""

    ratios: tuple[float, float, float] | None = Field((0.9, 0.05, 0.05))
    """Shares of training, validation and test frames."""
    folds: PositiveInt | None = None
    """k of a k-fold split."""
    leave_out: str | None = None
    """Element whose materials are all held out."""
    stratify: Literal["element", "composition", "none"] = "element"
    """Whether every element, or every reduced formula, gets its share in each part."""
    duplicates: PositiveFloat = 0.01
    """Å. Materials that share a near copy stay together."""
    seed: int = 0
    """Of the order among equals."""

    @model_validator(mode="after")
    def _consistent(self) -> SplitConfig:
        if self.ratios is not None and (min(self.ratios) < 0 or abs(sum(self.ratios) - 1) > 1e-9):
            raise ValueError("ratios are not negative and sum to 1")
        if self.folds is not None and self.leave_out is not None:
            raise ValueError("give folds or leave_out, not both")
        return self


def split_by_material(frames: Sequence[Atoms], config: SplitConfig) -> dict[str, Any]:
    """Part frames by material.

    Parameters
    ----------
    frames
        Frames with `material` in `info`; the formula stands in where it is missing.
    config
        How.

    Returns
    -------
    Part → content hashes of its frames, the settings, and `hash` over all of it.

    Raises
    ------
    DataError
        If there are fewer materials than parts, or all or none hold the element that is left out.
    """
    groups = material_groups(frames, tolerance=config.duplicates)
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    names, shares = _parts(config)
    if len(members) < sum(share > 0 for share in shares):
        raise DataError(
            f"There are {len(members)} materials for {len(names)} parts.",
            why="a material stands in one part only",
            fix="add materials, or train with a split of frames inside each config type (flatforce train)",
        )
    if config.leave_out is not None:
        chosen = {
            g: int(any(config.leave_out in frames[i].symbols for i in inside))
            for g, inside in members.items()
        }
        if len(set(chosen.values())) < 2:
            raise DataError(
                f"{'Every' if any(chosen.values()) else 'No'} material holds {config.leave_out}.",
                why="a part of the split would be empty",
                fix="name an element that some materials hold, by its symbol",
            )
    else:
        chosen = _assign(frames, members, shares, config)
    parts = {
        name: sorted(hash_structure(frames[i]) for g, k in chosen.items() if k == part for i in members[g])
        for part, name in enumerate(names)
    }
    content: dict[str, Any] = {"settings": config.model_dump(mode="json"), "parts": parts}
    return content | {"hash": hash_value(content)}


def hold_out_materials(frames: Sequence[Atoms], *, fraction: float, seed: int) -> list[int]:
    """Choose materials that are held out with all their frames.

    Parameters
    ----------
    frames
        Frames with `material` in `info`.
    fraction
        Share held out, so that every element keeps about that share.
    seed
        Of the choice.

    Returns
    -------
    Sorted indices of the frames held out; a material with an element that no other has is never among them.

    Raises
    ------
    DataError
        If fewer than three materials could be held out.
    """
    if fraction <= 0:
        return []
    names = [material_of(frame) for frame in frames]
    owners: dict[str, set[str]] = {}
    for frame, name in zip(frames, names, strict=True):
        for symbol in set(frame.get_chemical_symbols()):
            owners.setdefault(symbol, set()).add(name)
    lonely = {next(iter(found)) for found in owners.values() if len(found) == 1}
    free = [i for i, name in enumerate(names) if name not in lonely]
    if len({names[i] for i in free}) < ENOUGH:
        raise DataError(
            f"Of {len(set(names))} materials, {len(lonely)} hold an element that no other has.",
            why="a force field cannot be judged on an element that it has not learnt",
            fix="add materials, set hold_out: config_type, or give validation frames as valid_file",
        )
    chosen = [frames[i] for i in free]
    parted = split_by_material(chosen, SplitConfig(ratios=(1 - fraction, 0.0, fraction), seed=seed))
    hashes = set(parted["parts"]["test"])
    out = {names[i] for i in free if hash_structure(frames[i]) in hashes}
    for name in sorted(out):  # both owners of an element may have been chosen
        elements = {s for frame, own in zip(frames, names, strict=True) if own == name for s in frame.symbols}
        if len(out) > 1 and any(owners[symbol] <= out for symbol in elements):
            out.discard(name)
    return [i for i, name in enumerate(names) if name in out]


def _parts(config: SplitConfig) -> tuple[list[str], list[float]]:
    if config.leave_out is not None:
        return ["train", "test"], [0.5, 0.5]
    if config.folds is not None:
        return [f"fold-{k}" for k in range(config.folds)], [1 / config.folds] * config.folds
    return list(PARTS), list(config.ratios or (0.9, 0.05, 0.05))


def material_groups(frames: Sequence[Atoms], *, tolerance: float) -> list[int]:
    """Join frames of one material, and materials that share a near copy.

    Parameters
    ----------
    frames
        Frames.
    tolerance
        Å, of a near copy.

    Returns
    -------
    Number of the group of each frame.
    """
    names = [material_of(frame) for frame in frames]
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for copy, first in near_duplicates(frames, tolerance=tolerance).items():
        parent[root(names[copy])] = root(names[first])
    number = {name: k for k, name in enumerate(dict.fromkeys(root(name) for name in names))}
    return [number[root(name)] for name in names]


def _assign(
    frames: Sequence[Atoms], members: dict[int, list[int]], shares: Sequence[float], config: SplitConfig
) -> dict[int, int]:
    """Move groups between parts as long as that brings sizes and shares of strata nearer to what is wanted.

    Each stratum, and the whole, pulls with Σ_k (found share − s_k)² / s_k.
    """
    rng = np.random.default_rng(config.seed)
    open_parts = [k for k, share in enumerate(shares) if share > 0]
    wanted = np.array([shares[k] for k in open_parts])
    strata = [_strata(frame, config.stratify) for frame in frames]
    names = sorted(set().union(*strata))
    groups = list(members)
    table = np.zeros((len(groups), 1 + len(names)))
    for row, g in enumerate(groups):
        inside = members[g]
        table[row, 0] = len(inside)
        for column, name in enumerate(names, start=1):
            table[row, column] = sum(name in strata[i] for i in inside)
    table /= table.sum(axis=0)
    table[:, 0] *= max(1, len(names)) ** 0.5
    target = wanted[:, None] * table.sum(axis=0)
    part = rng.choice(len(wanted), size=len(groups), p=wanted)
    found = np.array([table[part == k].sum(axis=0) for k in range(len(wanted))])
    for _ in range(PASSES):
        moved = False
        for row in rng.permutation(len(groups)):
            old = part[row]
            without = found.copy()
            without[old] -= table[row]
            costs = [_cost(without, table[row], k, target, wanted) for k in range(len(wanted))]
            best = int(np.argmin(costs))
            if costs[best] < costs[old] - 1e-12:
                part[row], moved = best, True
                found = without
                found[best] += table[row]
        if not moved:
            break
    _fill_empty(part, table[:, 0], wanted)
    return {g: open_parts[int(k)] for g, k in zip(groups, part, strict=True)}


def _strata(frame: Atoms, kind: str) -> set[str]:
    if kind == "element":
        return set(frame.get_chemical_symbols())
    return {frame.symbols.formula.reduce()[0].format("hill")} if kind == "composition" else set()


def _cost(without: FloatArray, extra: FloatArray, k: int, target: FloatArray, wanted: FloatArray) -> float:
    off = without - target
    off[k] += extra
    return float(((off**2).sum(axis=1) / wanted).sum())


def _fill_empty(part: NDArray[np.int64], sizes: FloatArray, wanted: FloatArray) -> None:
    """Give an empty part the group whose size suits it best, out of a part that has several."""
    for k, share in enumerate(wanted):
        if (part == k).any():
            continue
        crowded = [row for row in range(len(part)) if (part == part[row]).sum() > 1]
        part[min(crowded, key=lambda row: abs(sizes[row] / sizes.sum() - share))] = k
