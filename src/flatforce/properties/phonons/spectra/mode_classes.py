"""The one classification of what a defect does to the vibrations: local modes, resonances, extended modes.

A *local mode* lies outside the bands of the pristine sheet, so that it decays away from the defect. A *resonance* lies
inside the bands: it is a peak that the defect adds to the local density of states (LDOS) around it, with a width, because
the vibration leaks into the bands. All other modes are *extended*. Definitions: A. A. Maradudin et al., Theory of Lattice
Dynamics in the Harmonic Approximation (1971), ch. 8; E. N. Economou, Green's Functions in Quantum Physics (2006), ch. 6.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from scipy.signal import find_peaks, peak_prominences, peak_widths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray

Classification: TypeAlias = Literal["local", "resonance", "extended"]
"""Class of a mode or of a peak of the LDOS."""

MIN_BAND_DISTANCE: Final = 0.05
"""THz. A frequency further than this from every frequency of the pristine sheet lies outside the bands; on the mesh of
`BAND_MESH` points, the largest hole in the bands of WSe2 is 0.051 THz wide, so that none of its frequencies is further than 0.026
THz from the next (`validation/mode_classes.md`)."""

BAND_MESH: Final = 60
"""Number of q points along a reciprocal vector of the primitive cell at which the bands are sampled."""

MIN_ENHANCEMENT: Final = 2.0
"""Smallest projection of a local mode or a resonance onto a shell around the defect, relative to that of a mode spread evenly
over the cell. Of the modes of a pristine 6 × 6 cell of WSe2, combined to be as concentrated as possible, 7 % reach it
(`validation/mode_classes.md`)."""

MIN_PEAK_STATES: Final = 0.2
"""Smallest number of states that a peak of the LDOS holds, over all sites of the shell; a mode on the shell alone is 1. With it,
4 × 4 and 6 × 6 show the same peaks of v_Se in WSe2; smaller ones appear in 4 × 4 alone (`validation/mode_classes.md`)."""

MIN_HEIGHT: Final = 1e-6
"""1/THz. A lower peak is round-off, far below one of `MIN_PEAK_STATES`."""

GAUSSIAN_AREA: Final = float(np.sqrt(np.pi / np.log(2)) / 2)
"""Area of a Gaussian of unit height and unit full width at half maximum."""


@dataclass(frozen=True)
class LdosPeak:
    """A peak that the defect adds to the local density of states around it."""

    frequency: float
    """THz, position of the maximum on the grid of the spectrum."""
    height: float
    """1/THz, how far the site-averaged LDOS exceeds that of the pristine sheet at the maximum."""
    width: float
    """THz, full width at half height; the broadening of the spectrum is part of it."""
    states: float
    """Number of states that the peak adds, over all sites of the innermost shell; 1 for a mode on this shell alone."""
    classification: Classification
    """`local` for a peak outside the bands of the pristine sheet, `resonance` for one inside them."""

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain values.

        Returns
        -------
        Field → value, as `result.json` holds it.
        """
        return asdict(self)


def band_distance(frequencies: FloatArray, bands: FloatArray) -> FloatArray:
    """Compute how far frequencies are from those of the pristine sheet.

    Parameters
    ----------
    frequencies
        (M) THz.
    bands
        (...) THz, frequencies of the pristine sheet on a dense mesh.

    Returns
    -------
    (M) THz, distance of each frequency from the nearest frequency of the bands; infinite without bands.
    """
    if bands.size == 0:
        return np.full(len(frequencies), np.inf)
    ordered = np.sort(bands.ravel())
    above = np.clip(np.searchsorted(ordered, frequencies), 0, len(ordered) - 1)
    below = np.clip(above - 1, 0, None)
    distance: FloatArray = np.minimum(
        np.abs(ordered[above] - frequencies), np.abs(ordered[below] - frequencies)
    )
    return distance


def find_ldos_peaks(
    frequency: FloatArray, ldos: FloatArray, pristine_ldos: FloatArray, *, n_sites: int, bands: FloatArray
) -> list[LdosPeak]:
    """Find the peaks that a defect adds to the local density of states around it.

    Parameters
    ----------
    frequency
        (G) THz, evenly spaced.
    ldos
        (G) 1/THz, site-averaged LDOS of the innermost shell around the defect.
    pristine_ldos
        (G) 1/THz, the same average over the same shell of the pristine sheet.
    n_sites
        Number of sites of the shell.
    bands
        (...) THz, frequencies of the pristine sheet on a dense mesh.

    Returns
    -------
    Local modes and resonances, from the lowest frequency; empty where the defect changes nothing.
    """
    if len(frequency) < 3:  # no point with two neighbours
        return []
    rise = ldos - pristine_ldos
    step = float(frequency[1] - frequency[0])
    indices, _ = find_peaks(rise, height=MIN_HEIGHT, prominence=MIN_HEIGHT)
    prominences, *bases = peak_prominences(rise, indices)
    heights = np.minimum(prominences, rise[indices])  # a dip beside a peak adds no states to it
    widths = peak_widths(rise, indices, rel_height=0.5, prominence_data=(heights, *bases))[0] * step
    states = GAUSSIAN_AREA * n_sites * heights * widths
    distances = band_distance(frequency[indices], bands)
    return [
        LdosPeak(
            frequency=float(frequency[index]),
            height=float(rise[index]),
            width=float(width),
            states=float(count),
            classification="local" if distance > MIN_BAND_DISTANCE else "resonance",
        )
        for index, width, count, distance in zip(indices, widths, states, distances, strict=True)
        if count >= MIN_PEAK_STATES and frequency[index] >= -MIN_BAND_DISTANCE  # below are instabilities
    ]


def classify_mode(
    frequency: float, *, distance: float, enhancement: float, peaks: Sequence[LdosPeak]
) -> Classification:
    """Classify a mode of a supercell with a defect.

    Parameters
    ----------
    frequency
        THz.
    distance
        THz, distance from the nearest frequency of the pristine bands.
    enhancement
        Projection onto a shell around the defect, relative to that of a mode spread evenly over the cell.
    peaks
        Peaks of the LDOS at the defect.

    Returns
    -------
    `extended` if the mode is spread over the cell; else `local` outside the bands, and `resonance` within half the width of
    a peak of the LDOS.
    """
    if (
        enhancement < MIN_ENHANCEMENT or frequency < -MIN_BAND_DISTANCE
    ):  # an instability is no mode of the defect
        return "extended"
    if distance > MIN_BAND_DISTANCE:
        return "local"
    in_peak = any(abs(frequency - peak.frequency) <= peak.width / 2 for peak in peaks)
    return "resonance" if in_peak else "extended"


def count_classes(peaks: Sequence[LdosPeak]) -> dict[str, float]:
    """Count the peaks of the LDOS by their class.

    Parameters
    ----------
    peaks
        Peaks of the LDOS at a defect.

    Returns
    -------
    `n_local_modes`, where degenerate modes count once, and `n_resonances`.
    """
    classes = [peak.classification for peak in peaks]
    return {"n_local_modes": float(classes.count("local")), "n_resonances": float(classes.count("resonance"))}


CLASS_UNITS: Final = {"n_local_modes": "", "n_resonances": ""}
"""Units of the metrics of `count_classes`."""
