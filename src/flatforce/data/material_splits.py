"""Splits of a dataset in which no material, and no near copy, stands on two sides."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.data.curation.duplicates import near_duplicates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

PARTS = ("train", "valid", "test")


class SplitConfig(Config):
    """How frames are parted; one of `ratios`, `folds` and `leave_out`."""

    ratios: tuple[float, float, float] | None = Field((0.9, 0.05, 0.05))
    """Shares of training, validation and test frames."""
    folds: PositiveInt | None = None
    """k of a k-fold split."""
    leave_out: str | None = None
    """Element whose materials are all held out."""
    stratify: Literal["element", "none"] = "element"
    """Whether every element gets its share in each part."""
    duplicates: PositiveFloat = 0.01
    """Å. Materials that share a near copy stay together."""
    seed: int = 0
    """Of the order among equals."""

    @model_validator(mode="after")
    def _consistent(self) -> SplitConfig:
        if self.ratios is not None and (min(self.ratios) < 0 or abs(sum(self.ratios) - 1) > 1e-9):
            raise ValueError("ratios are not negative and sum to 1")
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
        If there are fewer materials than parts.
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
    else:
        chosen = _assign(frames, members, shares, config)
    parts = {
        name: sorted(hash_structure(frames[i]) for g, k in chosen.items() if k == part for i in members[g])
        for part, name in enumerate(names)
    }
    content: dict[str, Any] = {"settings": config.model_dump(mode="json"), "parts": parts}
    return content | {"hash": hash_value(content)}


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
    names = [str(frame.info.get("material", frame.get_chemical_formula())) for frame in frames]
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
    """Give each group to the part that lacks its rarest element most; large groups first.

    After K. Sechidis, G. Tsoumakas, I. Vlahavas, On the stratification of multi-label data (ECML 2011).
    """
    rng = np.random.default_rng(config.seed)
    elements = {
        g: set(frames[inside[0]].get_chemical_symbols()) if config.stratify == "element" else {"all"}
        for g, inside in members.items()
    }
    total: Counter[str] = Counter()
    for g, inside in members.items():
        total.update(dict.fromkeys(elements[g], len(inside)))
    lacking = [{element: share * count for element, count in total.items()} for share in shares]
    order = list(members)
    rng.shuffle(order)
    order.sort(key=lambda g: (min(total[e] for e in elements[g]), -len(members[g])))
    chosen: dict[int, int] = {}
    for g in order:
        rarest = min(elements[g], key=lambda e: (total[e], e))
        part = max(range(len(shares)), key=lambda k: (lacking[k][rarest], sum(lacking[k].values())))
        chosen[g] = part
        for element in elements[g]:
            lacking[part][element] -= len(members[g])
    return chosen
