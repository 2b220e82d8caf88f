"""Bending rigidity of a sheet from the energies of relaxed tubes, with no phonons involved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.core.errors import GeometryError
from flatforce.structures.sheet import area, unwrapped_heights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray

MAX_REPEATS: Final = 12
"""Largest coefficient of a lattice vector that is tried as the axis of a tube."""

ANGLE_TOLERANCE: Final = 1e-4
"""Largest cosine between the axis of a tube and the direction that is rolled up."""

MAX_CURVATURE: Final = 0.5
"""Largest half thickness of a sheet relative to the radius of a tube: atoms on the inside would meet beyond it."""


@dataclass(frozen=True)
class Tube:
    """A sheet that was rolled up, before its relaxation."""

    atoms: Atoms
    """The tube along the first lattice vector, with vacuum along the two others."""
    radius: float
    """Å, circumference of the unstretched sheet divided by 2π."""
    n_cells: int
    """Number of primitive cells."""


def rectangular_vectors(cell: FloatArray) -> IntArray:
    """Find the smallest rectangular supercell of a sheet.

    Parameters
    ----------
    cell
        (3, 3) Å, rows are lattice vectors.

    Returns
    -------
    (2, 2) int, the two perpendicular vectors in units of the lattice vectors; the first is the shortest lattice vector.

    Raises
    ------
    GeometryError
        If no lattice vector is perpendicular to it.
    """
    plane = cell[:2, :2]
    first = np.array([1, 0]) if np.linalg.norm(plane[0]) <= np.linalg.norm(plane[1]) else np.array([0, 1])
    steps = np.arange(-MAX_REPEATS, MAX_REPEATS + 1)
    candidates = np.array([(n, m) for n in steps for m in steps if n * first[1] != m * first[0]])
    vectors, axis = candidates @ plane, first @ plane
    cosines = np.abs(vectors @ axis) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(axis)
    perpendicular = candidates[cosines < ANGLE_TOLERANCE]
    if len(perpendicular) == 0:
        raise GeometryError(
            "The sheet has no rectangular supercell that could be rolled up.",
            why=f"no lattice vector of up to {MAX_REPEATS} cells is perpendicular to the shorter one",
            fix="set bending: phonons",
        )
    second = perpendicular[np.argmin(np.linalg.norm(perpendicular @ plane, axis=1))]
    if np.linalg.det(np.array([first, second])) < 0:
        second = -second
    return np.array([first, second])


def roll_up(sheet: Atoms, radius: float, *, around: int, inward: bool = False, vacuum: float) -> Tube:
    """Roll a sheet up.

    Parameters
    ----------
    sheet
        A relaxed sheet.
    radius
        Å, which is rounded to a whole number of rectangular cells.
    around
        Vector of the rectangular cell that is rolled up, 0 or 1; the other one is the axis.
    inward
        Whether the upper face becomes the inner one.
    vacuum
        Å, between a tube and its images.

    Returns
    -------
    The tube; its atoms keep their distance from the middle of the sheet, and their position along and around it.

    Raises
    ------
    GeometryError
        If the radius is too small for the thickness of the sheet.
    """
    vectors = rectangular_vectors(sheet.cell.array)
    plane = vectors @ sheet.cell.array[:2, :2]
    lengths = np.linalg.norm(plane, axis=1)
    repeats = max(1, round(2 * np.pi * radius / lengths[around]))
    circumference = repeats * lengths[around]
    exact = circumference / (2 * np.pi)
    heights = unwrapped_heights(sheet)
    heights = heights - heights.mean()
    if np.abs(heights).max() > MAX_CURVATURE * exact:
        raise GeometryError(
            f"A tube of {exact:.1f} Å radius is too narrow for a sheet of {np.ptp(heights):.1f} Å.",
            fix="give larger tube_radii",
        )
    count = round(abs(np.linalg.det(vectors)))
    positions, numbers = _rectangle(sheet, vectors, plane, heights)
    units = plane / lengths[:, None]
    along = positions[:, :2] @ units[1 - around] % lengths[1 - around]
    angle = (positions[:, :2] @ units[around]) / exact
    angles = (angle + 2 * np.pi / repeats * np.arange(repeats)[:, None]).ravel()
    radial = exact + (-1 if inward else 1) * np.tile(positions[:, 2], repeats)
    width = 2 * (exact + np.abs(heights).max()) + vacuum
    coordinates = np.stack(
        [
            np.tile(along, repeats),
            width / 2 + radial * np.cos(angles),
            width / 2 + radial * np.sin(angles),
        ],
        axis=1,
    )
    tube = Atoms(
        numbers=np.tile(numbers, repeats),
        positions=coordinates,
        cell=np.diag([lengths[1 - around], width, width]),
        pbc=True,
    )
    return Tube(tube, float(exact), count * repeats)


def _rectangle(
    sheet: Atoms, vectors: IntArray, plane: FloatArray, heights: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Repeat the sheet in its rectangular cell: positions with heights above the middle, atomic numbers."""
    steps = np.arange(-2 * MAX_REPEATS, 2 * MAX_REPEATS + 1)
    shifts = np.array([(n, m) for n in steps for m in steps])
    fractions = shifts @ np.linalg.inv(vectors)
    inside = ((fractions > -1e-6) & (fractions < 1 - 1e-6)).all(axis=1)
    translations = shifts[inside] @ sheet.cell.array[:2, :2]
    del plane
    flat = (sheet.positions[:, :2] + translations[:, None]).reshape(-1, 2)
    repeats = len(translations)
    return np.column_stack([flat, np.tile(heights, repeats)]), np.tile(sheet.numbers, repeats)


def fit_rigidity(
    radii: FloatArray, energies: FloatArray, *, signs: Sequence[float] | None = None
) -> tuple[float, float]:
    """Fit the energy of bending, ΔE/A = κ/2 (1/R)² − κ c₀/R + c/R⁴; the linear term only for a sheet with two different faces.

    Parameters
    ----------
    radii
        (K) Å.
    energies
        (K) eV/Å², energy per area relative to the flat sheet.
    signs
        (K) +1 for tubes with the upper face outside, −1 for those with it inside; None for a sheet with equal faces.

    Returns
    -------
    κ in eV, and the spontaneous curvature c₀ in 1/Å, 0 for a sheet with equal faces.
    """
    curvature = 1 / radii
    columns = [curvature**2 / 2, curvature**4]
    if signs is not None:
        columns.append(-np.asarray(signs) * curvature)
    coefficients = np.linalg.lstsq(np.stack(columns, axis=1), energies, rcond=None)[0]
    kappa = float(coefficients[0])
    return kappa, float(coefficients[2] / kappa) if signs is not None else 0.0


def energy_per_area(energy: float, tube: Tube, sheet: Atoms, flat_energy: float) -> float:
    """Compute the energy of bending per area of the sheet.

    Parameters
    ----------
    energy
        eV, of the tube.
    tube
        The tube.
    sheet
        The flat primitive cell.
    flat_energy
        eV, of the flat primitive cell.

    Returns
    -------
    eV/Å², energy of the tube minus that of the flat sheet, per area.
    """
    return (energy - tube.n_cells * flat_energy) / (tube.n_cells * area(sheet))
