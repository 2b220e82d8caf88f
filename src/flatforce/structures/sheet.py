"""A sheet in its cell: rows are lattice vectors, vacuum along axis 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.units import EV_PER_A2_IN_N_PER_M

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

IN_PLANE: Final = (True, True, False, False, False, True)
"""Voigt components (xx, yy, zz, yz, xz, xy) that a sheet can carry."""

NORMAL_TOLERANCE: Final = 1e-6
"""Largest tilt of a lattice vector, relative to the length of the third: round-off of the digits in a file."""


def check_sheet(atoms: Atoms) -> None:
    """Raise an error for a structure that is not a sheet normal to its third lattice vector.

    Parameters
    ----------
    atoms
        A structure.

    Raises
    ------
    GeometryError
        If it has no atoms, positions that are not finite, no area, or a third lattice vector that is not normal to the sheet.
    """
    if len(atoms) == 0:
        raise GeometryError("The structure has no atoms.", fix="check the input file")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise GeometryError("Positions or cell contain NaN or infinity.", fix="correct the input file")
    if (atoms.numbers == 0).any():
        raise GeometryError(
            "The structure holds atoms of no element (X).", fix="name their elements in the file"
        )
    if area(atoms) < 1e-3:
        raise GeometryError(
            "The area that the first two lattice vectors span is zero.",
            fix="set two in-plane lattice vectors: atoms.cell[:2] = ...",
        )
    first, second, third = atoms.cell.array
    height = np.linalg.norm(third)
    tilt = max(abs(first[2]), abs(second[2]), abs(third[0]), abs(third[1]))
    if height > 0 and tilt > NORMAL_TOLERANCE * height:
        raise GeometryError(
            "The sheet is not normal to its third lattice vector.",
            why=f"a lattice vector is tilted by {tilt:.3g} Å",
            fix=_straighten(atoms),
        )


def _straighten(atoms: Atoms) -> str:
    """Say how the cell of a structure is turned, which depends on what is tilted."""
    cell = atoms.cell.array
    if np.abs(cell[:2, 2]).max() <= NORMAL_TOLERANCE * np.linalg.norm(cell[2]):
        height = abs(cell[2, 2])
        return f"if only the vacuum is tilted, give it a vector along z, in ASE: atoms.set_cell([*atoms.cell[:2], [0, 0, {height:.6g}]])"
    return (
        "rotate the cell so that vectors 1 and 2 lie in the xy plane and vector 3 along z, in ASE: atoms.cell, rotation = "
        "atoms.cell.standard_form(); atoms.positions = atoms.positions @ rotation.T; frames with labels are rotated by flatforce data import"
    )


def area(atoms: Atoms) -> float:
    """Compute the in-plane area of the cell.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    In-plane area |a × b| in Å².
    """
    return float(np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1])))


def thickness(atoms: Atoms) -> float:
    """Compute the out-of-plane extent of the nuclei, also where the cell boundary cuts the sheet.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    Å, distance between the highest and the lowest nucleus.
    """
    return float(np.ptp(unwrapped_heights(atoms)))


def cell_height(atoms: Atoms) -> float:
    """Return the height of the cell of a sheet.

    Parameters
    ----------
    atoms
        A sheet normal to its third lattice vector, which may point up or down.

    Returns
    -------
    Å, length of the cell along z, never negative; 0 for a cell without a third vector.
    """
    return abs(float(atoms.cell[2, 2]))


def unwrapped_heights(atoms: Atoms) -> FloatArray:
    """Compute z coordinates for which the cell boundary does not cut the sheet.

    Parameters
    ----------
    atoms
        A sheet; its largest gap along z, with periodic images considered, is taken for the vacuum.

    Returns
    -------
    (N,) Å, z coordinates with the same mean as those of `atoms`.
    """
    z = np.asarray(atoms.positions[:, 2], dtype=float)
    height = cell_height(atoms)
    if not atoms.pbc[2] or height <= 0:
        return z.copy()
    folded = np.mod(z, height)
    order = np.sort(folded)
    gaps = np.diff(np.append(order, order[0] + height))
    above = order[int(np.argmax(gaps))]
    unwrapped: FloatArray = np.where(folded > above + 1e-9, folded - height, folded)
    unwrapped += z.mean() - unwrapped.mean()
    return unwrapped


def as_slab(atoms: Atoms, *, gap: float) -> Atoms:
    """Copy a sheet into a cell with three periodic axes, the sheet centred in a given vacuum.

    Whatever the periodicity and the vacuum of the input, a model evaluated on such a cell does not see an image of the sheet if
    `gap` exceeds its cutoff.

    Parameters
    ----------
    atoms
        A sheet.
    gap
        Å, distance between the highest nucleus and the lowest of the next image.

    Returns
    -------
    A copy without calculator and constraints; its `info` and arrays are copied.
    """
    check_sheet(atoms)
    slab = atoms.copy()
    slab.set_constraint()
    heights = unwrapped_heights(atoms)
    height = float(np.ptp(heights)) + gap
    slab.positions[:, 2] = heights - heights.min() + gap / 2
    cell = atoms.cell.array.copy()
    cell[2] = (0.0, 0.0, height)
    slab.set_cell(cell, scale_atoms=False)
    slab.pbc = True
    return slab


def membrane_stress(stress: FloatArray, *, height: float) -> FloatArray:
    """Convert the stress of a slab cell to the membrane stress of the sheet, a force per length.

    Parameters
    ----------
    stress
        (..., 3, 3) eV/Å³, tension positive; vacuum along axis 2.
    height
        Å, length of the cell along the vacuum axis.

    Returns
    -------
    (..., 2, 2) N/m, membrane stress. Definition: σ₂D = c σ.

    Raises
    ------
    GeometryError
        If the height is not positive.
    """
    if height <= 0:
        raise GeometryError(
            f"The height of the cell is {height} Å.",
            why="the stress of a slab is defined only for a cell of finite height",
            fix="pad the sheet first: as_slab(atoms, gap=15.0)",
        )
    return np.asarray(EV_PER_A2_IN_N_PER_M * height * stress[..., :2, :2])


def slab_virial_stress(atoms: Atoms, *, forces: FloatArray) -> FloatArray:
    """Compute the out-of-plane stress that the forces on an isolated sheet imply.

    Moving the atoms by u_α = ε z is a strain of the cell that only moves atoms, so that σ_αz V = −Σ F_α z for any frame.

    Parameters
    ----------
    atoms
        A sheet with vacuum.
    forces
        (N, 3) eV/Å.

    Returns
    -------
    (3,) eV/Å³, tension positive: σ_xz, σ_yz, σ_zz.
    """
    balanced = forces - forces.mean(axis=0)
    stress: FloatArray = -(unwrapped_heights(atoms) @ balanced) / atoms.get_volume()
    return stress


def slab_virial_residual(atoms: Atoms, *, forces: FloatArray, stress: FloatArray) -> float:
    """Compute the deviation of a slab's stress from the out-of-plane virial identity.

    Stretching the cell of an isolated sheet along z together with its atoms only moves the atoms, so that σ_zz V = −Σ F_z z
    for any frame. A deviation is Pulay stress or an error of the label.

    Parameters
    ----------
    atoms
        A sheet with vacuum.
    forces
        (N, 3) eV/Å.
    stress
        (3, 3) eV/Å³, tension positive.

    Returns
    -------
    eV/Å³, the deviation σ_zz + Σ F_z z / V.
    """
    return float(stress[2, 2] - slab_virial_stress(atoms, forces=forces)[2])
