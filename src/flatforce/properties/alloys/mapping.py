"""Relaxed sheets laid back on the lattice of their alloy: which ordering, how far from it, or no longer on it."""

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
"""In nearest distances of the sublattice that mixes: pairs, triplets, quadruplets. Orderings that differ in them are
different; the others are compared atom by atom."""

SAME_VECTOR = 1e-6
"""Largest difference of the cluster vectors of one ordering: round-off."""


@dataclass(frozen=True)
class Mapped:
    """A sheet on the lattice."""

    ideal: Atoms
    """The ordering, undistorted."""
    distance: float
    """Å, largest distance of an atom from its site, the strain taken out."""
    strain: float
    """Largest principal strain in the plane, absolute."""


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
    The ordering and how far the sheet has moved from it.

    Raises
    ------
    DataError
        If its cell is no cell of the lattice.
    """
    import_icet()
    from icet.tools import map_structure_to_reference

    lattice.n_sites(atoms)  # refuses other species
    flat = atoms.copy()
    flat.set_constraint()
    flat.pbc = (True, True, False)
    try:
        ideal, found = map_structure_to_reference(
            flat, lattice.parent, inert_species=lattice.inert or None, suppress_warnings=True
        )
    except ValueError as error:
        raise DataError(
            f"{atoms.info.get('name', atoms.get_chemical_formula())} does not lie on the lattice of {lattice.name}.",
            why=str(error),
            fix="leave it out, or give the lattice constant that its cell belongs to",
        ) from error
    strain = np.linalg.eigvalsh(np.asarray(found.strain_tensor)[:2, :2])
    ideal.info = dict(atoms.info)
    return Mapped(ideal, float(found.drmax), float(np.abs(strain).max()))


def neighbour_distance(lattice: AlloyLattice) -> float:
    """Return the nearest distance between sites that mix.

    Parameters
    ----------
    lattice
        The alloy.

    Returns
    -------
    Å.
    """
    sites = lattice.parent[lattice.mixing(lattice.parent)].repeat((3, 3, 1))
    distances = sites.get_all_distances(mic=True)
    return float(distances[distances > 1e-3].min())


def cluster_space(lattice: AlloyLattice, cutoffs: Sequence[float]) -> Any:
    """Make icet's cluster space, its vacuum wider than any cluster.

    Parameters
    ----------
    lattice
        The alloy.
    cutoffs
        Å, of pairs, triplets, …

    Returns
    -------
    The space.
    """
    icet = import_icet()
    return icet.ClusterSpace(lattice.spacious(max(cutoffs)), list(cutoffs), lattice.allowed)


def cluster_vectors_in(space: Any, lattice: AlloyLattice, orderings: Sequence[Atoms]) -> FloatArray:
    """Compute correlations of orderings.

    Parameters
    ----------
    space
        Of `cluster_space`.
    lattice
        The alloy.
    orderings
        Undistorted orderings.

    Returns
    -------
    (n, p) dimensionless, the empty cluster first.
    """
    third = space.primitive_structure.cell.array[2]
    return np.array([space.get_cluster_vector(_spaced(one, lattice, third)) for one in orderings])


def _spaced(ordering: Atoms, lattice: AlloyLattice, third: FloatArray) -> Atoms:
    """Give an ordering the vacuum of a cluster space."""
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
    """Tell which orderings are the same, however large their cells.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings.

    Returns
    -------
    For each, the place of the first one like it.
    """
    if not orderings:
        return []
    nearest = neighbour_distance(lattice)
    space = cluster_space(lattice, [factor * nearest for factor in IDENTITY_CUTOFFS])
    vectors = cluster_vectors_in(space, lattice, orderings)
    alike = SymmetryEquivalenceCheck(to_primitive=True)  # equal vectors are no proof: 8-site cells collide
    groups: list[int] = []
    for number, vector in enumerate(vectors):
        close = np.flatnonzero(np.abs(vectors[:number] - vector).max(axis=1, initial=0.0) < SAME_VECTOR)
        firsts = sorted({groups[k] for k in close})
        same = (k for k in firsts if alike.compare(_thick(orderings[number]), _thick(orderings[k])))
        groups.append(next(same, number))
    return groups


def exchange_groups(lattice: AlloyLattice, orderings: Sequence[Atoms]) -> list[int]:
    """Tell which orderings of a binary are one another's image when its species change places.

    Where the species are alike their energies nearly agree: a model that has learnt one has been told the other.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted, distinct orderings.

    Returns
    -------
    For each, the place of the first of its pair; its own place for more species.
    """
    if len(lattice.species) != 2:
        return list(range(len(orderings)))
    images = []
    for one in orderings:
        image, mixing = one.copy(), lattice.mixing(one)
        first, last = lattice.species
        image.symbols[mixing] = [last if s == first else first for s in np.array(one.symbols)[mixing]]
        images.append(image)
    found = ordering_groups(lattice, [*orderings, *images])
    return [min(k, found[len(orderings) + k]) for k in range(len(orderings))]


def _thick(ordering: Atoms) -> Atoms:
    atoms = ordering.copy()
    atoms.pbc = True
    return atoms
