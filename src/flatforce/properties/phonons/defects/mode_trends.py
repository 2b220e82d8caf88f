"""How many atoms the modes of a defect move in supercells of growing size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.properties.phonons.spectra.defect_modes import Mode
    from flatforce.properties.phonons.spectra.mode_classes import Classification

FREQUENCY_TOLERANCE = 0.15
"""THz. Modes of two sizes with the same representation within this are the same mode: twice the broadening."""


@dataclass(frozen=True)
class ModeTrend:
    """One degenerate set of the largest cell, and the same mode in the smaller ones."""

    frequency: float
    """THz."""
    irrep: str
    """Irreducible representation under the site group."""
    participation_number: list[float | None]
    """Participation number in each size, the smallest cell first; None where the mode was not found."""
    growth: float | None
    """d ln(participation number) / d ln(number of atoms): 0 for a local mode, 1 for an extended one; None if the mode was
    found in one size only."""
    classification: Classification
    """Class of the mode in the largest cell: `local`, `resonance` or `extended`, see `spectra.mode_classes`."""


def follow_through_sizes(sizes: Sequence[tuple[int, Sequence[Mode]]]) -> list[ModeTrend]:
    """Match the modes of the largest cell with those of the smaller ones.

    Parameters
    ----------
    sizes
        Number of atoms and listed modes of each supercell.

    Returns
    -------
    One entry for each listed set of the largest cell.
    """
    ordered = sorted(sizes, key=lambda size: size[0])
    return [_trend(mode, ordered) for mode in ordered[-1][1]]


def _trend(mode: Mode, sizes: Sequence[tuple[int, Sequence[Mode]]]) -> ModeTrend:
    smaller = [_participation_number_in(modes, mode) for _, modes in sizes[:-1]]
    numbers = [*smaller, mode.participation_number]
    found_in = [(n_atoms, p) for (n_atoms, _), p in zip(sizes, numbers, strict=True) if p is not None]
    growth = None
    if len(found_in) > 1:
        log_sizes, log_numbers = np.log(np.array(found_in)).T
        growth = float(np.polyfit(log_sizes, log_numbers, 1)[0])
    return ModeTrend(mode.frequency, mode.irrep, numbers, growth, mode.classification)


def _participation_number_in(modes: Sequence[Mode], mode: Mode) -> float | None:
    """Participation number of the same mode among those of another size; None where it is not found."""
    same = [
        other
        for other in modes
        if other.irrep == mode.irrep and abs(other.frequency - mode.frequency) < FREQUENCY_TOLERANCE
    ]
    nearest = min(same, key=lambda other: abs(other.frequency - mode.frequency), default=None)
    return None if nearest is None else nearest.participation_number
