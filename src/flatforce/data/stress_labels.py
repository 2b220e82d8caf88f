"""Stress of a frame as a matrix, from whatever form a file or a calculator gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray


def stress_matrix(value: object, *, name: str = "The stress") -> FloatArray:
    """Write a stress as a matrix.

    Parameters
    ----------
    value
        9 components, or 6 in Voigt's order xx, yy, zz, yz, xz, xy; any unit.
    name
        Name of the quantity, for the error message.

    Returns
    -------
    (3, 3), in the unit given.

    Raises
    ------
    DataError
        If there are neither 6 nor 9 components.
    """
    stress = np.asarray(value, dtype=float)
    if stress.size == 9:
        return stress.reshape(3, 3)
    if stress.size == 6:
        xx, yy, zz, yz, xz, xy = stress.ravel()
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    raise DataError(f"{name} has shape {stress.shape}.", fix="give 9 or 6 (Voigt) numbers")


def calculated_stress(atoms: Atoms) -> FloatArray | None:
    """Compute the stress of a structure with its calculator, without regard to constraints.

    Parameters
    ----------
    atoms
        A structure with a calculator.

    Returns
    -------
    (3, 3) eV/Å³, tension positive; None if the calculator cannot compute a stress.
    """
    from ase.calculators.calculator import PropertyNotImplementedError

    try:
        return np.asarray(atoms.get_stress(voigt=False, apply_constraint=False), dtype=float)
    except (PropertyNotImplementedError, NotImplementedError):
        return None
