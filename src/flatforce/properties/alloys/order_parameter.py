"""Order parameters of alloys on hexagonal sheets: wave vectors of the structure factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

STARS = {
    "gamma": ((0.0, 0.0),),
    "K": ((1 / 3, 1 / 3),),
    "M": ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5)),
}
"""Star of each wave vector in units of the reciprocal vectors of a hexagonal parent with γ = 120°: segregation, √3 × √3
order, stripes. K′ is −K and adds nothing to a real field."""

N_COMPONENTS = {"gamma": 1, "K": 2, "M": 3}
"""Number of real components of the order parameter: one for each wave vector, two at K, where it is complex."""

HEXAGONAL_TOLERANCE = 1e-3
"""Relative round-off of a hexagonal cell that was read from a file."""


def star_of(wave_vector: str, primitive: Atoms) -> FloatArray:
    """Return the star of a wave vector in the cell that is sampled: icet may have rotated the parent's.

    Parameters
    ----------
    wave_vector
        `gamma`, `K` or `M`.
    primitive
        Primitive cell of the cluster space.

    Returns
    -------
    (n, 2) wave vectors in 1/Å, with the factor 2π.

    Raises
    ------
    GeometryError
        If the cell is not hexagonal.
    """
    a, b = (float(length) for length in primitive.cell.lengths()[:2])
    gamma = float(primitive.cell.angles()[2])
    if abs(a / b - 1) > HEXAGONAL_TOLERANCE or abs(gamma - 120) > 180 / np.pi * HEXAGONAL_TOLERANCE:
        raise GeometryError(
            "Order parameters are defined at wave vectors of a hexagonal sheet, which this parent is not.",
            why=f"its lattice vectors are {a:.3f} and {b:.3f} Å long with {gamma:.1f}° between them",
            fix="leave monte_carlo out, or set alloy to a hexagonal parent",
        )
    inverse = np.linalg.inv(primitive.cell.array[:2, :2])
    return np.asarray(2 * np.pi * np.array(STARS[wave_vector]) @ inverse.T)
