"""Which modes of a defect cell are localised, measured so that degeneracy does not matter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.properties.phonons.spectra.modes import site_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.spectra.modes import ModeSet

DEGENERATE = 1e-3
"""THz. Modes closer than this count as one degenerate set: symmetry-equal ones agree to 1e-6."""

LOCAL_WEIGHT = 0.5
"""A mode counts as localised when the innermost shell carries this much of it, or it lies outside the bands …"""

LOCAL_SHARE = 2.0
"""… and when that is this many times the share of the sites: a shell that fills the cell localises nothing."""

LISTED = 12
"""Sets of modes in the list beside the localised ones: those of the largest weight near the defect."""

OFF_BANDS = 0.05
"""THz. A mode further than this from every mode of the pristine sheet lies outside its bands."""


@dataclass(frozen=True)
class Mode:
    """A mode of a defect cell, or a degenerate set of them."""

    index: int
    """Among the modes at Γ, from the lowest."""
    frequency: float
    """THz."""
    degeneracy: int
    irrep: str
    """Representation under the site group; empty where it is not known."""
    participating: float
    """1 / Σ p², atoms taking part; p averaged over the degenerate set."""
    shells: list[float]
    """Weight in each shell, sum 1."""
    outside_bands: bool
    """Whether no mode of the pristine sheet lies near in frequency."""
    localised: bool
    """Whether the mode lives near the defect, rather than passing by."""

    def plain(self) -> dict[str, Any]:
        """Return plain values.

        Returns
        -------
        What goes into `result.json`.
        """
        return asdict(self)


def localised_modes(
    gamma: ModeSet,
    shells: IntArray,
    *,
    pristine: FloatArray,
    n_shells: int,
    named: Callable[[list[IntArray]], list[str]] | None = None,
) -> list[Mode]:
    """List the modes that have most to do with the defect.

    Parameters
    ----------
    gamma
        Modes of the defect cell at Γ.
    shells
        (N) shell of each atom.
    pristine
        (Q, 3n) THz, modes of the pristine sheet on a dense mesh.
    n_shells
        How many shells there are.
    named
        Gives the representation of each degenerate set.

    Returns
    -------
    One entry a degenerate set: the localised ones, and some more of the largest weight in the innermost shell;
    the one that fewest atoms take part in comes first.
    """
    frequencies = gamma.frequencies[0]
    weights = site_weights(gamma)[0]
    bands = np.sort(pristine.ravel())
    share = float((shells == 0).mean())
    found = []
    groups = degenerate_groups(frequencies)
    names = [""] * len(groups) if named is None else named(groups)
    for group, name in zip(groups, names, strict=True):
        p = weights[group].mean(axis=0)
        in_shells = [float(p[shells == s].sum()) for s in range(n_shells)]
        frequency = float(frequencies[group].mean())
        near = np.searchsorted(bands, frequency)
        gap = float(np.abs(bands[max(0, near - 1) : near + 1] - frequency).min())
        participating = float(1 / (p**2).sum())
        outside, near_defect = gap > OFF_BANDS, in_shells[0] > max(LOCAL_WEIGHT, LOCAL_SHARE * share)
        local = outside or near_defect
        found.append(
            Mode(int(group[0]), frequency, len(group), name, participating, in_shells, outside, local)
        )
    found.sort(key=lambda mode: (not mode.localised, -mode.shells[0]))
    n_localised = sum(mode.localised for mode in found)
    return sorted(found[: n_localised + LISTED], key=lambda mode: mode.participating)


def degenerate_groups(frequencies: FloatArray) -> list[IntArray]:
    """Part modes into degenerate sets.

    Parameters
    ----------
    frequencies
        (M) THz.

    Returns
    -------
    Modes of each set, from the lowest.
    """
    order = np.argsort(frequencies)
    breaks = np.flatnonzero(np.diff(frequencies[order]) > DEGENERATE) + 1
    return [np.asarray(part) for part in np.split(order, breaks)]
