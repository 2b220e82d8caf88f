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
"""Largest in-plane part of the third lattice vector, relative to its length: round-off of a file's digits."""


def check_sheet(atoms: Atoms) -> None:
    """Refuse a structure that is not a sheet normal to axis 2.

    Parameters
    ----------
    atoms
        A structure.

    Raises
    ------
    GeometryError
        If it is empty, has no area, or its third vector is missing or tilted.
    """
    if len(atoms) == 0:
        raise GeometryError("The structure has no atoms.")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise GeometryError("Positions or cell hold NaN or infinity.", fix="repair the input file")
    if area(atoms) < 1e-3:
        raise GeometryError(
            "The cell spans no area in its first two vectors.",
            fix="give a cell that is periodic along its first two vectors",
        )
    first, second, third = atoms.cell.array
    height = np.linalg.norm(third)
    tilt = max(abs(first[2]), abs(second[2]), abs(third[0]), abs(third[1]))
    if height > 0 and tilt > NORMAL_TOLERANCE * height:
        raise GeometryError(
            "The sheet does not lie normal to its third lattice vector.",
            why=f"a lattice vector is tilted by {tilt:.3g} Å",
            fix="turn the cell so that vectors 1 and 2 lie in the xy plane and vector 3 along z",
        )


def area(atoms: Atoms) -> float:
    """Return the area of the cell.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    Å², |a × b|.
    """
    return float(np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1])))


def thickness(atoms: Atoms) -> float:
    """Return the extent of the nuclei along the normal, the sheet kept whole across the boundary.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    Å.
    """
    return float(np.ptp(unwrapped_heights(atoms)))


def unwrapped_heights(atoms: Atoms) -> FloatArray:
    """Return z of each atom such that the sheet is not cut by the cell boundary.

    Parameters
    ----------
    atoms
        A sheet; its largest gap along z, periodic images counted, is taken for the vacuum.

    Returns
    -------
    (N,) Å.
    """
    z = np.asarray(atoms.positions[:, 2], dtype=float)
    height = float(atoms.cell[2, 2])
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
    """Return the sheet with three periodic axes, whole, centred, and a given gap of vacuum.

    A model evaluated on such a cell never sees an image of the sheet if `gap` exceeds its range,
    whatever periodicity and vacuum the structure came with.

    Parameters
    ----------
    atoms
        A sheet.
    gap
        Å, distance between the highest nucleus and the lowest of the next image.

    Returns
    -------
    A copy without calculator and constraints; its `info` and arrays are kept.
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
    """Turn the stress of a slab cell into the force per length that a sheet carries.

    Parameters
    ----------
    stress
        (..., 3, 3) eV/Å³, tension positive; vacuum along axis 2.
    height
        Å, length of the cell along the vacuum axis.

    Returns
    -------
    (..., 2, 2) N/m. Definition: σ₂D = c σ.

    Raises
    ------
    GeometryError
        If the height is not positive.
    """
    if height <= 0:
        raise GeometryError(
            f"The cell height is {height} Å.",
            why="a slab needs a finite cell to carry a stress",
            fix="pad the sheet first: as_slab(atoms, gap=15.0)",
        )
    return np.asarray(EV_PER_A2_IN_N_PER_M * height * stress[..., :2, :2])


def slab_virial_residual(atoms: Atoms, *, forces: FloatArray, stress: FloatArray) -> float:
    """Return by how much a slab's stress breaks the virial identity along the vacuum.

    Stretching an isolated sheet's cell along z with its atoms only moves the atoms, so
    σ_zz V = −Σ F_z z for any frame; what is left over is Pulay stress or an error.

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
    eV/Å³, σ_zz + Σ F_z z / V.
    """
    heights = unwrapped_heights(atoms)
    balanced = forces[:, 2] - forces[:, 2].mean()
    return float(stress[2, 2] + (balanced @ heights) / atoms.get_volume())
