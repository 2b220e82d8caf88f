"""The infinite sheet as a lattice of sites: distances, and which arrangements of defects symmetry makes equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from flatforce.structures.defect_notation import PointDefect, Side
from flatforce.structures.sheet import as_slab, unwrapped_heights
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

VACUUM = 15.0
"""Å, vacuum of a sheet whose symmetry is determined: files come with any vacuum, or with none."""

MIDDLE_TOLERANCE = 0.3
"""Å. An atom nearer to the mid-plane than this is in the middle, else at the top or bottom: half a weak buckling."""

DISTANCE_TOLERANCE = 0.02
"""Å. Distances nearer to each other than this are one shell: less than `RELAXED_SYMPREC`, more than noise of a file."""

UP, DOWN, IN_PLANE = 1, -1, 0

Operation: TypeAlias = tuple[list[list[int]], list[int], list[list[int]], int]
"""(2, 2) rotation, permutation of the basis, lattice offset of each basis atom, and whether the sheet is turned over (−1)."""
Key: TypeAlias = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True)
class Placement:
    """A part of a defect at a site of the infinite sheet."""

    part: PointDefect
    basis: int
    """Index of the atom in the primitive cell."""
    cell: tuple[int, int]
    """Lattice vectors from the first primitive cell."""
    facing: int = IN_PLANE
    """1 for an adatom above the sheet, -1 for one below, 0 for a vacancy or a substitution."""


@dataclass(frozen=True)
class Arrangement:
    """Placements of one part that symmetry makes equal, given the parts before it."""

    distances: tuple[float, ...]
    """Å, distance of its site to the site of each part before."""
    placements: list[Placement]


def sides(atoms: Atoms) -> list[Side]:
    """Say for each atom whether it is above, in, or below the mid-plane.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    (N,) side of each atom.
    """
    heights = unwrapped_heights(atoms)
    middle = (heights.max() + heights.min()) / 2
    return [
        "middle" if abs(z - middle) < MIDDLE_TOLERANCE else "top" if z > middle else "bottom" for z in heights
    ]


class Lattice:
    """The infinite sheet of a primitive cell: its sites, distances and symmetry.

    Parameters
    ----------
    primitive
        A sheet.
    """

    def __init__(self, primitive: Atoms) -> None:
        self.primitive = primitive
        self.sides = sides(primitive)
        self.heights = unwrapped_heights(primitive)
        self.fractional: FloatArray = primitive.get_scaled_positions(wrap=False)[:, :2]
        self.vectors: FloatArray = primitive.cell.array[:2, :2]

    @cached_property
    def operations(self) -> list[Operation]:
        """Symmetry operations of the sheet, in lattice coordinates."""
        slab = as_slab(self.primitive, gap=VACUUM)
        symmetry = find_symmetry(slab, symprec=RELAXED_SYMPREC)
        operations = []
        for rotation, translation, permutation in zip(
            symmetry.rotations, symmetry.translations, symmetry.permutations, strict=True
        ):
            images = self.fractional @ rotation[:2, :2].T + translation[:2]
            offsets = np.round(images - self.fractional[permutation]).astype(int)
            operations.append(
                (rotation[:2, :2].tolist(), permutation.tolist(), offsets.tolist(), int(rotation[2, 2]))
            )
        return operations

    def candidates(self, part: PointDefect) -> list[tuple[int, int]]:
        """List the basis atoms that a part may take, with the side that an adatom faces.

        Parameters
        ----------
        part
            A part of a defect; its site number is ignored.

        Returns
        -------
        Pairs of basis index and facing. An adatom takes the atoms of its species that are nearest to its side.
        """
        basis = [i for i, symbol in enumerate(self.primitive.symbols) if symbol == part.site_symbol]
        if part.kind != "adatom":
            return [(i, IN_PLANE) for i in basis if part.side in {None, self.sides[i]}]
        facings = {"top": (UP,), "bottom": (DOWN,), "middle": (), None: (UP, DOWN)}[part.side]
        return [
            (i, facing)
            for facing in facings
            for i in basis
            if facing * self.heights[i] > max(facing * self.heights[basis]) - MIDDLE_TOLERANCE
        ]

    def key(self, placements: Sequence[Placement]) -> Key:
        """Label a complex so that two have the same label exactly where symmetry carries one onto the other.

        Parameters
        ----------
        placements
            The parts with their sites.

        Returns
        -------
        The smallest list of (change, basis index, cell, facing) among all symmetric copies.
        """
        changes = [f"{placed.part.kind} {placed.part.symbol}" for placed in placements]
        keys = []
        for rotation, permutation, offsets, flip in self.operations:
            images = [
                (
                    permutation[placed.basis],
                    *(
                        row[0] * placed.cell[0] + row[1] * placed.cell[1] + offset
                        for row, offset in zip(rotation, offsets[placed.basis], strict=True)
                    ),
                    flip * placed.facing,
                )
                for placed in placements
            ]
            keys += [
                tuple(
                    sorted(
                        (change, basis, i - anchor[1], j - anchor[2], facing)
                        for change, (basis, i, j, facing) in zip(changes, images, strict=True)
                    )
                )
                for anchor in images
            ]
        return min(keys)

    def offset(
        self, one: Placement, other: Placement, repeats: tuple[int, int] | None = None
    ) -> tuple[FloatArray, float]:
        """Return the vector from one site to another.

        Parameters
        ----------
        one
            A part at its site.
        other
            Another part at its site.
        repeats
            Supercell of whose periodic images the nearest counts; None for the infinite sheet.

        Returns
        -------
        (2,) Å, in-plane vector; and Å, difference in height.
        """
        steps = self.fractional[other.basis] - self.fractional[one.basis] + np.subtract(other.cell, one.cell)
        lateral = steps @ self.vectors
        if repeats is not None:
            size = np.array(repeats)
            steps = steps - np.round(steps / size) * size
            images = steps + size * np.array(list(product((-1, 0, 1), repeat=2)))
            lateral = min(images @ self.vectors, key=np.linalg.norm)
        return lateral, float(self.heights[other.basis] - self.heights[one.basis])

    def distance(self, one: Placement, other: Placement, repeats: tuple[int, int] | None = None) -> float:
        """Return the distance between two sites.

        Parameters
        ----------
        one
            A part at its site.
        other
            Another part at its site.
        repeats
            Supercell whose periodic images count; None for the infinite sheet.

        Returns
        -------
        Å. An adatom counts at the atom that it sits above.
        """
        lateral, height = self.offset(one, other, repeats)
        return float(np.hypot(np.linalg.norm(lateral), height))

    def arrangements(
        self, part: PointDefect, before: Sequence[Placement], *, count: int
    ) -> list[Arrangement]:
        """List the distinct places of a part beside others, nearest to the first of them first.

        Parameters
        ----------
        part
            The part to place.
        before
            Parts that have their sites.
        count
            How many to return.

        Returns
        -------
        (count,) arrangements, ordered by the distances to the parts before; equal distances in the order of the file.
        """
        width = abs(np.linalg.det(self.vectors)) / np.linalg.norm(self.vectors, axis=1).max()
        shells = 2
        while True:
            groups = self._groups(part, before, shells, max_distance=(shells - 1) * float(width), count=count)
            if len(groups) >= count:
                return groups[:count]
            shells *= 2

    def _groups(
        self, part: PointDefect, before: Sequence[Placement], shells: int, *, max_distance: float, count: int
    ) -> list[Arrangement]:
        near = []
        for (basis, facing), i, j in product(
            self.candidates(part), range(-shells, shells + 1), range(-shells, shells + 1)
        ):
            cell = (before[0].cell[0] + i, before[0].cell[1] + j)
            placed = Placement(part, basis, cell, facing)
            distance = self.distance(before[0], placed)
            if distance <= max_distance and not overlaps(placed, before):
                near.append((distance, placed))
        near.sort(key=lambda pair: (pair[0], pair[1].basis, pair[1].cell, pair[1].facing))
        groups: dict[Key, Arrangement] = {}
        first_distances: list[float] = []
        for distance, placed in near:
            if len(groups) >= count and distance > first_distances[count - 1] + DISTANCE_TOLERANCE:
                break
            key = self.key([*before, placed])
            distances = tuple(self.distance(other, placed) for other in before)
            if key in groups:
                groups[key].placements.append(placed)
            else:
                groups[key] = Arrangement(distances, [placed])
                first_distances.append(distance)
        columns = zip(*(group.distances for group in groups.values()), strict=True)
        ranks = zip(*(_ranks(column) for column in columns), strict=True)
        order = sorted(zip(ranks, groups, strict=True))
        return [groups[key] for _, key in order]


def overlaps(placed: Placement, before: Sequence[Placement], repeats: tuple[int, int] | None = None) -> bool:
    """Say whether a part is at the place of another.

    Parameters
    ----------
    placed
        The part.
    before
        The others.
    repeats
        Supercell whose periodic images count; None for the infinite sheet.

    Returns
    -------
    An adatom overlaps an adatom only, a vacancy or a substitution one of these.
    """
    return any(
        (placed.basis, placed.facing) == (other.basis, other.facing)
        and (
            placed.cell == other.cell
            if repeats is None
            else not np.mod(np.subtract(placed.cell, other.cell), repeats).any()
        )
        for other in before
    )


def _ranks(values: Sequence[float]) -> list[int]:
    """(n,) rank of each value; values nearer than the tolerance to the next lower one share its rank."""
    ordered = np.sort(values)
    rank = np.concatenate([[0], np.cumsum(np.diff(ordered) > DISTANCE_TOLERANCE)])
    ranks: list[int] = rank[np.searchsorted(ordered, values)].tolist()
    return ranks
