"""Sites of a sheet: the symmetry-distinct ones, and those of a supercell with their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.memory import check_memory
from flatforce.structures.defect_geometry import VACUUM, central_distances, central_order, sides
from flatforce.structures.defect_lattice import Lattice
from flatforce.structures.defect_notation import PointDefect, Side
from flatforce.structures.sheet import as_slab, check_sheet
from flatforce.structures.symmetry import RELAXED_SYMPREC, equivalent_sites

if TYPE_CHECKING:
    from ase import Atoms

SUPERCELL_BYTES: Final = 600.0
"""Bytes for each atom of a supercell that is built and written (190), or whose sites are listed (580): measured with 120,000 atoms
(validation/memory_estimates.py)."""


@dataclass(frozen=True)
class Site:
    """A symmetry-distinct site of a sheet."""

    index: int
    """Index of its first atom in the cell."""
    symbol: str
    """Species."""
    side: Side
    """Side of the sheet of its first atom."""
    multiplicity: int
    """Number of equivalent sites in the cell."""


@dataclass(frozen=True)
class NumberedSite:
    """A site of a supercell, as `#12` in the notation of a defect names it."""

    index: int
    """Number of the site."""
    symbol: str
    """Species."""
    side: Side
    """Side of the sheet."""
    fractional: tuple[float, float]
    """In-plane position in units of the supercell's lattice vectors, from 0 to 1."""
    position: tuple[float, float]
    """Å, in-plane position."""
    centre_distance: float
    """Å, in-plane distance to the centre of the supercell."""
    site_class: int
    """Index in the primitive cell of the first atom that symmetry makes equal to this one."""
    default_for: tuple[str, ...]
    """Vacancies without a number that take this site, such as `v_Se` and `v_Se:top`."""


def pristine_supercell(primitive: Atoms, repeats: tuple[int, int]) -> Atoms:
    """Repeat a sheet in its plane.

    Parameters
    ----------
    primitive
        A sheet.
    repeats
        n, m of the supercell.

    Returns
    -------
    The supercell, without calculator and constraints.

    Raises
    ------
    GeometryError
        If the structure is no sheet along axis 2, or a repeat is not positive.
    ResourceError
        If the supercell would not fit into memory.
    """
    check_sheet(primitive)
    if len(np.shape(repeats)) != 1 or len(repeats) != 2 or not all(_is_positive(n) for n in repeats):
        raise GeometryError(
            f"A supercell of {repeats!r} primitive cells is impossible.",
            fix="give two positive numbers: supercell=(6, 6), or -s 6 6 on the command line",
        )
    n_atoms = len(primitive) * int(repeats[0]) * int(repeats[1])
    check_memory(
        SUPERCELL_BYTES * n_atoms,
        task=f"A supercell of {n_atoms:,} atoms ({repeats[0]} × {repeats[1]})",
        instead="choose a smaller supercell",
    )
    pristine = primitive.repeat((*repeats, 1))
    pristine.calc = None
    pristine.set_constraint()
    return pristine


def _is_positive(number: object) -> bool:
    return isinstance(number, int | np.integer) and bool(number > 0)


def distinct_sites(atoms: Atoms) -> list[Site]:
    """List the symmetry-distinct sites of a sheet.

    Parameters
    ----------
    atoms
        A sheet, best its primitive cell.

    Returns
    -------
    One entry for each class of sites, with its multiplicity.

    Raises
    ------
    GeometryError
        If the structure is no sheet along axis 2.
    """
    slab = as_slab(atoms, gap=VACUUM)
    equivalent, side_of = equivalent_sites(slab), sides(slab)
    first, counts = np.unique(equivalent, return_counts=True)
    return [
        Site(int(i), str(atoms.symbols[int(i)]), side_of[int(i)], int(n))
        for i, n in zip(first, counts, strict=True)
    ]


def numbered_sites(primitive: Atoms, repeats: tuple[int, int]) -> list[NumberedSite]:
    """List the sites of a supercell with the numbers that the notation of a defect takes.

    Parameters
    ----------
    primitive
        A sheet.
    repeats
        n, m of the supercell.

    Returns
    -------
    (n m N,) sites, in the order of their numbers.

    Raises
    ------
    GeometryError
        If the structure is no sheet along axis 2, or a repeat is not positive.
    """
    pristine, lattice = pristine_supercell(primitive, repeats), Lattice(primitive)
    classes = equivalent_sites(as_slab(primitive, gap=VACUUM), symprec=RELAXED_SYMPREC)
    defaults: dict[int, list[str]] = {}
    for symbol in dict.fromkeys(primitive.symbols):
        for side in (None, "top", "middle", "bottom"):
            part = PointDefect("vacancy", symbol, side=side)  # type: ignore[arg-type]  # one of the sides
            basis = [candidate for candidate, _ in lattice.candidates(part)]
            if len({int(classes[i]) for i in basis}) == 1:  # else the notation is refused
                index = next(i for i in central_order(pristine) if i % len(primitive) in basis)
                defaults.setdefault(index, []).append(str(part))
    fractional, distances = pristine.get_scaled_positions(), central_distances(pristine)
    return [
        NumberedSite(
            index,
            str(pristine.symbols[index]),
            lattice.sides[index % len(primitive)],
            (float(fractional[index, 0]), float(fractional[index, 1])),
            (float(pristine.positions[index, 0]), float(pristine.positions[index, 1])),
            float(distances[index]),
            int(classes[index % len(primitive)]),
            tuple(defaults.get(index, ())),
        )
        for index in range(len(pristine))
    ]
