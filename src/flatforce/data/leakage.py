"""Copies of a frame in several subsets of a split, which turn a test set into a training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from flatforce.data.curation.duplicates import find_near_duplicates, mean_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import BoolArray

COPY_TOLERANCE = 1e-3
"""Å. Frames whose shortest distances agree within it are copies: files of one calculation agree to 1e-5."""


def merge_copies(
    frames: Sequence[Atoms], groups: Sequence[list[int]], *, tolerance: float = COPY_TOLERANCE
) -> list[list[int]]:
    """Unite groups that hold the same structure, whatever its orientation, its origin, the order of its atoms and its supercell.

    Parameters
    ----------
    frames
        All frames.
    groups
        Indices of each group.
    tolerance
        Å, largest difference of the shortest distances of two copies.

    Returns
    -------
    Indices of each group, in the order of its first frame.
    """
    members = [index for group in groups for index in group]
    copies = find_near_duplicates(
        [frames[index] for index in members], tolerance=tolerance, with_supercells=True
    )
    if not copies:
        return list(groups)
    group_of = {index: k for k, group in enumerate(groups) for index in group}
    root = list(range(len(groups)))
    for copy, original in copies.items():
        first, second = (_root(root, group_of[members[k]]) for k in (copy, original))
        root[max(first, second)] = min(first, second)
    united: dict[int, list[int]] = {}
    for k, group in enumerate(groups):
        united.setdefault(_root(root, k), []).extend(group)
    return list(united.values())


def _root(root: Sequence[int], group: int) -> int:
    while root[group] != group:
        group = root[group]
    return group


def copy_warnings(train: Sequence[Atoms], test: Sequence[Atoms]) -> list[str]:
    """Warn of test frames that are in the training set too, as they are, with their atoms in another order, turned, or as a supercell.

    Parameters
    ----------
    train
        Frames of the training set.
    test
        Frames of the test set.

    Returns
    -------
    The warning; empty if there is none.
    """
    copies = find_near_duplicates([*train, *test], tolerance=COPY_TOLERANCE, with_supercells=True)
    count = sum(copy >= len(train) > original for copy, original in copies.items())
    if count == 0:
        return []
    subject = f"{count} of {len(test)} test frames are copies of training frames"
    return [
        f"{subject}, so that their errors are no test errors: remove them, or let test_fraction choose the test set"
    ]


def structure_key(frame: Atoms) -> list[float | str]:
    """Describe a frame for a file of a split, so that its copies are known without its atoms.

    Parameters
    ----------
    frame
        A structure.

    Returns
    -------
    Reduced formula, and the mean shortest distances in Å, which are the same in any orientation, order of atoms and supercell.
    """
    return [_reduced_formula(frame), *(round(float(x), 5) for x in mean_distances(frame))]


def are_copies(frames: Sequence[Atoms], keys: Sequence[Sequence[float | str]]) -> BoolArray:
    """Tell which frames are copies of those that keys describe.

    Parameters
    ----------
    frames
        Structures.
    keys
        Results of `structure_key`.

    Returns
    -------
    (F,) whether the mean shortest distances agree within `COPY_TOLERANCE`.
    """
    by_formula: dict[str, list[Sequence[float | str]]] = {}
    for key in keys:
        by_formula.setdefault(str(key[0]), []).append(key[1:])
    trees = {formula: cKDTree(np.array(rows, dtype=float)) for formula, rows in by_formula.items()}
    copies = np.zeros(len(frames), dtype=bool)
    for k, frame in enumerate(frames):
        tree = trees.get(_reduced_formula(frame))
        if tree is not None:
            copies[k] = bool(tree.query_ball_point(mean_distances(frame), COPY_TOLERANCE, p=np.inf))
    return copies


def _reduced_formula(frame: Atoms) -> str:
    return f"{frame.symbols.formula.reduce()[0]:hill}"
