"""What a training set knows of distances and neighbours, and where a structure leaves it.

A force field interpolates between the structures that it was trained on. Two atoms that are nearer to one another than any two of their
elements in the training set are in a region that no label constrains, and the energy there can be wrong by many eV.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.neighborlist import neighbor_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

PAIR_RANGE: Final = 6.0
"""Å. Pairs of elements that are farther apart than this in all frames count as unknown."""

NEIGHBOUR_RANGE: Final = 1.15
"""Multiple of the sum of the covalent radii within which two atoms are neighbours: bonds of the bundled frames have up to 1.05. Twice the
largest radius, that of Fr, is within `PAIR_RANGE`."""


@dataclass(frozen=True)
class ClosePair:
    """The two atoms of a pair of elements that are nearest to one another in a structure."""

    first: int
    """Index of one atom."""
    second: int
    """Index of the other; the same where an atom is near its own periodic image."""
    distance: float
    """Å."""


@dataclass(frozen=True)
class TrainingRange:
    """Smallest distances and numbers of neighbours in a training set."""

    shortest: Mapping[str, float]
    """Pair of elements, such as `Se-W` → Å, smallest distance in any frame; a pair that is never within `PAIR_RANGE` is missing."""
    neighbours: Mapping[str, tuple[int, int]]
    """Element → smallest and largest number of neighbours of its atoms."""

    def too_close(self, frame: Atoms) -> dict[str, str]:
        """Find pairs of elements that are nearer to one another than in the training set.

        Parameters
        ----------
        frame
            A structure.

        Returns
        -------
        Pair of elements → a clause that names the two atoms, their distance, and the smallest one in the training set.
        """
        texts = {}
        for pair, closest in closest_pairs(frame).items():
            first, second = (f"{i} ({frame.symbols[i]})" for i in (closest.first, closest.second))
            words = f"atoms {first} and {second} are {closest.distance:.2f} Å apart"
            if pair not in self.shortest:
                texts[pair] = f"{words}, and the training set has no {pair} pair nearer than {PAIR_RANGE:g} Å"
            elif closest.distance < self.shortest[pair]:
                texts[pair] = (
                    f"{words}, and the closest {pair} pair of the training set is {self.shortest[pair]:.2f} Å apart"
                )
        return texts

    def unusual_neighbours(self, frame: Atoms) -> dict[str, str]:
        """Find elements whose atoms have fewer or more neighbours than in the training set.

        Parameters
        ----------
        frame
            A structure.

        Returns
        -------
        Element → a clause that names the first such atom and its number of neighbours.
        """
        texts: dict[str, str] = {}
        for i, count in enumerate(count_neighbours(frame).tolist()):
            symbol = str(frame.symbols[i])
            low, high = self.neighbours.get(symbol, (0, 0))
            if symbol not in texts and not low <= count <= high:
                texts[symbol] = (
                    f"atom {i} ({symbol}) has {count} neighbours, and {symbol} has {low} to {high} in the training set"
                )
        return texts

    def united(self, other: TrainingRange) -> TrainingRange:
        """Return the range of two training sets together, such as those before and after fine-tuning.

        Parameters
        ----------
        other
            Range of the other set.

        Returns
        -------
        For each pair the smaller distance, for each element the wider range of neighbours.
        """
        pairs, elements = {*self.shortest, *other.shortest}, {*self.neighbours, *other.neighbours}
        return TrainingRange(
            {
                pair: min(ranges.shortest.get(pair, np.inf) for ranges in (self, other))
                for pair in sorted(pairs)
            },
            {
                element: _widest([ranges.neighbours.get(element) for ranges in (self, other)])
                for element in sorted(elements)
            },
        )

    def common(self, other: TrainingRange) -> TrainingRange:
        """Return what two training sets both know, as all members of a committee must.

        Parameters
        ----------
        other
            Range of the other set.

        Returns
        -------
        For each pair that both know the larger distance, for each element the numbers of neighbours that both have.
        """
        return TrainingRange(
            {
                pair: max(distance, other.shortest[pair])
                for pair, distance in self.shortest.items()
                if pair in other.shortest
            },
            {
                element: (max(low, other.neighbours[element][0]), min(high, other.neighbours[element][1]))
                for element, (low, high) in self.neighbours.items()
                if element in other.neighbours
            },
        )

    def as_values(self) -> dict[str, Any]:
        """Return plain values for a model card.

        Returns
        -------
        `shortest_distances` in Å by pair of elements, and `neighbours`, the smallest and largest number by element.
        """
        return {
            "shortest_distances": {
                pair: int(distance * 1e4) / 1e4 for pair, distance in self.shortest.items()
            },
            "neighbours": {element: list(limits) for element, limits in self.neighbours.items()},
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> TrainingRange:
        """Read what `as_values` returned.

        Parameters
        ----------
        values
            Entry of a model card.

        Returns
        -------
        The range, with distances rounded down to 0.0001 Å.
        """
        return cls(
            {str(pair): float(distance) for pair, distance in values["shortest_distances"].items()},
            {str(element): (int(low), int(high)) for element, (low, high) in values["neighbours"].items()},
        )


def measure_range(frames: Iterable[Atoms]) -> TrainingRange:
    """Measure smallest distances and numbers of neighbours of a training set.

    Parameters
    ----------
    frames
        Its frames.

    Returns
    -------
    Smallest distance of each pair of elements in Å, and smallest and largest number of neighbours of each element.
    """
    shortest: dict[str, float] = {}
    counts: dict[str, set[int]] = defaultdict(set)
    for frame in frames:
        neighbours = _neighbour_list(frame)
        for pair, closest in _closest(frame, *neighbours).items():
            shortest[pair] = min(shortest.get(pair, np.inf), closest.distance)
        for symbol, count in zip(frame.symbols, _count(frame, *neighbours).tolist(), strict=True):
            counts[symbol].add(count)
    return TrainingRange(
        dict(sorted(shortest.items())),
        {symbol: (min(numbers), max(numbers)) for symbol, numbers in sorted(counts.items())},
    )


def closest_pairs(frame: Atoms) -> dict[str, ClosePair]:
    """Find the two nearest atoms of each pair of elements.

    Parameters
    ----------
    frame
        A structure; images along its periodic axes count.

    Returns
    -------
    Pair of elements in alphabetical order, such as `Se-W` → the two atoms and their distance; pairs within `PAIR_RANGE` only.
    """
    return _closest(frame, *_neighbour_list(frame))


def _neighbour_list(frame: Atoms) -> tuple[IntArray, IntArray, FloatArray]:
    """First and second atom and distance in Å of all pairs within `PAIR_RANGE`."""
    first, second, distance = neighbor_list("ijd", frame, PAIR_RANGE)
    return first, second, distance


def _closest(frame: Atoms, first: IntArray, second: IntArray, distance: FloatArray) -> dict[str, ClosePair]:
    nearest: dict[str, ClosePair] = {}
    elements = np.unique(frame.numbers)
    for k, number in enumerate(elements):
        for other in elements[k:]:
            among = np.flatnonzero((frame.numbers[first] == number) & (frame.numbers[second] == other))
            if len(among):
                closest = among[distance[among].argmin()]
                i, j = sorted((int(first[closest]), int(second[closest])))
                pair = "-".join(sorted((chemical_symbols[number], chemical_symbols[other])))
                nearest[pair] = ClosePair(i, j, float(distance[closest]))
    return dict(sorted(nearest.items()))


def pair_courses(frames: Sequence[Atoms]) -> dict[str, FloatArray]:
    """Follow the smallest distance of each pair of elements through frames.

    Parameters
    ----------
    frames
        Frames of the same atoms.

    Returns
    -------
    Pair of elements → (F,) Å; infinite where no pair is within `PAIR_RANGE`.
    """
    closest = [closest_pairs(frame) for frame in frames]
    pairs = sorted({pair for of_frame in closest for pair in of_frame})
    return {
        pair: np.array([of_frame[pair].distance if pair in of_frame else np.inf for of_frame in closest])
        for pair in pairs
    }


def count_neighbours(frame: Atoms) -> IntArray:
    """Count the neighbours of each atom.

    Parameters
    ----------
    frame
        A structure.

    Returns
    -------
    (N,) number of atoms within `NEIGHBOUR_RANGE` times the sum of the covalent radii.
    """
    return _count(frame, *_neighbour_list(frame))


def _count(frame: Atoms, first: IntArray, second: IntArray, distance: FloatArray) -> IntArray:
    radii = covalent_radii[frame.numbers]
    near = distance < NEIGHBOUR_RANGE * (radii[first] + radii[second])
    return np.bincount(first[near], minlength=len(frame))


def _widest(limits: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
    known = [pair for pair in limits if pair is not None]
    return min(low for low, _ in known), max(high for _, high in known)
