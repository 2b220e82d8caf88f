"""The distinct first hops of a defect: neighbours that jump into its vacancy, and an adatom that jumps to the next site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.properties.barriers.matching import displacements
from flatforce.structures.defect_geometry import VACUUM, sides
from flatforce.structures.defect_notation import parse_defect
from flatforce.structures.defects import build_defect
from flatforce.structures.sheet import as_slab
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.barriers.config import HopsConfig
    from flatforce.structures.defects import DefectCell
    from flatforce.structures.symmetry import Symmetry

DISTANCE_FACTOR: Final = 1.2
"""Longest hop relative to the shortest one, unless the settings give a distance: the next neighbours are 1.4 times as far or more."""

POSITION_TOLERANCE: Final = 0.05
"""Å, largest distance between a site and the image of another one that symmetry maps onto it."""


@dataclass(frozen=True)
class Hop:
    """One hop of a defect, as built."""

    atom: int
    """Index of the atom that hops, in `start`."""
    description: str
    """Words such as `Se (bottom) into the vacancy of Se (top)`."""
    distance: float
    """Å, length of the step before anything is relaxed."""
    multiplicity: int
    """Number of hops that symmetry makes equal to this one."""
    start: Atoms
    """The defect."""
    end: Atoms
    """The defect after the hop, atoms in the same order."""


@dataclass(frozen=True)
class _Step:
    """An atom that could hop."""

    atom: int
    vector: FloatArray
    """(3,) Å."""
    description: str

    @property
    def length(self) -> float:
        """Å."""
        return float(np.linalg.norm(self.vector))


def find_hops(primitive: Atoms, defect: str, config: HopsConfig) -> list[Hop]:
    """List the symmetry-distinct first hops of a defect.

    Parameters
    ----------
    primitive
        Relaxed primitive cell.
    defect
        Notation of the defect.
    config
        Supercell, and the longest hop.

    Returns
    -------
    One hop of each class of equal ones, with start and end structures, the shortest first.

    Raises
    ------
    GeometryError
        If the defect has neither a vacancy nor an adatom, or no atom is near enough.
    """
    cell = build_defect(primitive, config.supercell, defect)
    steps = sorted(_steps(cell, len(primitive)), key=lambda step: round(step.length, 3))
    if not steps:
        raise GeometryError(
            f"{cell.name} has no first hop.",
            why="it has neither a vacancy beside an atom of the same element, nor an adatom with a neighbouring site",
            fix="give the start and the end of the path: flatforce neb MODEL START END -o DIR",
        )
    limit = config.distance or DISTANCE_FACTOR * steps[0].length
    if steps[0].length > limit:
        raise GeometryError(
            f"{cell.name} has no hop of {limit:g} Å or less.",
            why=f"the shortest one has {steps[0].length:.2f} Å",
            fix="give a larger distance",
        )
    symmetry = find_symmetry(as_slab(cell.atoms, gap=VACUUM), symprec=POSITION_TOLERANCE)
    rotations = symmetry.cartesian_rotations(cell.atoms.cell.array)
    classes: list[list[_Step]] = []
    for step in steps:
        if step.length > limit:
            break
        orbit = next((known for known in classes if _are_equal(symmetry, rotations, known[0], step)), None)
        if orbit is None:
            classes.append([step])
        else:
            orbit.append(step)
    return [_hop(cell, orbit[0], len(orbit)) for orbit in classes]


def _steps(cell: DefectCell, n_basis: int) -> list[_Step]:
    """All steps of atoms into vacancies, and of adatoms to the same site of another primitive cell."""
    atoms, pristine = cell.atoms, cell.pristine
    side_of = sides(as_slab(pristine, gap=VACUUM))
    steps: list[_Step] = []
    adatoms = iter(np.flatnonzero(cell.site_of < 0).tolist())
    for part, site in zip(parse_defect(cell.name), cell.sites, strict=True):
        symbol = str(pristine.symbols[site])
        if part.kind == "vacancy":
            for i in np.flatnonzero((atoms.symbols == symbol) & (cell.site_of >= 0)).tolist():
                text = f"{symbol} ({side_of[cell.site_of[i]]}) into the vacancy ({side_of[site]})"
                steps.append(_step(atoms, i, pristine.positions[site] - atoms.positions[i], text))
        elif part.kind == "adatom":
            adatom = next(adatoms)
            for other in range(site % n_basis, len(pristine), n_basis):
                if other != site:
                    vector = pristine.positions[other] - pristine.positions[site]
                    text = f"{atoms.symbols[adatom]} to the next {symbol}"
                    steps.append(_step(atoms, adatom, vector, text))
    return steps


def _step(atoms: Atoms, i: int, vector: FloatArray, description: str) -> _Step:
    return _Step(i, displacements(np.zeros((1, 3)), vector[None], atoms)[0], description)


def _are_equal(symmetry: Symmetry, rotations: list[FloatArray], first: _Step, second: _Step) -> bool:
    """Whether an operation maps one atom onto the other, and its step onto the other's."""
    return any(
        permutation[first.atom] == second.atom
        and np.linalg.norm(rotation @ first.vector - second.vector) < POSITION_TOLERANCE
        for permutation, rotation in zip(symmetry.permutations, rotations, strict=True)
    )


def _hop(cell: DefectCell, step: _Step, multiplicity: int) -> Hop:
    end = cell.atoms.copy()
    end.positions[step.atom] += step.vector
    text = f"{step.description}, {step.length:.2f} Å"
    return Hop(step.atom, text, step.length, multiplicity, cell.atoms.copy(), end)
