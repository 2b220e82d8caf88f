"""Force constants row by row, local, of irreducible atoms only.

The engine that is used where the reach of a force field is known: a row takes in the atoms within reach of one atom and
costs the same in every cell; analytic where the model can differentiate its forces, by differences in finite clusters
otherwise. Other force fields go by finite displacements of the whole cell.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.core.files import write_arrays
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.structures.symmetry import Symmetry

CHECKED_ATOMS = 1500
"""Atoms of the largest cell of which a row is computed whole as a check: 3 GB in float64 with 32 channels."""

AGREEMENT = {"float64": 1e-9, "float32": 1e-4}
"""Largest difference of a local row from the whole one, in units of the largest block: round-off, with room for long
sums."""


@dataclass(frozen=True)
class Rows:
    """Rows of some atoms."""

    centres: list[int]
    atoms: list[IntArray]
    """(M,) of each row."""
    blocks: list[FloatArray]
    """(M, 3, 3) eV/Å² of each row."""
    how: str
    """In what way they were computed, from how much of the cell, and where."""
    largest_difference: float | None
    """eV/Å², of the row that was computed from the whole cell as well; None where that is too large."""


def local_rows(
    potential: Potential,
    cell: Atoms,
    centres: Sequence[int],
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Rows | None:
    """Compute rows one after the other, each kept on disk as it comes.

    Parameters
    ----------
    potential
        The force field.
    cell
        A relaxed cell.
    centres
        Atoms whose rows are wanted.
    scratch
        Folder of the rows computed so far; a killed run goes on from it.
    progress
        Told after each row.

    Returns
    -------
    The rows; None if the force field cannot.

    Raises
    ------
    ModelError
        If a local row differs from that of the whole cell: the model is not as local as it says.
    """
    hessian = potential.hessian(cell)
    if hessian is None:
        return None
    key = hash_value([potential.spec, potential.dtype, hash_structure(cell)])[:10]
    paths = {centre: scratch / f"row-{key}-{centre:06d}.npz" for centre in centres}
    missing = [centre for centre, path in paths.items() if not path.is_file()]
    done = len(paths) - len(missing)
    with closing(hessian.rows_of(missing)) as computed:
        for centre, (members, found) in zip(missing, computed, strict=True):
            write_arrays(paths[centre], {"atoms": members, "blocks": found})
            done += 1
            progress(done, len(paths), "rows of force constants")
    atoms, blocks = [], []
    for centre in centres:
        with np.load(paths[centre]) as stored:
            atoms.append(stored["atoms"])
            blocks.append(stored["blocks"])
    difference = None
    if len(cell) <= CHECKED_ATOMS:
        rng = np.random.default_rng(len(cell))
        one, axis = int(rng.integers(len(centres))), int(rng.integers(3))
        whole = hessian.whole_row(centres[one], axis)
        difference = _difference(whole, atoms[one], blocks[one][:, axis], potential.dtype)
    reach = max(hessian.reach(centre) for centre in centres)
    how = f"{hessian.how}, each from {reach} of {len(cell)} atoms at most, on {potential.device}"
    return Rows(list(centres), atoms, blocks, how, difference)


def _difference(whole: FloatArray, atoms: IntArray, blocks: FloatArray, dtype: str) -> float:
    largest = float(np.abs(whole).max())
    whole[atoms] -= blocks
    difference = float(np.abs(whole).max())
    if difference > AGREEMENT[dtype] * largest:
        raise ModelError(
            f"A local row of force constants differs from the whole by {difference:.1e} eV/Å².",
            why="the model feels further than its layers and cutoff say",
            fix="use finite displacements",
        )
    return difference


def spread(rows: Rows, turns: Sequence[FloatArray], permutations: Sequence[IntArray]) -> Rows:
    """Turn the rows of irreducible atoms into those of their orbits.

    Parameters
    ----------
    rows
        Of one atom of each orbit.
    turns
        (3, 3) of each operation, Cartesian.
    permutations
        (N,) image of each atom under each operation.

    Returns
    -------
    Rows of all images.
    """
    found: dict[int, tuple[IntArray, FloatArray]] = {}
    for centre, members, blocks in zip(rows.centres, rows.atoms, rows.blocks, strict=True):
        for turn, images in zip(turns, permutations, strict=True):
            image = int(images[centre])
            if image not in found:
                found[image] = images[members], turn @ blocks @ turn.T
    return Rows(
        list(found),
        [members for members, _ in found.values()],
        [blocks for _, blocks in found.values()],
        rows.how,
        rows.largest_difference,
    )


def spread_by_symmetry(cell: Atoms, rows: Rows, symmetry: Symmetry) -> SparseForceConstants:
    """Turn the rows of irreducible atoms into all force constants.

    Parameters
    ----------
    cell
        The cell, symmetric to round-off.
    rows
        Of one atom of each orbit.
    symmetry
        Operations of the cell.

    Returns
    -------
    All force constants, symmetric.
    """
    whole = spread(rows, symmetry.cartesian_rotations(cell.cell.array), list(symmetry.permutations))
    lengths = [len(members) for members in whole.atoms]
    return SparseForceConstants.from_blocks(
        cell,
        np.repeat(np.array(whole.centres), lengths),
        np.concatenate(whole.atoms),
        np.concatenate(whole.blocks),
    ).symmetrised()


def irreducible(symmetry: Symmetry) -> list[int]:
    """Name one atom of each orbit.

    Parameters
    ----------
    symmetry
        Operations of a cell.

    Returns
    -------
    Indices, growing.
    """
    return sorted({int(first) for first in symmetry.permutations.min(axis=0)})
