"""Primitive cells of common monolayer prototypes."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from flatforce.core.errors import GeometryError

PROTOTYPES = ("2H", "1T", "honeycomb")
"""Names of the prototypes: trigonal prismatic MX2, octahedral MX2, and two atoms in a plane."""


def monolayer(
    symbols: tuple[str, str], *, prototype: str, a: float, thickness: float = 0.0, height: float = 15.0
) -> Atoms:
    """Build the primitive cell of a hexagonal monolayer, γ = 120°, mid-plane at half height.

    Parameters
    ----------
    symbols
        Species: (M, X) for MX2, those of the two sublattices for a honeycomb.
    prototype
        One of `PROTOTYPES`.
    a
        Å, lattice constant.
    thickness
        Å, out-of-plane X–X distance; without meaning for a honeycomb.
    height
        Å, length of the third lattice vector.

    Returns
    -------
    The primitive cell, periodic along all three axes.

    Raises
    ------
    GeometryError
        If the prototype is unknown.
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
            f"The prototype {prototype!r} is unknown.", fix=f"choose one of: {', '.join(PROTOTYPES)}"
        )
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, height]])
    basis = sites[prototype]
    positions = [u * cell[0] + v * cell[1] + np.array([0, 0, height / 2 + z]) for _, (u, v), z in basis]
    return Atoms([symbols[species] for species, _, _ in basis], positions=positions, cell=cell, pbc=True)
