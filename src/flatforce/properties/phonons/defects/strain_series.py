"""How the spectrum of a defect changes with strain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.outcome import Outcome
from flatforce.properties.phonons.defects.member_spectra import (
    MemberSpectra,
    interpolate_to_common_grid,
    match_mode_set,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray


@dataclass(frozen=True, repr=False)
class StrainSeries(Outcome):
    """Spectra of a defect at several strains."""

    kind: ClassVar[str] = "strain series"

    strain: FloatArray
    """(S,) strains, ascending; 0.01 is one per cent."""
    frequency: FloatArray
    """(G) THz, grid of the local DOS."""
    ldos: FloatArray
    """(S, G) states/THz, local DOS of an average site of the innermost shell."""
    mode_frequencies: FloatArray
    """(S, M) THz, frequencies of the sets that the reference lists; NaN where no set of that strain matches."""
    overlap: FloatArray
    """(M,) smallest overlap with the reference over the strains with a matching set."""
    reference: int
    """Index of the smallest strain."""
    listed_modes: Sequence[dict[str, Any]] = ()
    """Modes that the reference lists, as its `result.json` holds them."""

    units = {"n_strains": "", "max_ldos_difference": "", "mean_slope": "THz per %"}

    @property
    def slopes(self) -> FloatArray:
        """(M,) THz per per cent of strain, by least squares; NaN where fewer than two strains have a matching set."""
        slopes = np.full(self.mode_frequencies.shape[1], np.nan)
        for k, frequencies in enumerate(self.mode_frequencies.T):
            matched = np.isfinite(frequencies)
            if matched.sum() > 1:
                slopes[k] = np.polyfit(100 * self.strain[matched], frequencies[matched], 1)[0]
        return slopes

    @property
    def metrics(self) -> dict[str, float]:
        """Number of strains, largest change of the local DOS, mean slope of the modes."""
        step = float(self.frequency[1] - self.frequency[0])
        difference = np.abs(self.ldos - self.ldos[self.reference]).sum(axis=1) * step / 3
        return {
            "n_strains": float(len(self.strain)),
            "max_ldos_difference": float(difference.max()),
            "mean_slope": float(np.nanmean(self.slopes)) if np.isfinite(self.slopes).any() else float("nan"),
        }

    @property
    def details(self) -> dict[str, Any]:
        """Representation, frequency, class and slope of each listed mode."""
        reference_modes = [
            {key: mode[key] for key in ("irrep", "frequency", "classification")} for mode in self.listed_modes
        ] or [{}] * len(self.overlap)
        return {"modes": [mode | values for mode, values in zip(reference_modes, self.plain(), strict=True)]}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that the figures need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {
            "strain": self.strain,
            "frequency": self.frequency,
            "ldos": self.ldos,
            "mode_frequencies": self.mode_frequencies,
        }

    def plain(self) -> list[dict[str, Any]]:
        """Convert the slopes of the modes to plain values.

        Returns
        -------
        One mapping for each mode; an unknown slope is None.
        """
        counts = np.isfinite(self.mode_frequencies).sum(axis=0)
        return [
            {
                "slope": float(slope) if np.isfinite(slope) else None,
                "n_strains": int(count),
                "min_overlap": float(overlap),
            }
            for slope, count, overlap in zip(self.slopes, counts, self.overlap, strict=True)
        ]


def compare_strains(strains: FloatArray, members: Sequence[MemberSpectra]) -> StrainSeries:
    """Follow the modes of the least strained cell through the other strains.

    Parameters
    ----------
    strains
        (S,) strains, ascending.
    members
        Spectra at each strain, of the same cell with its atoms in the same order.

    Returns
    -------
    Local DOS in states/THz at every strain, and the frequency in THz of each mode as it follows the strain.
    """
    reference = int(np.abs(strains).argmin())
    grid, ldos = interpolate_to_common_grid(members, [member.ldos[1:] for member in members])
    sets = members[reference].set_vectors
    frequencies, min_overlap = np.full((len(members), len(sets)), np.nan), np.ones(len(sets))
    for k, vectors in enumerate(sets):
        for s, member in enumerate(members):
            set_index, overlap = match_mode_set(vectors, member)
            if set_index is not None:
                frequencies[s, k] = member.set_frequency[set_index]
                min_overlap[k] = min(min_overlap[k], overlap)
    return StrainSeries(
        strain=strains,
        frequency=grid,
        ldos=ldos[:, 0],
        mode_frequencies=frequencies,
        overlap=min_overlap,
        reference=reference,
        listed_modes=members[reference].modes,
    )
