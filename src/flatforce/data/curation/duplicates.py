"""Near-duplicate frames, whatever their orientation, origin and order of atoms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

NEIGHBOURS: Final = 6
"""Number of nearest-neighbour distances of each atom in a fingerprint."""

CUTOFFS: Final = (4.0, 8.0, 16.0)
"""Å. Cutoffs of the neighbour search, tried in turn until every atom has `NEIGHBOURS` neighbours."""


def fingerprint(frame: Atoms) -> FloatArray:
    """Describe a frame by its shortest interatomic distances.

    The fingerprint does not depend on the orientation, the origin and the order of atoms.

    Parameters
    ----------
    frame
        A structure.

    Returns
    -------
    (6 N,) Å; for each species, the sorted distances of its atoms to their six nearest neighbours.
    """
    for cutoff in CUTOFFS:
        positions, images = _with_images(frame, cutoff)
        # the nearest point is the atom itself
        nearest = cKDTree(images).query(positions, k=NEIGHBOURS + 1, distance_upper_bound=cutoff)[0][:, 1:]
        if np.isfinite(nearest).all():
            break
    table = np.where(np.isfinite(nearest), nearest, CUTOFFS[-1])
    blocks = [np.sort(table[frame.numbers == z], axis=0).ravel() for z in np.unique(frame.numbers)]
    distances: FloatArray = np.concatenate(blocks)
    return distances


def _with_images(frame: Atoms, cutoff: float) -> tuple[FloatArray, FloatArray]:
    """Positions, wrapped into the cell, and those of all periodic images within a cutoff of the cell."""
    periodic = np.asarray(frame.pbc) & frame.cell.any(axis=1)
    if not periodic.any():
        return frame.positions, frame.positions
    cell = frame.cell.complete().array
    fractional = frame.positions @ np.linalg.inv(cell)
    fractional[:, periodic] %= 1.0
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    counts = np.where(periodic, np.ceil(cutoff / heights), 0).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in counts), indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    images: FloatArray = ((fractional[None] + shifts[:, None]) @ cell).reshape(-1, 3)
    return fractional @ cell, images


def mean_distances(frame: Atoms, distances: FloatArray | None = None) -> FloatArray:
    """Average the fingerprint over the atoms of each species.

    The averages are those of any supercell of the frame too. They differ by no more than the largest difference of the distances, so
    that they find every near-duplicate.

    Parameters
    ----------
    frame
        A structure.
    distances
        Its fingerprint; computed if None.

    Returns
    -------
    (6 S,) Å, for each of S species the mean distance of its atoms to their nearest, second nearest … neighbour.
    """
    rows = (fingerprint(frame) if distances is None else distances).reshape(-1, NEIGHBOURS)
    ends = np.cumsum(np.unique(frame.numbers, return_counts=True)[1])
    means: FloatArray = np.concatenate([block.mean(axis=0) for block in np.split(rows, ends[:-1])])
    return means


def find_near_duplicates(
    frames: Sequence[Atoms], *, tolerance: float, with_supercells: bool = False
) -> dict[int, int]:
    """Find frames of the same formula whose fingerprints agree within a tolerance.

    Parameters
    ----------
    frames
        Structures.
    tolerance
        Largest difference of a distance, in Å.
    with_supercells
        Whether a supercell of a frame is a duplicate of it.

    Returns
    -------
    Index of each duplicate → index of the earlier frame that it repeats.
    """
    groups: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        formula = frame.symbols.formula.reduce()[0] if with_supercells else frame.symbols.formula
        groups.setdefault(f"{formula:hill}", []).append(index)
    originals: dict[int, int] = {}
    for members in groups.values():
        fingerprints = [fingerprint(frames[index]) for index in members]
        means = [
            mean_distances(frames[index], distances)
            for index, distances in zip(members, fingerprints, strict=True)
        ]
        for duplicate, original in _close_pairs(fingerprints, np.array(means), tolerance):
            if members[original] not in originals:
                originals.setdefault(members[duplicate], members[original])
    return originals


def _close_pairs(
    fingerprints: Sequence[FloatArray], means: FloatArray, tolerance: float
) -> list[tuple[int, int]]:
    """Find pairs (later, earlier) whose largest difference is below the tolerance, in the order of the later index."""
    tree = cKDTree(means)
    pairs: list[tuple[int, int]] = []
    for index, candidates in enumerate(tree.query_ball_point(means, tolerance, p=np.inf)):
        pairs += [
            (index, k)
            for k in sorted(candidates)
            if k < index and _largest_difference(fingerprints[index], fingerprints[k]) < tolerance
        ]
    return pairs


def _largest_difference(first: FloatArray, second: FloatArray) -> float:
    """Compare two fingerprints, each repeated until both have as many atoms."""
    if len(first) != len(second):
        length = math.lcm(len(first), len(second))
        first, second = (
            np.repeat(values.reshape(-1, NEIGHBOURS), length // len(values), axis=0).ravel()
            for values in (first, second)
        )
    return float(np.abs(first - second).max())
