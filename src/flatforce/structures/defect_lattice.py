"""The infinite sheet as a lattice of sites: distances, and which arrangements of defects symmetry makes equal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from flatforce.structures.adatoms import adatom_height
from flatforce.structures.defect_geometry import (
    DOWN,
    IN_PLANE,
    MIDDLE_TOLERANCE,
    UP,
    VACUUM,
    Arrangement,
    Placement,
    overlaps,
    sides,
)
from flatforce.structures.defect_notation import PointDefect
from flatforce.structures.sheet import as_slab, unwrapped_heights
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray

DISTANCE_TOLERANCE = 0.02
"""Å. Distances nearer to each other than this are one shell: less than `RELAXED_SYMPREC`, more than noise of a file."""

Operation: TypeAlias = tuple[list[list[int]], list[int], list[list[int]], int]
"""(2, 2) rotation, permutation of the basis, lattice offset of each basis atom, and whether the sheet is turned over (−1)."""
Key: TypeAlias = tuple[tuple[str, int, int, int, int], ...]


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
        self._adatom_heights: dict[tuple[int, str, int], float] = {}

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
        self, start: Placement, end: Placement, repeats: tuple[int, int] | None = None
    ) -> tuple[FloatArray, float]:
        """Return the vector from one part to another.

        Parameters
        ----------
        start
            A part at its site.
        end
            Another part at its site.
        repeats
            Supercell of whose periodic images the nearest counts; None for the infinite sheet.

        Returns
        -------
        (2,) Å, in-plane vector; and Å, difference in height.
        """
        steps = self.fractional[end.basis] - self.fractional[start.basis] + np.subtract(end.cell, start.cell)
        lateral = steps @ self.vectors
        if repeats is not None:
            size = np.array(repeats)
            steps = steps - np.round(steps / size) * size
            images = steps + size * np.array(list(product((-1, 0, 1), repeat=2)))
            lateral = min(images @ self.vectors, key=np.linalg.norm)
        return lateral, self.height(end) - self.height(start)

    def height(self, placed: Placement) -> float:
        """Return the height of a part.

        Parameters
        ----------
        placed
            A part at its site.

        Returns
        -------
        Å, height of the site for a vacancy or a substitution, of the added atom for an adatom.
        """
        if placed.facing == IN_PLANE or placed.part.symbol is None:
            return float(self.heights[placed.basis])
        key = (placed.basis, placed.part.symbol, placed.facing)
        if key not in self._adatom_heights:
            self._adatom_heights[key] = adatom_height(
                self.primitive, placed.basis, placed.part.symbol, facing=placed.facing
            )
        return self._adatom_heights[key]

    def distance(self, start: Placement, end: Placement, repeats: tuple[int, int] | None = None) -> float:
        """Return the distance between two parts.

        Parameters
        ----------
        start
            A part at its site.
        end
            Another part at its site.
        repeats
            Supercell whose periodic images count; None for the infinite sheet.

        Returns
        -------
        Å, in space. An adatom counts where the added atom is built, not at the atom that it sits above.
        """
        lateral, height = self.offset(start, end, repeats)
        return float(np.hypot(np.linalg.norm(lateral), height))

    def arrangements(
        self, part: PointDefect, others: Sequence[Placement], *, count: int, farthest: float = float("inf")
    ) -> list[Arrangement]:
        """List the distinct places of a part beside others, nearest to the first of them first.

        Parameters
        ----------
        part
            The part to place.
        others
            Parts that have their sites.
        count
            How many to return.
        farthest
            Å. Fewer are returned once those nearer than this are all found.

        Returns
        -------
        (count,) arrangements or fewer, ordered by the distances to the parts before; equal distances in the order of the file.
        """
        width = abs(np.linalg.det(self.vectors)) / np.linalg.norm(self.vectors, axis=1).max()
        shells = 2
        while True:
            max_distance = (shells - 1) * float(width)
            groups = self._groups(part, others, shells, max_distance=max_distance, count=count)
            if len(groups) >= count or max_distance > farthest:
                return groups[:count]
            shells *= 2

    def _groups(
        self, part: PointDefect, others: Sequence[Placement], shells: int, *, max_distance: float, count: int
    ) -> list[Arrangement]:
        near = []
        for (basis, facing), i, j in product(
            self.candidates(part), range(-shells, shells + 1), range(-shells, shells + 1)
        ):
            shift = np.round(self.fractional[others[0].basis] - self.fractional[basis]).astype(int)
            cell = (others[0].cell[0] + int(shift[0]) + i, others[0].cell[1] + int(shift[1]) + j)
            placed = Placement(part, basis, cell, facing)
            distance = self.distance(others[0], placed)
            if distance <= max_distance and not overlaps(placed, others):
                near.append((distance, placed))
        near.sort(key=lambda pair: (pair[0], pair[1].basis, pair[1].cell, pair[1].facing))
        groups: dict[Key, Arrangement] = {}
        last_distance = 0.0
        for distance, placed in near:
            if len(groups) >= count and distance > last_distance + DISTANCE_TOLERANCE:
                break  # a shell is complete
            last_distance = distance
            key = self.key([*others, placed])
            distances = tuple(self.distance(other, placed) for other in others)
            if key in groups:
                groups[key].placements.append(placed)
            else:
                groups[key] = Arrangement(distances, [placed])
        columns = zip(*(group.distances for group in groups.values()), strict=True)
        ranks = zip(*(_ranks(column) for column in columns), strict=True)
        order = sorted(zip(ranks, groups, strict=True))
        return [groups[key] for _, key in order]


def _ranks(values: Sequence[float]) -> list[int]:
    """(n,) rank of each value; values nearer than the tolerance to the next lower one share its rank."""
    ordered = np.sort(values)
    rank = np.concatenate([[0], np.cumsum(np.diff(ordered) > DISTANCE_TOLERANCE)])
    ranks: list[int] = rank[np.searchsorted(ordered, values)].tolist()
    return ranks
