"""Whether the spectrum of a defect still changes with the size of the supercell."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.outcome import Outcome
from flatforce.properties.phonons.defects.mode_trends import ModeTrend, follow_through_sizes
from flatforce.properties.phonons.spectra.defect_modes import Mode
from flatforce.properties.phonons.spectra.mode_classes import LdosPeak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MAX_LEAKAGE = 0.4
"""THz, five times the usual broadening. A DOS further below zero is that of imaginary modes, and is not folded back."""


@dataclass(frozen=True)
class SizeSpectrum:
    """Spectrum of the sites near the defect in one supercell."""

    name: str
    """Name of the supercell, such as 6x6."""
    n_atoms: float
    """Number of atoms; infinite for the dilute limit."""
    frequency: FloatArray
    """(G) THz, evenly spaced grid of the local DOS."""
    ldos: FloatArray
    """(G) states/THz, local DOS of an average site of the innermost shell; its integral is 3."""
    peaks: Sequence[LdosPeak] = ()
    """Peaks that the defect adds to the local DOS."""
    modes: Sequence[Mode] = ()
    """Listed modes; none where the cell is too large to be diagonalised."""


@dataclass(frozen=True, repr=False)
class FiniteSize(Outcome):
    """Spectra of growing supercells, on one frequency grid."""

    kind: ClassVar[str] = "finite size"

    names: list[str]
    """Names of the supercells, the smallest first."""
    n_atoms: list[float]
    """Number of atoms of each supercell; infinite for the dilute limit."""
    frequency: FloatArray
    """(G) THz, grid of the local DOS."""
    ldos: FloatArray
    """(sizes, G) states/THz, local DOS of an average site of the innermost shell."""
    ldos_difference: FloatArray
    """(sizes - 1) ∫|g − g'| / 3 between each size and the next: 0 for equal spectra, 2 for disjoint ones."""
    mode_shift: FloatArray
    """(sizes - 1) THz, largest distance of a local mode from the nearest one of the next size; NaN where there is none."""
    modes: list[ModeTrend] = field(default_factory=list)
    """Modes of the largest diagonalised cell, and how their participation numbers grow; empty with one such cell only."""
    peaks: dict[str, list[LdosPeak]] = field(default_factory=dict)
    """Name of each supercell → peaks that the defect adds to the local DOS."""

    @property
    def metrics(self) -> dict[str, float]:
        """Difference of the local DOS, and shift of local modes, between each size and the next."""
        pairs = [f"{smaller}_{larger}" for smaller, larger in itertools.pairwise(self.names)]
        differences = {
            f"ldos_difference_{pair}": float(difference)
            for pair, difference in zip(pairs, self.ldos_difference, strict=True)
        }
        shifts = {
            f"mode_shift_{pair}": float(shift)
            for pair, shift in zip(pairs, self.mode_shift, strict=True)
            if np.isfinite(shift)
        }
        return differences | shifts

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # read only
        """Unit of each metric."""
        return {name: "" if name.startswith("ldos_difference") else "THz" for name in self.metrics}

    @property
    def details(self) -> dict[str, Any]:
        """Modes of the largest diagonalised cell, and local modes and resonances of each size."""
        peaks = {name: [peak.plain() for peak in of_size] for name, of_size in self.peaks.items()}
        return {"modes": [asdict(mode) for mode in self.modes], "ldos_peaks": peaks}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that the figures need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {
            "names": np.array(self.names),
            "n_atoms": np.array(self.n_atoms),
            "frequency": self.frequency,
            "ldos": self.ldos,
        }


