"""Stored spectra of one defect cell, brought onto a common grid and compared mode by mode with those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MIN_OVERLAP: Final = 0.5
"""Smallest overlap of two degenerate sets that counts as the same set; no other set can then overlap more."""


@dataclass(frozen=True)
class MemberSpectra:
    """Spectra of a defect cell by one member of a committee, or at one strain."""

    frequency: FloatArray
    """(G) THz, grid of the densities of states."""
    dos: FloatArray
    """(2, G) states/THz per supercell, pristine and defect."""
    ldos: FloatArray
    """(2, G) states/THz, local DOS of an average site of the innermost shell, pristine and defect."""
    bands: FloatArray
    """(Q, 3N) THz, frequencies along the band path."""
    set_frequency: FloatArray
    """(M) THz, frequency of each listed degenerate set."""
    set_vectors: list[FloatArray]
    """(d, 3N) for each set, its orthonormal vectors."""
    modes: Sequence[dict[str, Any]] = ()
    """(M) listed modes, as `result.json` holds them."""


def member_from_arrays(
    arrays: Mapping[str, NDArray[Any]], modes: Sequence[dict[str, Any]] = ()
) -> MemberSpectra:
    """Extract what is compared from a stored result of defect phonons.

    Parameters
    ----------
    arrays
        Arrays of the result.
    modes
        Listed modes of the result, `details["modes"]`.

    Returns
    -------
    DOS and local DOS in states/THz, bands and listed modes in THz.
    """
    set_index = arrays["set_index"]
    vectors = arrays["set_vectors"].reshape(len(set_index), -1)
    return MemberSpectra(
        frequency=arrays["frequency"],
        dos=arrays["dos"],
        ldos=arrays["shell_ldos"][:, 0] / arrays["shell_sites"][:, :1],
        bands=arrays["bands"],
        set_frequency=arrays["mode_frequencies"],
        set_vectors=[vectors[set_index == k] for k in range(len(arrays["mode_frequencies"]))],
        modes=modes,
    )


def interpolate_to_common_grid(
    members: Sequence[MemberSpectra], values: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Interpolate spectra to one grid.

    Parameters
    ----------
    members
        Members, whose grids the spectra are on.
    values
        (K, G) for each member, spectra on its grid.

    Returns
    -------
    (G) THz, the common grid, and (members, K, G), the spectra on it.
    """
    step = min(float(member.frequency[1] - member.frequency[0]) for member in members)
    lowest = min(float(member.frequency[0]) for member in members)
    highest = max(float(member.frequency[-1]) for member in members)
    grid = np.arange(lowest, highest + step, step)
    interpolated = [
        [np.interp(grid, member.frequency, row, left=0.0, right=0.0) for row in rows]
        for member, rows in zip(members, values, strict=True)
    ]
    return grid, np.array(interpolated)


def match_mode_set(vectors: FloatArray, member: MemberSpectra) -> tuple[int | None, float]:
    """Find the degenerate set of a member that overlaps most with a given one.

    Parameters
    ----------
    vectors
        (d, 3N) orthonormal vectors of the set.
    member
        The member whose sets are searched.

    Returns
    -------
    Index of the set, None if no overlap is large enough; and the largest overlap.
    """
    overlaps = [float(((vectors @ other.T) ** 2).sum()) / len(vectors) for other in member.set_vectors]
    best = int(np.argmax(overlaps))
    return (best if overlaps[best] > MIN_OVERLAP else None), overlaps[best]
