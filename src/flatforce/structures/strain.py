"""Strained and rattled copies of a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


def apply_strain(atoms: Atoms, *, xx: float = 0.0, yy: float = 0.0, xy: float = 0.0) -> Atoms:
    """Strain a sheet in its plane, fractional positions kept.

    Parameters
    ----------
    atoms
        A sheet.
    xx
        Components of the symmetric small-strain tensor; 0.01 is one per cent.
    yy
        Components of the symmetric small-strain tensor; 0.01 is one per cent.
    xy
        Components of the symmetric small-strain tensor; 0.01 is one per cent.

    Returns
    -------
    A copy.
    """
    deformation = np.eye(3)
    deformation[:2, :2] += [[xx, xy], [xy, yy]]
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ deformation.T, scale_atoms=True)
    return copy


def rattle_positions(atoms: Atoms, *, amplitude: float, rng: np.random.Generator) -> Atoms:
    """Move every atom at random.

    Parameters
    ----------
    atoms
        A structure.
    amplitude
        Å, standard deviation of each Cartesian component.
    rng
        Where the random numbers come from.

    Returns
    -------
    A copy.
    """
    copy = atoms.copy()
    copy.positions += rng.normal(scale=amplitude, size=copy.positions.shape)
    return copy
