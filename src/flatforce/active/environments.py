"""Which atomic environments a calibration holds: an interval is only given to atoms whose environment is like one of them.

Conformal intervals cover at their level on atoms that are drawn as those of the calibration set. An atom beside another defect, in
another phase or in a strongly strained sheet is not. Its SOAP vector lies farther from all of the calibration set than these lie from
one another (novelty by the distance of the nearest neighbour; for force fields: Janet et al., Chem. Sci. 10, 7913, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.neighborlist import neighbor_list

from flatforce.data.curation.diversity import atom_descriptors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray

INSIDE_QUANTILE: Final = 0.99
"""Fraction of the atoms of a frame like those of the calibration set whose own environment is inside."""

BOND_RANGE: Final = 3.0
"""Å. Bonded neighbours, whose environments count too. On other defects of WSe₂ than the calibrated one, the atoms that are inside are then
covered as stated, at 68 and 95 % by 73 and 96 %, and by 65 and 84 % without (`validation/environments.py`). It was chosen among 0, 3, 4 and
5 Å on the same frames."""

MIN_DISTANCE: Final = 1e-4
"""SOAP distance below which two environments are equal: it is that of one environment in two orientations."""

SOAP_RANGE: Final = 6.5
"""Å. Distance beyond which an atom has no influence on a SOAP vector: its cutoff of 5 Å, and 1.5 Å for the width of an atom."""

CHUNK: Final = 2048
"""Atoms whose distances are computed at once; it limits the memory."""


@dataclass(frozen=True)
class CalibratedEnvironments:
    """Environments of the calibration set, and how far an environment that is like them may be from the nearest one."""

    species: Sequence[str]
    """Species of the calibration set."""
    vectors: Mapping[int, FloatArray]
    """Atomic number → (n, D) SOAP vectors of the atoms of the species, of unit length."""
    thresholds: Mapping[int, float]
    """Atomic number → largest distance from the nearest of them, dimensionless, at which an environment is inside."""

    def distances(self, frame: Atoms) -> FloatArray:
        """Compute how far the environment of each atom is from the nearest one of its species in the calibration set.

        Parameters
        ----------
        frame
            A structure.

        Returns
        -------
        (N,) dimensionless, between 0 and √2; infinite for a species that the calibration set does not hold, and near one.
        """
        unknown = ~np.isin(frame.numbers, list(self.vectors))
        if unknown.any():
            return self._distances_without(frame, unknown)
        distances = np.empty(len(frame))
        vectors = atom_descriptors(frame, self.species)
        for z in np.unique(frame.numbers):
            is_species = frame.numbers == z
            distances[is_species] = nearest_distances(vectors[is_species], self.vectors[int(z)])
        return distances

    def _distances_without(self, frame: Atoms, unknown: BoolArray) -> FloatArray:
        """Compute the distances of the atoms that see none of the unknown ones."""
        first, second = neighbor_list("ij", frame, SOAP_RANGE)
        is_near = np.isin(np.arange(len(frame)), first[unknown[second]])
        distances = np.full(len(frame), np.inf)
        if not (unknown | is_near).all():
            distances[~unknown] = self.distances(frame[~unknown])
            distances[is_near] = np.inf
        return distances

    def is_outside(self, frames: Sequence[Atoms]) -> list[BoolArray]:
        """Tell which atoms have no interval: their environment, or that of a bonded neighbour, is unlike any in the calibration set.

        The force on an atom is a derivative of the energies of its neighbours too, so that their environments count as its own.

        Parameters
        ----------
        frames
            Structures.

        Returns
        -------
        (N,) for each frame, whether the atom or a bonded neighbour is unlike all atoms of the calibration set.
        """
        masks = []
        for frame in frames:
            thresholds = np.array([self.thresholds.get(int(z), 0.0) for z in frame.numbers])
            is_unknown = self.distances(frame) > thresholds
            first, second = neighbor_list("ij", frame, BOND_RANGE)
            is_bonded = np.isin(np.arange(len(frame)), first[is_unknown[second]])
            masks.append(is_unknown | is_bonded)
        return masks


def calibrated_environments(
    groups: Sequence[Sequence[Atoms]], *, quantile: float = INSIDE_QUANTILE
) -> CalibratedEnvironments:
    """Collect the environments of a calibration set, and measure how far they are from one another.

    The threshold of a species is a quantile of the distances of its atoms from the nearest environment of another group. Atoms of one
    frame, and neighbouring frames of one trajectory, resemble each other more than a new frame resembles them.

    Parameters
    ----------
    groups
        Frames of the calibration set, grouped by what is correlated: the frames of one trajectory, or single frames. A single
        group is divided into its frames, and a single frame into its atoms.
    quantile
        Fraction of the atoms of another such frame that is inside.

    Returns
    -------
    The environments of all groups together, with one threshold for each species.
    """
    frames = [frame for group in groups for frame in group]
    labels = [number for number, group in enumerate(groups) for frame in group for _ in range(len(frame))]
    if len(groups) == 1:
        labels = [number for number, frame in enumerate(frames) for _ in range(len(frame))]
    if len(frames) == 1:
        labels = list(range(len(frames[0])))
    species = sorted({symbol for frame in frames for symbol in frame.symbols})
    vectors = np.concatenate([atom_descriptors(frame, species) for frame in frames])
    numbers = np.concatenate([frame.numbers for frame in frames])
    by_number = {int(z): numbers == z for z in np.unique(numbers)}
    return CalibratedEnvironments(
        species,
        {z: vectors[is_species] for z, is_species in by_number.items()},
        {
            z: _threshold(vectors[is_species], np.array(labels)[is_species], quantile)
            for z, is_species in by_number.items()
        },
    )


def nearest_distances(
    points: FloatArray, references: FloatArray, *, excluded: tuple[IntArray, IntArray] | None = None
) -> FloatArray:
    """Compute the distance of each unit vector from the nearest reference.

    Parameters
    ----------
    points
        (n, D), each of unit length.
    references
        (m, D), each of unit length.
    excluded
        Labels of the points and of the references; a reference with the label of the point does not count. None counts all.

    Returns
    -------
    (n,) dimensionless, between 0 and √2; infinite where no reference counts.
    """
    nearest = np.empty(len(points))
    for begin in range(0, len(points), CHUNK):
        part = slice(begin, begin + CHUNK)
        cosines = points[part] @ references.T
        if excluded is not None:
            cosines[excluded[0][part][:, None] == excluded[1][None, :]] = -np.inf
        nearest[part] = np.sqrt(np.maximum(2 - 2 * cosines.max(axis=1), 0.0))
    return nearest


def _threshold(vectors: FloatArray, labels: IntArray, quantile: float) -> float:
    """Return the quantile of the distances from other groups, with the finite-sample correction of conformal prediction."""
    distances = np.sort(nearest_distances(vectors, vectors, excluded=(labels, labels)))
    distances = distances[np.isfinite(distances)]
    if not len(distances):  # a species in one group only
        return MIN_DISTANCE
    rank = min(int(np.ceil(quantile * (len(distances) + 1))), len(distances)) - 1
    return max(float(distances[rank]), MIN_DISTANCE)
