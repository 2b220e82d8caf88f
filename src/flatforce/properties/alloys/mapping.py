"""Mapping of relaxed sheets to the lattice of their alloy, cluster vectors, and comparison of orderings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.utils.structure_comparator import SymmetryEquivalenceCheck

from flatforce.core.errors import DataError
from flatforce.structures.orderings import import_icet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.structures.alloys import AlloyLattice

IDENTITY_CUTOFFS = (4.6, 2.8, 2.1)
"""Longest pair, triplet, quadruplet in nearest distances of the sublattice that mixes. Orderings whose cluster vectors
differ are different; the others are compared atom by atom."""

VECTOR_TOLERANCE = 1e-6
"""Largest difference between cluster vectors of one ordering: round-off."""


@dataclass(frozen=True)
class Mapped:
    """A sheet mapped to the lattice."""

    ideal: Atoms
    """The undistorted ordering."""
    max_distance: float
    """Largest distance of an atom from its site after the strain is removed, in Å."""
    max_strain: float
    """Largest principal in-plane strain, absolute, dimensionless."""


def map_to_lattice(lattice: AlloyLattice, atoms: Atoms) -> Mapped:
    """Find the ordering that a sheet relaxed from.

    Parameters
    ----------
    lattice
        The alloy.
    atoms
        A sheet of the same species and numbers; its vacuum and orientation in the plane do not matter.

    Returns
    -------
    The ordering, and how far the sheet is displaced and strained from it.

    Raises
    ------
    DataError
        If its cell is no supercell of the lattice.
    """
    import_icet()
    from icet.tools import map_structure_to_reference

    lattice.n_sites(atoms)  # refuses other species
    sheet = atoms.copy()
    sheet.set_constraint()
    sheet.pbc = (True, True, False)
    try:
        ideal, mapping = map_structure_to_reference(
            sheet, lattice.parent, inert_species=lattice.inert or None, suppress_warnings=True
        )
    except ValueError as error:
        raise DataError(
            f"{atoms.info.get('name', atoms.get_chemical_formula())} does not lie on the lattice of {lattice.name}.",
            why=str(error),
            fix="leave it out, or set alloy.a to the lattice constant of its cell",
        ) from error
    strain = np.linalg.eigvalsh(np.asarray(mapping.strain_tensor)[:2, :2])
    ideal.info = dict(atoms.info)
    return Mapped(ideal, float(mapping.drmax), float(np.abs(strain).max()))


def neighbour_distance(lattice: AlloyLattice) -> float:
    """Return the shortest distance between sites that mix.

    Parameters
    ----------
    lattice
        The alloy.

    Returns
    -------
    Shortest distance in Å, periodic images included.
    """
    sites = lattice.parent[lattice.mixing(lattice.parent)].repeat((3, 3, 1))
    distances = sites.get_all_distances(mic=True)
    return float(distances[distances > 1e-3].min())


def cluster_space(lattice: AlloyLattice, cutoffs: Sequence[float]) -> Any:
    """Make icet's cluster space, with more vacuum than the longest cluster.

    Parameters
    ----------
    lattice
        The alloy.
    cutoffs
        Longest pair, triplet, … in Å.

    Returns
    -------
    icet's `ClusterSpace` of the lattice and cutoffs.
    """
    icet = import_icet()
    return icet.ClusterSpace(lattice.spacious(max(cutoffs)), list(cutoffs), lattice.allowed)


def compute_cluster_vectors(space: Any, lattice: AlloyLattice, orderings: Sequence[Atoms]) -> FloatArray:
    """Compute the cluster vectors (correlation functions) of orderings.

    Parameters
    ----------
    space
        Cluster space of `cluster_space`.
    lattice
        The alloy.
    orderings
        Undistorted orderings.

    Returns
    -------
    (n, p) cluster vectors, dimensionless; the empty cluster is first.
    """
    third = space.primitive_structure.cell.array[2]
    return np.array(
        [space.get_cluster_vector(_with_vacuum(ordering, lattice, third)) for ordering in orderings]
    )


def _with_vacuum(ordering: Atoms, lattice: AlloyLattice, third: FloatArray) -> Atoms:
    """Return a copy with the third lattice vector, and thus the vacuum, of a cluster space."""
    atoms = ordering.copy()
    heights = lattice.parent.positions[:, 2]
    middle = (heights.min() + heights.max()) / 2  # where `spacious` has the middle of its cell
    cell = atoms.cell.array.copy()
    cell[2] = third
    atoms.set_cell(cell)
    atoms.positions[:, 2] += third[2] / 2 - middle
    atoms.pbc = True
    return atoms


def ordering_groups(lattice: AlloyLattice, orderings: Sequence[Atoms]) -> list[int]:
    """Group equal orderings, however large their cells.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings.

    Returns
    -------
    For each ordering, the index of the first one that is equal.
    """
    if not orderings:
        return []
    nearest = neighbour_distance(lattice)
    space = cluster_space(lattice, [factor * nearest for factor in IDENTITY_CUTOFFS])
    vectors = compute_cluster_vectors(space, lattice, orderings)
    equivalence = SymmetryEquivalenceCheck(
        to_primitive=True
    )  # equal vectors are no proof: 8-site cells collide
    groups: list[int] = []
    for index, vector in enumerate(vectors):
        close = np.flatnonzero(np.abs(vectors[:index] - vector).max(axis=1, initial=0.0) < VECTOR_TOLERANCE)
        candidates = sorted({groups[other] for other in close})
        equal = (
            other
            for other in candidates
            if equivalence.compare(_periodic(orderings[index]), _periodic(orderings[other]))
        )
        groups.append(next(equal, index))
    return groups


def exchange_groups(lattice: AlloyLattice, orderings: Sequence[Atoms]) -> list[int]:
    """Group the orderings of a binary that are each other's image when its species are exchanged.

    Where the species are alike their energies nearly agree: a model trained on one ordering has seen its image too.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings, all distinct.

    Returns
    -------
    For each ordering, the index of the first of its pair; its own index for more than two species.
    """
    if len(lattice.species) != 2:
        return list(range(len(orderings)))
    images = []
    first, last = lattice.species
    for ordering in orderings:
        image, mixing = ordering.copy(), lattice.mixing(ordering)
        symbols = np.array(ordering.symbols)[mixing]
        image.symbols[mixing] = [last if symbol == first else first for symbol in symbols]
        images.append(image)
    groups = ordering_groups(lattice, [*orderings, *images])
    return [min(index, groups[len(orderings) + index]) for index in range(len(orderings))]


def _periodic(ordering: Atoms) -> Atoms:
    atoms = ordering.copy()
    atoms.pbc = True
    return atoms
