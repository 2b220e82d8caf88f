"""Force constants row by row, for symmetry-irreducible atoms only.

This engine is used where the interaction range of a force field is known. The row of an atom involves only the atoms
within that range, so that its cost does not depend on the size of the cell. Rows are analytic where the model can
differentiate its forces, and finite differences in finite clusters otherwise. For other force fields, atoms of the whole
cell are displaced.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.core.files import write_arrays
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, remaining, silent
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.structures.symmetry import Symmetry

CHECKED_ATOMS = 1500
"""Largest number of atoms of a cell for which one row is also computed from the whole cell, as a check; this takes 3 GB in
float64 with 32 channels."""

AGREEMENT = {"float64": 1e-9, "float32": 1e-4}
"""Largest difference of a local row from that of the whole cell, relative to the largest force constant: round-off, with
room for long sums."""


@dataclass(frozen=True)
class LocalRows:
    """Rows of force constants of some atoms."""

    centres: list[int]
    """The atoms whose rows these are."""
    atoms: list[IntArray]
    """(M,) for each row, the atoms whose forces depend on the centre."""
    blocks: list[FloatArray]
    """(M, 3, 3) eV/Å² for each row, force constants between the centre and these atoms."""
    method: str
    """How the rows were computed, from how many atoms, and on which device."""
    check_difference: float | None
    """eV/Å², largest difference of the row that was also computed from the whole cell; None where the cell is too large for
    that."""


def local_rows(
    potential: Potential,
    cell: Atoms,
    centres: Sequence[int],
    *,
    scratch: Path,
    progress: Progress = silent,
) -> LocalRows | None:
    """Compute rows of force constants one after the other, and store each on disk.

    Parameters
    ----------
    potential
        The force field.
    cell
        A relaxed cell.
    centres
        Atoms whose rows are computed.
    scratch
        Folder of the rows computed so far; an interrupted run continues from it.
    progress
        Called after each row.

    Returns
    -------
    The rows, in the order of `centres`; None if the interaction range of the force field is unknown.

    Raises
    ------
    ModelError
        If a local row differs from that of the whole cell, since the model is then less local than it declares.
    """
    hessian = potential.hessian(cell)
    if hessian is None:
        return None
    key = hash_value([potential.spec, potential.dtype, hash_structure(cell)])[:10]
    paths = {centre: scratch / f"row-{key}-{centre:06d}.npz" for centre in centres}
    missing = [centre for centre, path in paths.items() if not path.is_file()]
    n_stored = len(paths) - len(missing)
    start = time.perf_counter()
    with closing(hessian.rows_of(missing)) as computed:
        for count, (centre, (members, row)) in enumerate(zip(missing, computed, strict=True), start=1):
            write_arrays(paths[centre], {"atoms": members, "blocks": row})
            left = remaining(time.perf_counter() - start, count, len(missing))
            progress(n_stored + count, len(paths), f"rows of force constants{left}")
    atoms, blocks = [], []
    for centre in centres:
        with np.load(paths[centre]) as stored:
            atoms.append(stored["atoms"])
            blocks.append(stored["blocks"])
    difference = None
    if len(cell) <= CHECKED_ATOMS:
        rng = np.random.default_rng(len(cell))
        checked, axis = int(rng.integers(len(centres))), int(rng.integers(3))
        whole_row = hessian.whole_row(centres[checked], axis)
        difference = _check_row(whole_row, atoms[checked], blocks[checked][:, axis], potential.dtype)
    n_atoms = max(hessian.count_row_atoms(centre) for centre in centres)
    method = f"{hessian.method}, each from at most {n_atoms} of {len(cell)} atoms, on {potential.device}"
    return LocalRows(list(centres), atoms, blocks, method, difference)


def _check_row(whole_row: FloatArray, atoms: IntArray, blocks: FloatArray, dtype: str) -> float:
    """Compare a local row with that of the whole cell, which is overwritten."""
    largest = float(np.abs(whole_row).max())
    whole_row[atoms] -= blocks
    difference = float(np.abs(whole_row).max())
    if difference > AGREEMENT[dtype] * largest:
        raise ModelError(
            f"A local row of force constants differs from the whole cell's by {difference:.1e} eV/Å².",
            why="the interaction range of the model is larger than its layers and cutoff imply",
            fix="use finite displacements: set engine: displacements",
        )
    return difference


def rotate_rows(
    rows: LocalRows, rotations: Sequence[FloatArray], permutations: Sequence[IntArray]
) -> LocalRows:
    """Generate the rows of all atoms of the orbits from those of irreducible atoms.

    Parameters
    ----------
    rows
        Rows of one atom of each orbit.
    rotations
        (3, 3) Cartesian rotation of each symmetry operation.
    permutations
        (N,) image of each atom under each symmetry operation.

    Returns
    -------
    Rows in eV/Å² of every atom that is the image of a centre.
    """
    rotated: dict[int, tuple[IntArray, FloatArray]] = {}
    for centre, members, blocks in zip(rows.centres, rows.atoms, rows.blocks, strict=True):
        for rotation, images in zip(rotations, permutations, strict=True):
            image = int(images[centre])
            if image not in rotated:
                rotated[image] = images[members], rotation @ blocks @ rotation.T
    return LocalRows(
        list(rotated),
        [members for members, _ in rotated.values()],
        [blocks for _, blocks in rotated.values()],
        rows.method,
        rows.check_difference,
    )


def force_constants_by_symmetry(cell: Atoms, rows: LocalRows, symmetry: Symmetry) -> SparseForceConstants:
    """Generate all force constants from the rows of irreducible atoms.

    Parameters
    ----------
    cell
        The cell, whose symmetry holds to round-off.
    rows
        Rows of one atom of each orbit.
    symmetry
        Symmetry operations of the cell.

    Returns
    -------
    All force constants, as a symmetric matrix.
    """
    all_rows = rotate_rows(rows, symmetry.cartesian_rotations(cell.cell.array), list(symmetry.permutations))
    lengths = [len(members) for members in all_rows.atoms]
    return SparseForceConstants.from_blocks(
        cell,
        np.repeat(np.array(all_rows.centres), lengths),
        np.concatenate(all_rows.atoms),
        np.concatenate(all_rows.blocks),
    ).symmetrise()


def irreducible_atoms(symmetry: Symmetry) -> list[int]:
    """Select one atom of each orbit.

    Parameters
    ----------
    symmetry
        Symmetry operations of a cell.

    Returns
    -------
    Indices of these atoms, ascending.
    """
    return sorted({int(first) for first in symmetry.permutations.min(axis=0)})
