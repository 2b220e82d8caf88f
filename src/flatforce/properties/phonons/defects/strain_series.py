"""How the spectrum of a defect changes with strain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.properties.phonons.defects.committee_uncertainty import (
    interpolate_to_common_grid,
    match_mode_set,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.defects.committee_uncertainty import MemberSpectra


@dataclass(frozen=True)
class StrainSeries:
    """Spectra at several strains."""

    strain: FloatArray
    """(S,) 0.01 is one per cent."""
    frequency: FloatArray
    """(G) THz."""
    ldos: FloatArray
    """(S, G) states/THz of an average site near the defect."""
    modes: FloatArray
    """(S, M) THz of the sets that the reference lists; NaN where a strain knows no such set."""
    overlap: FloatArray
    """(M,) least overlap with the reference, over the strains that know the set."""
    reference: int
    """Which strain is the smallest."""

    @property
    def slopes(self) -> FloatArray:
        """(M,) THz per per cent, by least squares; NaN where fewer than two strains know the set."""
        found = np.full(self.modes.shape[1], np.nan)
        for k, frequencies in enumerate(self.modes.T):
            known = np.isfinite(frequencies)
            if known.sum() > 1:
                found[k] = np.polyfit(100 * self.strain[known], frequencies[known], 1)[0]
        return found

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        step = float(self.frequency[1] - self.frequency[0])
        change = np.abs(self.ldos - self.ldos[self.reference]).sum(axis=1) * step / 3
        return {
            "n_strains": float(len(self.strain)),
            "max_ldos_difference": float(change.max()),
            "mean_slope": float(np.nanmean(self.slopes)) if np.isfinite(self.slopes).any() else float("nan"),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return {"n_strains": "1", "max_ldos_difference": "1", "mean_slope": "THz per %"}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {
            "strain": self.strain,
            "frequency": self.frequency,
            "ldos": self.ldos,
            "modes": self.modes,
        }

    def plain(self) -> list[dict[str, Any]]:
        """Return the modes as plain values.

        Returns
        -------
        What goes into `result.json`.
        """
        return [
            {
                "slope": float(slope) if np.isfinite(slope) else None,
                "strains": int(known),
                "min_overlap": float(least),
            }
            for slope, known, least in zip(
                self.slopes, np.isfinite(self.modes).sum(axis=0), self.overlap, strict=True
            )
        ]


def follow_strain(strains: FloatArray, members: Sequence[MemberSpectra]) -> StrainSeries:
    """Follow the modes of the least strained cell through the others.

    Parameters
    ----------
    strains
        (S,) growing.
    members
        What each strain has; the same cell with its atoms in the same order.

    Returns
    -------
    The series.
    """
    reference = int(np.abs(strains).argmin())
    grid, near = interpolate_to_common_grid(members, [one.ldos[1:] for one in members])
    sets = members[reference].set_vectors
    modes, overlap = np.full((len(members), len(sets)), np.nan), np.ones(len(sets))
    for k, vectors in enumerate(sets):
        for s, one in enumerate(members):
            place, share = match_mode_set(vectors, one)
            if place is not None:
                modes[s, k] = one.set_frequency[place]
                overlap[k] = min(overlap[k], share)
    return StrainSeries(strains, grid, near[:, 0], modes, overlap, reference)
