"""Two copies of a sheet on top of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.structures.sheet import as_slab, thickness

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

Stacking: TypeAlias = Literal["AA'", "AB", "AA"]

VACUUM: Final = 15.0
"""Å of vacuum above a bilayer, in addition to the distance of the layers."""

ABOVE: Final = 0.5
"""Å. Lateral distance up to which two atoms count as lying above each other."""


def stack_two(sheet: Atoms, *, distance: float, stacking: Stacking = "AA'") -> Atoms:
    """Stack two copies of a sheet.

    Parameters
    ----------
    sheet
        The primitive cell of a monolayer with atoms on two lateral sites, such as M and X of 2H-MX2.
    distance
        Å, distance of the mid-planes of the two layers.
    stacking
        `AA'`: the second layer is turned by 180° about the axis midway between the two sites, so that each site lies above the other;
        `AB`: it is shifted so that its first site lies above the second; `AA`: it lies exactly above the first layer.

    Returns
    -------
    The bilayer, the atoms of the first layer first, with three periodic axes and vacuum.

    Raises
    ------
    GeometryError
        If the stacking is unknown, the layers would cut into each other, or the sheet has a single lateral site.
    """
    if stacking not in get_args(Stacking):
        raise GeometryError(
            f"The stacking {stacking!r} is unknown.", fix=f"choose one of: {', '.join(get_args(Stacking))}"
        )
    if not thickness(sheet) < distance < float("inf"):
        raise GeometryError(
            f"Two layers cannot be stacked at a distance of {distance:g} Å.",
            why=f"each is {thickness(sheet):.2f} Å thick",
            fix="give the distance of their mid-planes in Å, such as 6.5 for WSe2",
        )
    lower = as_slab(sheet, gap=VACUUM + 2 * distance)  # the gap between the layers stays the smaller one
    upper = lower.copy()
    shift = np.zeros(2) if stacking == "AA" else _site_vector(lower)
    if stacking == "AA'":
        upper.positions[:, :2] = 2 * lower.positions[0, :2] + shift - lower.positions[:, :2]
    else:
        upper.positions[:, :2] += shift
    upper.positions[:, 2] += distance
    return as_slab(lower + upper, gap=VACUUM + distance)


def _site_vector(sheet: Atoms) -> FloatArray:
    """Return (2,) Å, the lateral vector from the first atom to the nearest one that does not lie above or below it."""
    vectors = sheet.get_distances(0, range(len(sheet)), mic=True, vector=True)[:, :2]
    lengths = np.linalg.norm(vectors, axis=1)
    if lengths.max() < ABOVE:
        raise GeometryError(
            "All atoms of the sheet lie above one another.",
            why="a stacking is a shift from one lateral site to another",
            fix="choose the stacking AA",
        )
    vector: FloatArray = vectors[int(np.argmin(np.where(lengths < ABOVE, np.inf, lengths)))]
    return vector
