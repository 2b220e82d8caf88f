"""Γ modes of a defect cell, by measures that do not depend on the choice of eigenvectors in a degenerate set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.properties.phonons.spectra.mode_classes import Classification, band_distance, classify_mode
from flatforce.properties.phonons.spectra.modes import site_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.spectra.mode_classes import LdosPeak
    from flatforce.properties.phonons.spectra.modes import ModeSet

DEGENERACY_TOLERANCE: Final = 1e-3
"""THz. Modes closer in frequency than this form one degenerate set; modes that are degenerate by symmetry agree to 1e-6."""

N_EXTENDED_LISTED: Final = 12
"""Number of sets of extended modes that are listed: those with the largest projection onto the innermost shell."""


@dataclass(frozen=True)
class Mode:
    """A degenerate set of Γ modes of a defect cell; a mode without degeneracy is a set of one."""

    index: int
    """Index of the first mode of the set among the Γ modes, counted from the lowest."""
    frequency: float
    """THz, mean over the set; an imaginary frequency as a negative number."""
    degeneracy: int
    """Number of modes of the set, which symmetry or chance makes equal in frequency."""
    irrep: str
    """Mulliken symbol of the irreducible representation in the site symmetry group; empty where it is unknown."""
    participation_number: float
    """1 / Σ p², the number of atoms that move; p is the weight of each atom, averaged over the degenerate set."""
    shells: list[float]
    """(n_shells,) projection onto each shell of sites around the defect, from the innermost; the sum is 1."""
    enhancement: float
    """Largest projection onto a shell around the defect, relative to that of a mode spread evenly over the cell; the outermost
    shell, which holds the rest of the cell, does not count."""
    band_distance: float
    """THz, distance from the nearest frequency of the pristine bands; 0 within a band, up to the spacing of its sampling."""
    classification: Classification
    """`local` outside the bands of the pristine sheet, `resonance` within a peak of the LDOS, else `extended`."""

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain values.

        Returns
        -------
        Field → value, as `result.json` holds it.
        """
        return asdict(self)


def list_defect_modes(
    gamma: ModeSet,
    shells: IntArray,
    *,
    n_shells: int,
    bands: FloatArray,
    peaks: Sequence[LdosPeak],
    assign_irreps: Callable[[list[IntArray]], list[str]] | None = None,
) -> list[Mode]:
    """List the modes that the defect changes most.

    Parameters
    ----------
    gamma
        Modes of the defect cell at Γ.
    shells
        (N) index of the shell of each atom; the last shell holds the atoms beyond all radii.
    n_shells
        Number of shells.
    bands
        (Q, 3n) THz, frequencies of the pristine sheet on a dense mesh.
    peaks
        Peaks of the LDOS at the defect.
    assign_irreps
        Returns the irreducible representation of each degenerate set; None leaves them empty.

    Returns
    -------
    All local modes and resonances, and the `N_EXTENDED_LISTED` extended sets with the largest projection onto the innermost
    shell, sorted by increasing participation number.
    """
    frequencies = gamma.frequencies[0]
    weights = site_weights(gamma)[0]
    fractions = np.bincount(shells, minlength=n_shells) / len(shells)
    near = np.flatnonzero(fractions[:-1])
    groups = degenerate_groups(frequencies)
    names = [""] * len(groups) if assign_irreps is None else assign_irreps(groups)
    distances = band_distance(np.array([frequencies[group].mean() for group in groups]), bands)
    modes = []
    for group, name, distance in zip(groups, names, distances, strict=True):
        p = weights[group].mean(axis=0)
        projections = np.bincount(shells, weights=p, minlength=n_shells)
        frequency = float(frequencies[group].mean())
        enhancement = float((projections[near] / fractions[near]).max())
        modes.append(
            Mode(
                index=int(group[0]),
                frequency=frequency,
                degeneracy=len(group),
                irrep=name,
                participation_number=float(1 / (p**2).sum()),
                shells=projections.tolist(),
                enhancement=enhancement,
                band_distance=float(distance),
                classification=classify_mode(
                    frequency, distance=float(distance), enhancement=enhancement, peaks=peaks
                ),
            )
        )
    modes.sort(key=lambda mode: (mode.classification == "extended", -mode.shells[0]))
    n_changed = sum(mode.classification != "extended" for mode in modes)
    return sorted(modes[: n_changed + N_EXTENDED_LISTED], key=lambda mode: mode.participation_number)


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
