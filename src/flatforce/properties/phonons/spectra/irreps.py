"""Irreducible representations of Γ modes under the site group of a defect, from their characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from phonopy.phonon.character_table import character_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.structures.symmetry import Symmetry

CLASSES: Final = {
    "E": (1, 3, 1),
    "C2": (1, -1, 1),
    "C2'": (1, -1, -1),
    "C'2": (1, -1, -1),
    "C3": (1, 0, 1),
    "C4": (1, 1, 1),
    "C6": (1, 2, 1),
    "i": (-1, -3, -1),
    "sgh": (-1, 1, -1),
    "sgv": (-1, 1, 1),
    "sgd": (-1, 1, 1),
    "S3": (-1, -2, -1),
    "S6": (-1, 0, -1),
}
"""Determinant, trace, and what becomes of the normal: they tell the classes of most groups of a sheet apart."""

OTHER_NAMES: Final = {"-62m": "-6m2"}
"""Point groups that spglib and phonopy's tables spell differently."""


def irreps(
    vectors: FloatArray, groups: Sequence[IntArray], symmetry: Symmetry, cell: FloatArray
) -> list[str]:
    """Name the representation of each degenerate set.

    Parameters
    ----------
    vectors
        (3N, 3N) real eigenvectors at Γ, columns.
    groups
        Modes of each degenerate set.
    symmetry
        Operations of the cell with the defect.
    cell
        (3, 3) Å.

    Returns
    -------
    One name a set, several joined by `+` where the set is degenerate by chance; empty where determinant, trace and
    normal do not tell the classes of the group apart. Characters: phonopy's tables.
    """
    turns = symmetry.turns(cell)
    table = _characters_of_operations(symmetry.point_group, turns)
    if not table:
        return [""] * len(groups)
    moved = []
    shaped = vectors.reshape(-1, 3, vectors.shape[1])
    for turn, images in zip(turns, symmetry.permutations, strict=True):
        image = np.empty_like(shaped)
        image[images] = np.einsum("ab,ibk->iak", turn, shaped)
        moved.append(np.einsum("iak,iak->k", shaped, image))
    traces = np.array(moved)
    return [_name(traces[:, group].sum(axis=1), table) for group in groups]


def _characters_of_operations(point_group: str, turns: Sequence[FloatArray]) -> dict[str, FloatArray]:
    """Representation → character of each operation; empty if the classes cannot be told apart."""
    entries = character_table.get(OTHER_NAMES.get(point_group, point_group))
    if not entries:
        return {}
    names = entries[0]["rotation_list"]
    names = (names,) if isinstance(names, str) else names
    if not set(names) <= set(CLASSES):
        return {}
    signs = [tuple(round(float(x)) for x in (np.linalg.det(t), np.trace(t), t[2, 2])) for t in turns]
    keys = [CLASSES[name] for name in names]
    for length in (2, 3):
        short = [key[:length] for key in keys]
        if len(set(short)) == len(short) and {sign[:length] for sign in signs} == set(short):
            column = [short.index(sign[:length]) for sign in signs]
            return {
                name: np.atleast_1d(np.array(characters, dtype=float))[column]
                for name, characters in entries[0]["character_table"].items()
            }
    return {}


def _name(traces: FloatArray, table: dict[str, FloatArray]) -> str:
    found = []
    for name, characters in table.items():
        times = round(float((traces * characters).sum() / (characters**2).sum()))
        found += [name] * times
    return "+".join(found)
