"""Splits of a dataset in which no material, or else no trajectory, and no near-duplicate is in two subsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.data.config import SplitConfig
from flatforce.data.curation.duplicates import find_near_duplicates
from flatforce.data.frames import material_of
from flatforce.data.leakage import merge_copies
from flatforce.data.splits import find_trajectories
from flatforce.data.stratification import assign_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

SUBSETS = ("train", "valid", "test")

MIN_MATERIALS = 3
"""Smallest number of materials that can be held out from which one is."""


def split_by_material(frames: Sequence[Atoms], config: SplitConfig) -> dict[str, Any]:
    """Split frames into subsets that share no material, or no trajectory or copy where there are too few materials.

    Parameters
    ----------
    frames
        Frames with `material` in `info`; the formula is used where it is missing.
    config
        Settings.

    Returns
    -------
    `subsets`: name of each subset → sorted content hashes of its frames; `by`, what is in one subset as a whole: `material`,
    `trajectory` or `frame`; `settings`; and `hash` of these.

    Raises
    ------
    DataError
        If there are fewer frames than subsets, or all or no materials contain the element that is left out.
    """
    names, fractions = _subsets(config)
    by, groups = _choose_groups(frames, config, sum(fraction > 0 for fraction in fractions))
    if config.leave_out is None:
        assignment = assign_groups(frames, groups, fractions, stratify=config.stratify, seed=config.seed)
    else:
        assignment = _leave_element_out(frames, groups, config.leave_out)
    subsets = {
        name: sorted(
            hash_structure(frames[index])
            for members, subset in zip(groups, assignment, strict=True)
            if subset == k
            for index in members
        )
        for k, name in enumerate(names)
    }
    content: dict[str, Any] = {"settings": config.model_dump(mode="json"), "by": by, "subsets": subsets}
    return content | {"hash": hash_value(content)}


def _choose_groups(
    frames: Sequence[Atoms], config: SplitConfig, n_subsets: int
) -> tuple[str, list[list[int]]]:
    """Group frames by material; by trajectory if there are fewer materials than subsets, and else one by one."""
    materials: dict[int, list[int]] = {}
    for index, group in enumerate(material_groups(frames, tolerance=config.duplicates)):
        materials.setdefault(group, []).append(index)
    trajectories = find_trajectories(frames)
    others = set(range(len(frames))).difference(*trajectories)
    choices = {"material": list(materials.values())}
    if config.leave_out is None:
        choices["trajectory"] = (
            [*trajectories, *([index] for index in sorted(others))] if trajectories else []
        )
        choices["frame"] = [[index] for index in range(len(frames))]
    for by, groups in choices.items():
        merged = groups if by == "material" else merge_copies(frames, groups, tolerance=config.duplicates)
        if len(merged) >= n_subsets:
            return by, merged
    raise DataError(
        f"There are {len(materials)} materials and {len(frames)} frames for {n_subsets} subsets.",
        why="near-duplicates, and for leave_out all frames of a material, belong to the same subset",
        fix="add frames, or ask for fewer subsets",
    )


def _subsets(config: SplitConfig) -> tuple[list[str], list[float]]:
    """Return the name of each subset and the fraction of frames it should hold."""
    if config.leave_out is not None:
        return ["train", "test"], [0.5, 0.5]
    if config.folds is not None:
        return [f"fold-{k}" for k in range(config.folds)], [1 / config.folds] * config.folds
    return list(SUBSETS), list(config.ratios or (0.9, 0.05, 0.05))


def _leave_element_out(frames: Sequence[Atoms], groups: Sequence[list[int]], element: str) -> list[int]:
    """Assign groups that contain an element to subset 1 (test), the others to subset 0 (train)."""
    assignment = [int(any(element in frames[index].symbols for index in members)) for members in groups]
    if len(set(assignment)) < 2:
        raise DataError(
            f"{'Every' if any(assignment) else 'No'} material holds {element}.",
            why="a subset of the split would be empty",
            fix="name an element that some of the materials contain, by its symbol: --leave-out Te",
        )
    return assignment


def hold_out_materials(frames: Sequence[Atoms], *, fraction: float, seed: int) -> list[int]:
    """Choose materials that are held out with all their frames.

    Every element of a held-out material occurs in the training set.

    Parameters
    ----------
    frames
        Frames with `material` in `info`.
    fraction
        Fraction of the frames that is held out, about the same for every element.
    seed
        Seed of the choice.

    Returns
    -------
    Sorted indices of the held-out frames.

    Raises
    ------
    DataError
        If fewer than three materials could be held out.
    """
    if fraction <= 0:
        return []
    names = [material_of(frame) for frame in frames]
    materials_with = _materials_by_element(frames, names)
    indispensable = {next(iter(materials)) for materials in materials_with.values() if len(materials) == 1}
    candidates = [index for index, name in enumerate(names) if name not in indispensable]
    if len({names[index] for index in candidates}) < MIN_MATERIALS:
        raise DataError(
            f"Of {len(set(names))} materials, {len(indispensable)} contain an element that no other contains.",
            why="a force field cannot be tested on an element that is not in the training set",
            fix="add materials, set hold_out: config_type, or give validation frames as valid_file",
        )
    split = split_by_material(
        [frames[index] for index in candidates],
        SplitConfig(ratios=(1 - fraction, 0.0, fraction), seed=seed),
    )
    test_hashes = set(split["subsets"]["test"])
    held_out = {names[index] for index in candidates if hash_structure(frames[index]) in test_hashes}
    held_out = _return_last_of_element(held_out, materials_with)
    return [index for index, name in enumerate(names) if name in held_out]


def _materials_by_element(frames: Sequence[Atoms], names: Sequence[str]) -> dict[str, set[str]]:
    """Map each element to the materials that contain it."""
    materials: dict[str, set[str]] = {}
    for frame, name in zip(frames, names, strict=True):
        for symbol in set(frame.get_chemical_symbols()):
            materials.setdefault(symbol, set()).add(name)
    return materials


def _return_last_of_element(held_out: set[str], materials_with: dict[str, set[str]]) -> set[str]:
    """Return materials to the training set until it contains every element; at least one stays held out."""
    remaining = set(held_out)
    for name in sorted(held_out):
        elements = [symbol for symbol, materials in materials_with.items() if name in materials]
        if len(remaining) > 1 and any(materials_with[symbol] <= remaining for symbol in elements):
            remaining.discard(name)
    return remaining


def material_groups(frames: Sequence[Atoms], *, tolerance: float) -> list[int]:
    """Group materials that share a near-duplicate frame and so must be in the same subset.

    Parameters
    ----------
    frames
        Frames.
    tolerance
        Tolerance of a near-duplicate, in Å.

    Returns
    -------
    Number of the group, from 0, of each frame; frames of one material have the same number.
    """
    names = [material_of(frame) for frame in frames]
    parent = {name: name for name in names}

    def find_root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for duplicate, original in find_near_duplicates(frames, tolerance=tolerance).items():
        parent[find_root(names[duplicate])] = find_root(names[original])
    roots = [find_root(name) for name in names]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    return [numbers[root] for root in roots]
