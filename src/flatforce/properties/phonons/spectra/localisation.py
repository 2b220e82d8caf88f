"""Localised modes of a defect cell, by measures that do not depend on the choice of eigenvectors in a degenerate set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.properties.phonons.spectra.modes import site_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.spectra.modes import ModeSet

DEGENERACY_TOLERANCE = 1e-3
"""THz. Modes closer in frequency than this form one degenerate set; modes that are degenerate by symmetry agree to 1e-6."""

MIN_LOCAL_WEIGHT = 0.5
"""A mode counts as localised if its projection onto the innermost shell exceeds this, or if it is a gap mode."""

MIN_LOCAL_ENHANCEMENT = 2.0
"""The projection must also exceed this many times the fraction of the atoms that the shell holds: a shell that fills the cell
localises nothing."""

N_EXTENDED_LISTED = 12
"""Number of sets of modes listed besides the localised ones: those with the largest projection onto the innermost shell."""

MIN_BAND_DISTANCE = 0.05
"""THz. A mode further than this from every mode of the pristine sheet is a gap mode."""


@dataclass(frozen=True)
class Mode:
    """A degenerate set of Γ modes of a defect cell; a mode without degeneracy is a set of one."""

    index: int
    """Index of the first mode of the set among the Γ modes, counted from the lowest."""
    frequency: float
    """THz."""
    degeneracy: int
    """Number of modes of the set."""
    irrep: str
    """Irreducible representation in the site symmetry group; empty where it is unknown."""
    participation_number: float
    """1 / Σ p², the number of atoms that move; p is the weight of each atom, averaged over the degenerate set."""
    shells: list[float]
    """Projection onto each shell; the sum is 1."""
    gap_mode: bool
    """Whether the frequency lies in a gap of the pristine bands or above them."""
    localised: bool
    """Whether it is a gap mode or concentrated on the innermost shell."""

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain values.

        Returns
        -------
        Field → value, as `result.json` holds it.
        """
        return asdict(self)


def localised_modes(
    gamma: ModeSet,
    shells: IntArray,
    *,
    pristine: FloatArray,
    n_shells: int,
    assign_irreps: Callable[[list[IntArray]], list[str]] | None = None,
) -> list[Mode]:
    """List the modes that the defect changes most.

    Parameters
    ----------
    gamma
        Modes of the defect cell at Γ.
    shells
        (N) index of the shell of each atom.
    pristine
        (Q, 3n) THz, frequencies of the pristine sheet on a dense mesh.
    n_shells
        Number of shells.
    assign_irreps
        Returns the irreducible representation of each degenerate set; None leaves them empty.

    Returns
    -------
    The localised sets, and `N_EXTENDED_LISTED` others with the largest projection onto the innermost shell, sorted by
    increasing participation number.
    """
    frequencies = gamma.frequencies[0]
    weights = site_weights(gamma)[0]
    bands = np.sort(pristine.ravel())
    shell_fraction = float((shells == 0).mean())
    modes = []
    groups = degenerate_groups(frequencies)
    names = [""] * len(groups) if assign_irreps is None else assign_irreps(groups)
    for group, name in zip(groups, names, strict=True):
        p = weights[group].mean(axis=0)
        in_shells = [float(p[shells == s].sum()) for s in range(n_shells)]
        frequency = float(frequencies[group].mean())
        position = np.searchsorted(bands, frequency)
        distance = float(np.abs(bands[max(0, position - 1) : position + 1] - frequency).min())
        participation_number = float(1 / (p**2).sum())
        gap_mode = distance > MIN_BAND_DISTANCE
        near_defect = in_shells[0] > max(MIN_LOCAL_WEIGHT, MIN_LOCAL_ENHANCEMENT * shell_fraction)
        modes.append(
            Mode(
                index=int(group[0]),
                frequency=frequency,
                degeneracy=len(group),
                irrep=name,
                participation_number=participation_number,
                shells=in_shells,
                gap_mode=gap_mode,
                localised=gap_mode or near_defect,
            )
        )
    modes.sort(key=lambda mode: (not mode.localised, -mode.shells[0]))
    n_localised = sum(mode.localised for mode in modes)
    return sorted(modes[: n_localised + N_EXTENDED_LISTED], key=lambda mode: mode.participation_number)


def degenerate_groups(frequencies: FloatArray) -> list[IntArray]:
    """Group modes into degenerate sets.

    Parameters
    ----------
    frequencies
        (M) THz, frequencies of the modes.

    Returns
    -------
    Indices of the modes of each set, from the lowest frequency to the highest.
    """
    order = np.argsort(frequencies)
    breaks = np.flatnonzero(np.diff(frequencies[order]) > DEGENERACY_TOLERANCE) + 1
    return [np.asarray(group) for group in np.split(order, breaks)]
