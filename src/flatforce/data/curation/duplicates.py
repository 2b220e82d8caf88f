"""Frames that are one another's near copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree
from vesin import ase_neighbor_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

NEIGHBOURS: Final = 6
"""Distances of each atom that enter a fingerprint."""

REACH: Final = (4.0, 8.0, 16.0)
"""Å, tried in turn until every atom has `NEIGHBOURS` neighbours."""

COARSE: Final = 6
"""Means that a fingerprint is first compared by; a mean never moves further than its parts."""


def fingerprint(frame: Atoms) -> FloatArray:
    """Describe a frame by its shortest distances, whatever its orientation, origin and order of atoms.

    Parameters
    ----------
    frame
        A structure.

    Returns
    -------
    (6 N) Å: for each species, the sorted distances of its atoms to their six nearest neighbours.
    """
    for reach in REACH:
        i, d = ase_neighbor_list("id", frame, reach)
        counts = np.bincount(i, minlength=len(frame))
        if (counts >= NEIGHBOURS).all() or reach == REACH[-1]:
            break
    table = np.full((len(frame), NEIGHBOURS), REACH[-1])
    order = np.lexsort((d, i))
    i, d = i[order], d[order]
    rank = np.arange(len(i)) - np.concatenate([[0], np.cumsum(counts)])[i]
    near = rank < NEIGHBOURS
    table[i[near], rank[near]] = d[near]
    parts = [np.sort(table[frame.numbers == z], axis=0).ravel() for z in np.unique(frame.numbers)]
    joined: FloatArray = np.concatenate(parts)
    return joined


def near_duplicates(frames: Sequence[Atoms], *, tolerance: float) -> dict[int, int]:
    """Find near copies: the same formula, and no distance of the fingerprint that differs by more than a tolerance.

    Parameters
    ----------
    frames
        Structures.
    tolerance
        Å.

    Returns
    -------
    Index of a copy → index of the earlier frame that it repeats.
    """
    groups: dict[str, list[int]] = {}
    for k, frame in enumerate(frames):
        groups.setdefault(frame.get_chemical_formula(), []).append(k)
    found: dict[int, int] = {}
    for members in groups.values():
        prints = np.array([fingerprint(frames[k]) for k in members])
        for copy, first in _pairs(prints, tolerance):
            if members[first] not in found:
                found.setdefault(members[copy], members[first])
    return found


def _pairs(prints: FloatArray, tolerance: float) -> list[tuple[int, int]]:
    """Pairs (later, earlier) whose largest difference is below the tolerance, in the order of the later one."""
    coarse = np.array([part.mean(axis=1) for part in np.array_split(prints, COARSE, axis=1)]).T
    tree = cKDTree(coarse)
    pairs: list[tuple[int, int]] = []
    for later, near in enumerate(tree.query_ball_point(coarse, tolerance, p=np.inf)):
        earlier = np.array(sorted(k for k in near if k < later), dtype=int)
        if earlier.size:
            close = np.abs(prints[earlier] - prints[later]).max(axis=1) < tolerance
            pairs += [(later, int(k)) for k in earlier[close]]
    return pairs
