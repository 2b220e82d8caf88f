"""Local modes, resonances and extended modes, told apart by the bands and by how they grow with the supercell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.properties.phonons.spectra.localisation import Mode

FREQUENCY_TOLERANCE = 0.15
"""THz. Modes of two sizes with the same representation within this are the same mode: twice the broadening."""

EXTENDED_GROWTH = 0.75
"""Exponent of the growth above which a mode is extended: that of an extended mode is 1, that of a resonance is smaller."""


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
    classification: str
    """`local` for a gap mode, else `resonance` or `extended`; empty if the mode was found in one size only."""


def classify_modes(sizes: Sequence[tuple[int, Sequence[Mode]]]) -> list[ModeTrend]:
    """Classify the modes of the largest cell as local, resonance or extended.

    Parameters
    ----------
    sizes
        Number of atoms and listed modes of each supercell.

    Returns
    -------
    One entry for each listed set of the largest cell.
    """
    ordered = sorted(sizes, key=lambda size: size[0])
    return [_classify(mode, ordered) for mode in ordered[-1][1]]


def _classify(mode: Mode, sizes: Sequence[tuple[int, Sequence[Mode]]]) -> ModeTrend:
    smaller = [_participation_number_in(modes, mode) for _, modes in sizes[:-1]]
    numbers = [*smaller, mode.participation_number]
    found_in = [(n_atoms, p) for (n_atoms, _), p in zip(sizes, numbers, strict=True) if p is not None]
    growth, classification = None, ""
    if len(found_in) > 1:
        log_sizes, log_numbers = np.log(np.array(found_in)).T
        growth = float(np.polyfit(log_sizes, log_numbers, 1)[0])
        classification = "extended" if growth > EXTENDED_GROWTH else "resonance"
    if mode.gap_mode:  # no mode of the pristine sheet has this frequency, so that the vibration cannot spread
        classification = "local"
    return ModeTrend(mode.frequency, mode.irrep, numbers, growth, classification)


def _participation_number_in(modes: Sequence[Mode], mode: Mode) -> float | None:
    """Participation number of the same mode among those of another size; None where it is not found."""
    same = [
        other
        for other in modes
        if other.irrep == mode.irrep and abs(other.frequency - mode.frequency) < FREQUENCY_TOLERANCE
    ]
    nearest = min(same, key=lambda other: abs(other.frequency - mode.frequency), default=None)
    return None if nearest is None else nearest.participation_number
