"""Frames that occur twice in a dataset: the same calculation read from several files, or appended to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

from flatforce.data.audit.settings import find_conflicts
from flatforce.data.curation.duplicates import fingerprint
from flatforce.data.frames import ENERGY, FORCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

POSITION_TOLERANCE: Final = 5e-5
"""Å. Positions in an `OUTCAR` have five decimals; the lattice constant of pw.x has six in Bohr. The last steps of a relaxation
differ by more."""

ENERGY_TOLERANCE: Final = 1e-6
"""eV/atom. Energies are printed with six decimals or more; two calculations of one structure differ by their convergence."""

FORCE_TOLERANCE: Final = 1e-4
"""eV/Å. Forces are printed with five decimals or more."""


def find_copies(frames: Sequence[Atoms]) -> dict[int, int]:
    """Find frames with the structure and the energy of an earlier one.

    Atoms may be permuted, wrapped, or shifted by any vector; a rotated or mirrored frame is no copy, nor is one of other DFT
    settings.

    Parameters
    ----------
    frames
        Labelled frames.

    Returns
    -------
    Index of each copy → index of the first frame that it repeats.
    """
    groups: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault(frame.get_chemical_formula(), []).append(index)
    originals: dict[int, int] = {}
    for members in groups.values():
        energies = np.array([frames[index].info[ENERGY] / len(frames[index]) for index in members])
        fingerprints: dict[int, FloatArray] = {}
        tree = cKDTree(energies[:, None])
        for k, index in enumerate(members):
            near = sorted(
                other for other in tree.query_ball_point(energies[k : k + 1], ENERGY_TOLERANCE) if other < k
            )
            for other in (members[j] for j in near):
                if other not in originals and _is_copy(frames, index, other, fingerprints):
                    originals[index] = other
                    break
    return originals


def _is_copy(frames: Sequence[Atoms], index: int, other: int, fingerprints: dict[int, FloatArray]) -> bool:
    frame, original = frames[index], frames[other]
    if find_conflicts([frame, original]):
        return False
    norms = [np.sort(np.linalg.norm(one.arrays[FORCES], axis=1)) for one in (frame, original)]
    if np.abs(norms[0] - norms[1]).max() > FORCE_TOLERANCE:
        return False
    if np.abs(frame.cell.array - original.cell.array).max() > POSITION_TOLERANCE:
        return False
    if (
        np.array_equal(frame.numbers, original.numbers)
        and _distance(frame, frame.positions - original.positions) < POSITION_TOLERANCE
    ):
        return True
    for k in (index, other):
        if k not in fingerprints:
            fingerprints[k] = fingerprint(frames[k])
    if np.abs(fingerprints[index] - fingerprints[other]).max() > 2 * POSITION_TOLERANCE:
        return False
    return _is_permuted(frame, original)


def _is_permuted(frame: Atoms, original: Atoms) -> bool:
    """Whether a shift maps every atom of one frame onto an atom of its species in the other."""
    species, counts = np.unique(frame.numbers, return_counts=True)
    rarest = species[counts.argmin()]
    anchor = frame.positions[frame.numbers == rarest][0]
    return any(
        _maps(frame, original, target - anchor) for target in original.positions[original.numbers == rarest]
    )


def _maps(frame: Atoms, original: Atoms, shift: FloatArray) -> bool:
    for number in np.unique(frame.numbers):
        moved = frame.positions[frame.numbers == number] + shift
        targets = original.positions[original.numbers == number]
        differences = _minimum_image(frame, moved[:, None] - targets[None])
        distances = np.linalg.norm(differences, axis=2)
        if distances.min(axis=1).max() > POSITION_TOLERANCE:
            return False
    return True


def _distance(frame: Atoms, differences: FloatArray) -> float:
    return float(np.linalg.norm(_minimum_image(frame, differences), axis=-1).max())


def _minimum_image(frame: Atoms, differences: FloatArray) -> FloatArray:
    """Fold small differences back; the nearest image of a longer one may be missed, which then is far anyway."""
    inverse = np.linalg.inv(frame.cell.array)
    fractional = differences @ inverse
    folded: FloatArray = (fractional - np.round(fractional)) @ frame.cell.array
    return folded
