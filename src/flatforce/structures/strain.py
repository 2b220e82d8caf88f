"""Copies of a sheet with strain or random displacements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


def apply_strain(atoms: Atoms, *, xx: float = 0.0, yy: float = 0.0, xy: float = 0.0) -> Atoms:
    """Apply an in-plane strain to a sheet; fractional positions are preserved.

    Parameters
    ----------
    atoms
        A sheet.
    xx
        The xx component of the symmetric small-strain tensor; 0.01 is one per cent.
    yy
        The yy component of the symmetric small-strain tensor; 0.01 is one per cent.
    xy
        The xy component of the symmetric small-strain tensor; 0.01 is one per cent.

    Returns
    -------
    A copy with strained lattice vectors and the same fractional positions.
    """
    deformation = np.eye(3)
    deformation[:2, :2] += [[xx, xy], [xy, yy]]
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ deformation.T, scale_atoms=True)
    return copy


def rattle_positions(atoms: Atoms, *, amplitude: float, rng: np.random.Generator) -> Atoms:
    """Displace every atom at random.

    Parameters
    ----------
    atoms
        A structure.
    amplitude
        Å, standard deviation of each Cartesian component of the displacements.
    rng
        Random number generator.

    Returns
    -------
    A copy with displaced atoms.
    """
    copy = atoms.copy()
    copy.positions += rng.normal(scale=amplitude, size=copy.positions.shape)
    return copy
