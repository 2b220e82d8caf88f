"""Monolayer prototypes, built from symbols, positions and cell."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from flatforce.core.errors import GeometryError

PROTOTYPES = ("2H", "1T", "honeycomb")
"""MX2 trigonal prismatic, MX2 octahedral, and two atoms in a plane."""


def monolayer(
    symbols: tuple[str, str], *, prototype: str, a: float, thickness: float = 0.0, height: float = 15.0
) -> Atoms:
    """Build the primitive cell of a hexagonal monolayer, γ = 120°, mid-plane at half height.

    Parameters
    ----------
    symbols
        (M, X) for MX2, the two sublattices for a honeycomb.
    prototype
        One of `PROTOTYPES`.
    a
        Å, lattice constant.
    thickness
        Å, X–X distance along the normal; 0 for a honeycomb.
    height
        Å, length of the third vector.

    Returns
    -------
    The sheet with three periodic axes.

    Raises
    ------
    GeometryError
        If there is no such prototype.
    """
    half = thickness / 2
    third, two_thirds = (1 / 3, 2 / 3), (2 / 3, 1 / 3)
    sites = {
        "2H": [(0, (0.0, 0.0), 0.0), (1, third, half), (1, third, -half)],
        "1T": [(0, (0.0, 0.0), 0.0), (1, third, half), (1, two_thirds, -half)],
        "honeycomb": [(0, third, 0.0), (1, two_thirds, 0.0)],
    }
    if prototype not in sites:
        raise GeometryError(
            f"There is no prototype {prototype!r}.", fix=f"choose one of {', '.join(PROTOTYPES)}"
        )
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, height]])
    chosen = sites[prototype]
    positions = [u * cell[0] + v * cell[1] + np.array([0, 0, height / 2 + z]) for _, (u, v), z in chosen]
    return Atoms([symbols[which] for which, _, _ in chosen], positions=positions, cell=cell, pbc=True)
