"""Whether a defect's spectrum still changes with the supercell."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.localisation import Mode


SAME = 0.15
"""THz. A set of another size with the same representation within this counts as the same mode: twice the broadening."""

LEAK = 0.4
"""THz, five times the usual broadening: a DOS further below zero is that of imaginary modes, and stays there."""

EXTENDED = 0.75
"""Growth above which a mode counts as extended: an extended one has 1, what is bound for a while has less."""


@dataclass(frozen=True)
class SizeSpectrum:
    """What one supercell says about the sites near the defect."""

    name: str
    """Such as 6x6."""
    n_atoms: float
    """Infinite for the dilute limit."""
    frequency: FloatArray
    """(G) THz, evenly spaced."""
    ldos: FloatArray
    """(G) states/THz of one site of the innermost shell, mean over the shell; integral 3."""
    gap_modes: FloatArray
    """(M) THz, localised modes outside the bands."""


@dataclass(frozen=True)
class FiniteSize:
    """Spectra of growing supercells, on one grid."""

    names: list[str]
    n_atoms: list[float]
    frequency: FloatArray
    """(G) THz."""
    ldos: FloatArray
    """(sizes, G) states/THz of one site."""
    change: FloatArray
    """(sizes - 1) ∫|g − g'| / 3 from each size to the next: 0 no change, 2 nothing in common."""
    mode_shift: FloatArray
    """(sizes - 1) THz, largest shift of a mode outside the bands to the nearest one of the next size; NaN without."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        pairs = list(zip(self.names, self.names[1:], strict=False))
        changes = {f"change_{a}_{b}": float(x) for (a, b), x in zip(pairs, self.change, strict=True)}
        shifts = {f"mode_shift_{a}_{b}": float(x) for (a, b), x in zip(pairs, self.mode_shift, strict=True)}
        return changes | {name: x for name, x in shifts.items() if np.isfinite(x)}

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return {name: "1" if name.startswith("change") else "THz" for name in self.metrics}


def compare_sizes(spectra: Sequence[SizeSpectrum]) -> FiniteSize:
    """Compare supercells of one defect.

    Parameters
    ----------
    spectra
        One a size, at least two, with the same broadening.

    Returns
    -------
    The comparison, from the smallest to the largest.
    """
    ordered = sorted(spectra, key=lambda one: one.n_atoms)
    step = min(float(one.frequency[1] - one.frequency[0]) for one in ordered)
    high = max(float(one.frequency[-1]) for one in ordered)
    grid = np.arange(0.0, high + step, step)
    dos = np.array([_folded(one, grid) for one in ordered])
    change = np.abs(np.diff(dos, axis=0)).sum(axis=1) * step / 3
    shifts = [
        float(np.abs(a.gap_modes[:, None] - b.gap_modes).min(axis=1).max())
        if a.gap_modes.size and b.gap_modes.size
        else np.nan
        for a, b in itertools.pairwise(ordered)
    ]
    return FiniteSize(
        [one.name for one in ordered],
        [one.n_atoms for one in ordered],
        grid,
        dos,
        change,
        np.array(shifts),
    )


@dataclass(frozen=True)
class Followed:
    """One degenerate set of the largest cell, found again in the smaller ones."""

    frequency: float
    """THz."""
    irrep: str
    participation_number: list[float | None]
    """Atoms taking part, by size; None where no such set was found."""
    growth: float | None
    """d ln(atoms taking part) / d ln N: 0 for a bound mode, 1 for an extended one; None if found in one size only."""
    verdict: str
    """`local` outside the bands, `resonance` or `extended` within; empty if found in one size only."""


def classify_modes(sizes: Sequence[tuple[int, Sequence[Mode]]]) -> list[Followed]:
    """Tell local modes from resonances and extended ones, by the bands and by how they grow with the supercell.

    Parameters
    ----------
    sizes
        Atoms and listed modes of each supercell.

    Returns
    -------
    One entry a set of the largest cell.
    """
    ordered = sorted(sizes, key=lambda size: size[0])
    return [_judged(mode, ordered) for mode in ordered[-1][1]]


def _judged(mode: Mode, sizes: Sequence[tuple[int, Sequence[Mode]]]) -> Followed:
    found: list[float | None] = []
    for _, modes in sizes[:-1]:
        same = [
            one for one in modes if one.irrep == mode.irrep and abs(one.frequency - mode.frequency) < SAME
        ]
        near = min(same, key=lambda one: abs(one.frequency - mode.frequency), default=None)
        found.append(None if near is None else near.participation_number)
    found.append(mode.participation_number)
    known = [(count, p) for (count, _), p in zip(sizes, found, strict=True) if p is not None]
    growth, verdict = None, ""
    if len(known) > 1:
        counts, taking_part = np.log(np.array(known)).T
        growth = float(np.polyfit(counts, taking_part, 1)[0])
        verdict = "extended" if growth > EXTENDED else "resonance"
    if mode.gap_mode:  # only there nothing can carry it away
        verdict = "local"
    return Followed(mode.frequency, mode.irrep, found, growth, verdict)


def _folded(one: SizeSpectrum, grid: FloatArray) -> FloatArray:
    """Fold what the broadening has put below zero back; the infinite sheet has a DOS there."""
    found: FloatArray = np.interp(grid, one.frequency, one.ldos, left=0.0, right=0.0)
    if one.frequency[0] < 0:
        leaked = np.interp(-grid, one.frequency, one.ldos, left=0.0, right=0.0)
        found = found + np.where(grid < LEAK, leaked, 0.0)
    return found
