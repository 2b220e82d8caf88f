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
"""Class → determinant, trace and zz element of its rotation matrices; they distinguish the classes of most point groups of a
sheet."""

OTHER_NAMES: Final = {"-62m": "-6m2"}
"""Point groups whose symbols differ between spglib and phonopy's character tables."""


def assign_irreps(
    vectors: FloatArray, groups: Sequence[IntArray], symmetry: Symmetry, cell: FloatArray
) -> list[str]:
    """Assign an irreducible representation to each degenerate set of modes.

    Parameters
    ----------
    vectors
        (3N, 3N) real eigenvectors at Γ, one a column.
    groups
        Indices of the modes of each degenerate set.
    symmetry
        Symmetry operations of the cell with the defect.
    cell
        (3, 3) Å, rows are lattice vectors.

    Returns
    -------
    For each set the Mulliken symbol of its representation, several joined by `+` where the degeneracy is accidental; empty
    where `CLASSES` does not distinguish the classes of the point group. The characters come from phonopy's tables.
    """
    rotations = symmetry.cartesian_rotations(cell)
    table = _characters_of_operations(symmetry.point_group, rotations)
    if not table:
        return [""] * len(groups)
    operation_traces = []
    shaped = vectors.reshape(-1, 3, vectors.shape[1])
    for rotation, images in zip(rotations, symmetry.permutations, strict=True):
        image = np.empty_like(shaped)
        image[images] = np.einsum("ab,ibk->iak", rotation, shaped)
        operation_traces.append(np.einsum("iak,iak->k", shaped, image))
    traces = np.array(operation_traces)
    return [_reduce(traces[:, group].sum(axis=1), table) for group in groups]


def _characters_of_operations(point_group: str, rotations: Sequence[FloatArray]) -> dict[str, FloatArray]:
    """Representation → character of each operation; empty if the classes cannot be distinguished."""
    entries = character_table.get(OTHER_NAMES.get(point_group, point_group))
    if not entries:
        return {}
    names = entries[0]["rotation_list"]
    names = (names,) if isinstance(names, str) else names
    if not set(names) <= set(CLASSES):
        return {}
    signatures = [tuple(round(float(x)) for x in (np.linalg.det(r), np.trace(r), r[2, 2])) for r in rotations]
    keys = [CLASSES[name] for name in names]
    for length in (2, 3):
        short = [key[:length] for key in keys]
        if len(set(short)) == len(short) and {signature[:length] for signature in signatures} == set(short):
            column = [short.index(signature[:length]) for signature in signatures]
            return {
                name: np.atleast_1d(np.array(characters, dtype=float))[column]
                for name, characters in entries[0]["character_table"].items()
            }
    return {}


def _reduce(traces: FloatArray, table: dict[str, FloatArray]) -> str:
    """Reduce a representation: how often each irreducible one is contained in it."""
    names = []
    for name, characters in table.items():
        multiplicity = round(float((traces * characters).sum() / (characters**2).sum()))
        names += [name] * multiplicity
    return "+".join(names)