def size_spectrum(
    name: str, kind: str, arrays: Mapping[str, NDArray[Any]], details: Mapping[str, Any]
) -> SizeSpectrum:
    """Extract the spectrum near the defect from a stored result, or from an outcome in memory.

    Parameters
    ----------
    name
        Name of the supercell, such as 6x6.
    kind
        Kind of the result: `defect phonons`, `embedded defect` or `dilute limit`.
    arrays
        Arrays of the result.
    details
        Details of the result.

    Returns
    -------
    Local DOS of the innermost shell in states/THz, and the modes of this supercell.

    Raises
    ------
    DataError
        If the result is of another kind.
    """
    frequency = arrays["frequency"]
    peaks = [LdosPeak(**peak) for peak in details.get("ldos_peaks", [])]
    if kind == "defect phonons":
        modes = [Mode(**mode) for mode in details["modes"]]
        ldos = arrays["shell_ldos"][1, 0] / arrays["shell_sites"][1, 0]
        return SizeSpectrum(name, len(arrays["numbers"]), frequency, ldos, peaks, modes)
    if kind == "embedded defect":
        n_atoms = len(arrays["small_atom"])
        return SizeSpectrum(name, n_atoms, frequency, arrays["shell_ldos"][0], peaks)
    if kind == "dilute limit":
        return SizeSpectrum(name, np.inf, frequency, arrays["shell_ldos"][1, 0], peaks)
    raise DataError(
        f"A result of kind {kind} has no local DOS near a defect.",
        fix="take folders of `flatforce defect phonons`",
    )


def compare_stored_sizes(
    stored: Mapping[str, tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]],
) -> FiniteSize:
    """Compare the stored results of one defect in supercells of several sizes.

    Parameters
    ----------
    stored
        Name of each supercell, such as 6x6 → `result.json` and arrays.

    Returns
    -------
    The comparison, from the smallest to the largest.
    """
    return compare_sizes(
        [
            size_spectrum(name, record["kind"], arrays, record["details"])
            for name, (record, arrays) in stored.items()
        ]
    )


def compare_sizes(spectra: Sequence[SizeSpectrum]) -> FiniteSize:
    """Compare supercells of one defect.

    Parameters
    ----------
    spectra
        Spectra of at least two sizes, with the same broadening.

    Returns
    -------
    The comparison, from the smallest to the largest.
    """
    ordered = sorted(spectra, key=lambda spectrum: spectrum.n_atoms)
    step = min(float(spectrum.frequency[1] - spectrum.frequency[0]) for spectrum in ordered)
    highest = max(float(spectrum.frequency[-1]) for spectrum in ordered)
    grid = np.arange(0.0, highest + step, step)
    ldos = np.array([_fold_leakage(spectrum, grid) for spectrum in ordered])
    diagonalised = [(int(spectrum.n_atoms), spectrum.modes) for spectrum in ordered if spectrum.modes]
    return FiniteSize(
        names=[spectrum.name for spectrum in ordered],
        n_atoms=[spectrum.n_atoms for spectrum in ordered],
        frequency=grid,
        ldos=ldos,
        ldos_difference=np.abs(np.diff(ldos, axis=0)).sum(axis=1) * step / 3,
        mode_shift=np.array([_mode_shift(*pair) for pair in itertools.pairwise(ordered)]),
        modes=follow_through_sizes(diagonalised) if len(diagonalised) > 1 else [],
        peaks={spectrum.name: list(spectrum.peaks) for spectrum in ordered},
    )


def _mode_shift(smaller: SizeSpectrum, larger: SizeSpectrum) -> float:
    """THz, largest distance of a local mode of the smaller cell from the nearest one of the larger cell."""
    here, there = (
        np.array([peak.frequency for peak in spectrum.peaks if peak.classification == "local"])
        for spectrum in (smaller, larger)
    )
    if not (here.size and there.size):
        return float("nan")
    return float(np.abs(here[:, None] - there).min(axis=1).max())


def _fold_leakage(spectrum: SizeSpectrum, grid: FloatArray) -> FloatArray:
    """Fold the DOS that the broadening has put below zero back, since the infinite sheet has a DOS there."""
    ldos: FloatArray = np.interp(grid, spectrum.frequency, spectrum.ldos, left=0.0, right=0.0)
    if spectrum.frequency[0] < 0:
        leakage = np.interp(-grid, spectrum.frequency, spectrum.ldos, left=0.0, right=0.0)
        ldos = ldos + np.where(grid < MAX_LEAKAGE, leakage, 0.0)
    return ldos
