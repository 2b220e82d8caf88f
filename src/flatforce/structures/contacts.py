"""Distances between atoms compared with the sum of their covalent radii: atoms on top of one another, and atoms without a bond."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import covalent_radii
from ase.geometry import complete_cell, minkowski_reduce

if TYPE_CHECKING:
    from collections.abc import Collection

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

MIN_BOND: Final = 0.6
"""Length of the shortest bonds relative to the sum of the covalent radii (B. Cordero et al., Dalton Trans. 2832 (2008)): the shortest
known, of Cr2 (1.68 Å), has 0.604. The bundled frames, strongly rattled ones among them, have 0.755 and more
(validation/structure_thresholds.py)."""

MIN_CONTACT: Final = 0.5
"""Smallest relative distance of two atoms in a structure that is accepted: less than `MIN_BOND`, because a large ion that was put on a small
site has not relaxed yet, such as K on a C site of graphene with 0.51."""

MAX_CONTACT: Final = 1.7
"""Largest relative distance of nearest neighbours in a sheet. The nearest atoms of each of the bundled frames, of 66 monolayers, have 0.76
to 1.16 (validation/structure_thresholds.py); lengths in bohr that are read as Å are 1.89 times as large."""

MAX_DENSE: Final = 300
"""Number of atoms up to which all pairs are compared; a neighbour list of ASE takes 20 ms even for three atoms."""

MAX_SEARCHED: Final = 50
"""Number of atoms, evenly drawn, of which one must have a neighbour."""


@dataclass(frozen=True)
class Contact:
    """Two atoms, or an atom and its own periodic image, and their distance."""

    first: int
    """Index of one atom."""
    second: int
    """Index of the other; the same where an atom is near its own periodic image."""
    distance: float
    """Å."""
    relative: float
    """Distance divided by the sum of the covalent radii."""

    def describe(self, atoms: Atoms) -> str:
        """Name the two atoms and their distance.

        Parameters
        ----------
        atoms
            The structure.

        Returns
        -------
        A clause such as `atoms 3 (O) and 4 (O) are 0.000 Å apart`.
        """
        first, second = (f"{i} ({atoms.symbols[i]})" for i in (self.first, self.second))
        if self.first == self.second:
            distance = f"{self.distance:.3f}" if self.distance > 0.01 else f"{self.distance:.3g}"
            return f"atom {first} and its own periodic image are {distance} Å apart"
        return f"atoms {first} and {second} are {self.distance:.3f} Å apart"


def closest_contact(atoms: Atoms, *, limit: float, of: Collection[int] | None = None) -> Contact | None:
    """Find two atoms that are nearer to one another than a multiple of the sum of their covalent radii.

    Parameters
    ----------
    atoms
        A structure; images along its periodic axes count.
    limit
        The multiple.
    of
        Indices of atoms, one of which has to be in the pair; all atoms if None.

    Returns
    -------
    The pair that is nearest relative to the radii; None if no pair is that near.
    """
    radii = covalent_radii[atoms.numbers]
    largest = int(np.argmax(radii))
    period = shortest_period(atoms)
    if period < 2 * limit * radii[largest]:  # before a search that would count its images
        return Contact(largest, largest, period, period / (2 * radii[largest]))
    first, second, distances = _near_pairs(atoms, limit * radii)
    if of is not None:
        selected = np.isin(first, list(of))
        first, second, distances = first[selected], second[selected], distances[selected]
    if len(first) == 0:
        return None
    relative = distances / (radii[first] + radii[second])
    k = int(np.argmin(relative))
    pair = sorted((int(first[k]), int(second[k])))
    return Contact(pair[0], pair[1], float(distances[k]), float(relative[k]))


def has_bond(atoms: Atoms) -> bool:
    """Tell whether atoms of a structure are near enough to one another to be bound.

    Parameters
    ----------
    atoms
        A structure; images along its periodic axes count.

    Returns
    -------
    False if no atom has a neighbour within `MAX_CONTACT` times the sum of the covalent radii.
    """
    radii = covalent_radii[atoms.numbers]
    for i in np.unique(np.linspace(0, len(atoms) - 1, MAX_SEARCHED).astype(int)).tolist():
        distances = _image_distances(atoms.positions - atoms.positions[i], atoms)
        distances[0, i] = np.inf  # the atom itself
        if (distances < MAX_CONTACT * (radii + radii[i])).any():
            return True
    return False


def shortest_period(atoms: Atoms) -> float:
    """Compute the length of the shortest lattice vector.

    Parameters
    ----------
    atoms
        A structure.

    Returns
    -------
    Å, distance of an atom from its nearest periodic image; infinite without periodic axes.
    """
    lengths = np.linalg.norm(_reduced_cell(atoms)[atoms.pbc], axis=1)
    return float(lengths.min()) if len(lengths) else float("inf")


def _reduced_cell(atoms: Atoms) -> FloatArray:
    reduced, _ = minkowski_reduce(complete_cell(atoms.cell), pbc=atoms.pbc)
    return np.asarray(reduced)


def _near_pairs(atoms: Atoms, radii: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """(P,) first and second atom and distance in Å of all pairs within the sum of their radii; no period is shorter than that."""
    if len(atoms) > MAX_DENSE:
        from ase.neighborlist import neighbor_list

        first, second, distances = neighbor_list("ijd", atoms, radii)
        return first, second, distances
    vectors = atoms.positions[None] - atoms.positions[:, None]
    distances = _image_distances(vectors.reshape(-1, 3), atoms).reshape(-1, len(atoms), len(atoms))
    np.fill_diagonal(distances[0], np.inf)
    _, first, second = np.nonzero(near := distances < radii[:, None] + radii)
    return first, second, distances[near]


def _image_distances(vectors: FloatArray, atoms: Atoms) -> FloatArray:
    """(I, V) Å, lengths of vectors to their nearest images in the reduced cell, the nearest lattice point first."""
    cell = _reduced_cell(atoms)
    fractional = vectors @ np.linalg.inv(cell)
    fractional -= np.round(fractional) * atoms.pbc
    shifts = np.array(
        list(product(*((0, -1, 1) if periodic else (0,) for periodic in atoms.pbc))), dtype=float
    )
    lengths: FloatArray = np.linalg.norm((fractional[None] + shifts[:, None]) @ cell, axis=2)
    return lengths
