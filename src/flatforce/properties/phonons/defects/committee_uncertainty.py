"""Uncertainty of a defect's spectra: mean and standard deviation over a committee, each member with its own relaxed sheet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class ModeUncertainty:
    """Frequency of one degenerate set, followed through the committee."""

    frequency: float
    """THz, mean over the members."""
    uncertainty: float
    """THz, standard deviation over the members times the calibration factor; NaN if fewer than two members list the set."""
    n_members: int
    """Number of members that list the set."""
    min_overlap: float
    """Smallest overlap of the set of another member with that of the first."""


@dataclass(frozen=True, repr=False)
class CommitteeSpectra(Outcome):
    """Mean and standard deviation of spectra over the members of a committee."""

    kind: ClassVar[str] = "committee"

    frequency: FloatArray
    """(G) THz, grid of the densities of states."""
    dos: FloatArray
    """(2, 2, G) states/THz: for the pristine and the defect cell, mean and uncertainty of the DOS."""
    ldos: FloatArray
    """(2, 2, G) states/THz: the same of the local DOS of an average site of the innermost shell."""
    member_ldos: FloatArray
    """(members, G) states/THz, local DOS near the defect by each member."""
    bands: FloatArray
    """(2, Q, 3N) THz, mean and uncertainty of each band."""
    modes: list[ModeUncertainty]
    """Uncertainty of the modes that the first member lists."""
    calibration_factor: float
    """Factor on every standard deviation: RMS error of forces over their RMS standard deviation; 1 if not calibrated."""
    listed_modes: Sequence[dict[str, Any]] = ()
    """Modes that the first member lists, as its `result.json` holds them."""

    units = {
        "n_members": "",
        "calibration_factor": "",
        "ldos_uncertainty": "",
        "band_uncertainty": "THz",
        "mode_uncertainty": "THz",
    }

    @property
    def metrics(self) -> dict[str, float]:
        """Number of members, calibration, and uncertainty of local DOS, bands and modes."""
        step = float(self.frequency[1] - self.frequency[0])
        uncertainties = [mode.uncertainty for mode in self.modes if np.isfinite(mode.uncertainty)]
        return {
            "n_members": float(len(self.member_ldos)),
            "calibration_factor": self.calibration_factor,
            "ldos_uncertainty": float(self.ldos[1, 1].sum() * step / 3),
            "band_uncertainty": float(self.bands[1].mean()),
            "mode_uncertainty": float(np.median(uncertainties)) if uncertainties else float("nan"),
        }

    @property
    def details(self) -> dict[str, Any]:
        """Listed modes with their uncertainties."""
        first_member = self.listed_modes or [{}] * len(self.modes)
        return {"modes": [mode | values for mode, values in zip(first_member, self.plain(), strict=True)]}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that the figures need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {
            "frequency": self.frequency,
            "dos": self.dos,
            "ldos": self.ldos,
            "member_ldos": self.member_ldos,
            "bands": self.bands,
        }

    def plain(self) -> list[dict[str, Any]]:
        """Convert the uncertainties of the modes to plain values.

        Returns
        -------
        One mapping for each mode; an unknown uncertainty is None.
        """
        return [
            asdict(mode) | {"uncertainty": mode.uncertainty if np.isfinite(mode.uncertainty) else None}
            for mode in self.modes
        ]


def compare_members(members: Sequence[MemberSpectra], *, calibration_factor: float = 1.0) -> CommitteeSpectra:
    """Compute mean and standard deviation of spectra over a committee.

    Parameters
    ----------
    members
        Two or more members, with the same defect cell and its atoms in the same order.
    calibration_factor
        Factor on every standard deviation.

    Returns
    -------
    Mean and uncertainty of DOS, local DOS, bands and modes.
    """
    grid, ldos = interpolate_to_common_grid(members, [member.ldos for member in members])
    _, dos = interpolate_to_common_grid(members, [member.dos for member in members])
    bands = np.array([member.bands for member in members])
    return CommitteeSpectra(
        frequency=grid,
        dos=_mean_and_uncertainty(dos, calibration_factor),
        ldos=_mean_and_uncertainty(ldos, calibration_factor),
        member_ldos=ldos[:, 1],
        bands=_mean_and_uncertainty(bands, calibration_factor),
        modes=[
            _mode_uncertainty(k, members, calibration_factor) for k in range(len(members[0].set_frequency))
        ],
        calibration_factor=calibration_factor,
        listed_modes=members[0].modes,
    )


def _mean_and_uncertainty(values: FloatArray, calibration_factor: float) -> FloatArray:
    """Mean over the first axis, and standard deviation times the calibration factor."""
    return np.array([values.mean(axis=0), calibration_factor * values.std(axis=0, ddof=1)])


def _mode_uncertainty(
    index: int, members: Sequence[MemberSpectra], calibration_factor: float
) -> ModeUncertainty:
    """Follow one set of the first member through the others."""
    frequencies, min_overlap = [float(members[0].set_frequency[index])], 1.0
    for member in members[1:]:
        set_index, overlap = match_mode_set(members[0].set_vectors[index], member)
        min_overlap = min(min_overlap, overlap)
        if set_index is not None:
            frequencies.append(float(member.set_frequency[set_index]))
    deviation = float(np.std(frequencies, ddof=1)) if len(frequencies) > 1 else float("nan")
    return ModeUncertainty(
        float(np.mean(frequencies)), calibration_factor * deviation, len(frequencies), min_overlap
    )


def force_calibration_factor(errors: FloatArray, deviations: FloatArray) -> float:
    """Compute by how much the errors of forces exceed the standard deviations of a committee.

    Parameters
    ----------
    errors
        (...) eV/Å, errors of force components against DFT.
    deviations
        (...) eV/Å, standard deviations over the committee.

    Returns
    -------
    RMS error over RMS standard deviation.
    """
    return float(np.sqrt((errors**2).mean() / (deviations**2).mean()))
