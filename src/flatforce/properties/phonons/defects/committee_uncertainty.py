"""Error bars of a defect's spectra: what the members of a committee say, each about its own relaxed sheet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray

SAME_MODE: Final = 0.5
"""Least overlap of a degenerate set with that of another member that counts as the same: no other can have more."""


@dataclass(frozen=True)
class MemberSpectra:
    """What one member says of a defect cell."""

    frequency: FloatArray
    """(G) THz."""
    dos: FloatArray
    """(2, G) states/THz, pristine and defect."""
    ldos: FloatArray
    """(2, G) states/THz of an average site of the innermost shell."""
    bands: FloatArray
    """(Q, 3N) THz."""
    set_frequency: FloatArray
    """(M) THz of the listed degenerate sets."""
    set_vectors: list[FloatArray]
    """(d, 3N) of each, orthonormal."""


@dataclass(frozen=True)
class ModeSpread:
    """One degenerate set, followed through the committee."""

    frequency: float
    """THz, mean."""
    interval: float
    """THz, standard deviation over the members times the calibration; NaN if fewer than two know the set."""
    n_members: int
    """Members that list the set."""
    min_overlap: float


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over the members."""

    frequency: FloatArray
    """(G) THz."""
    dos: FloatArray
    """(2, 2, G) states/THz: mean and deviation, of pristine and defect."""
    ldos: FloatArray
    """(2, 2, G) states/THz: the same of an average site near the defect."""
    each: FloatArray
    """(members, G) states/THz near the defect."""
    bands: FloatArray
    """(2, Q, 3N) THz: mean and deviation of each band."""
    modes: list[ModeSpread]
    """As the first member lists them."""
    calibration: float
    """Factor on every deviation: RMS error of forces over their RMS deviation; 1 if not known."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        step = float(self.frequency[1] - self.frequency[0])
        intervals = [mode.interval for mode in self.modes if np.isfinite(mode.interval)]
        return {
            "n_members": float(len(self.each)),
            "calibration": self.calibration,
            "ldos_uncertainty": float(self.ldos[1, 1].sum() * step / 3),
            "band_uncertainty": float(self.bands[1].mean()),
            "mode_uncertainty": float(np.median(intervals)) if intervals else float("nan"),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        thz = {"band_uncertainty", "mode_uncertainty"}
        return {name: "THz" if name in thz else "1" for name in self.metrics}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {
            "frequency": self.frequency,
            "dos": self.dos,
            "ldos": self.ldos,
            "each": self.each,
            "bands": self.bands,
        }

    def plain(self) -> list[dict[str, Any]]:
        """Return the modes as plain values.

        Returns
        -------
        What goes into `result.json`.
        """
        return [
            asdict(mode) | {"interval": mode.interval if np.isfinite(mode.interval) else None}
            for mode in self.modes
        ]


def member_from_arrays(arrays: dict[str, NDArray[Any]]) -> MemberSpectra:
    """Take what is compared from the arrays of a `defect phonons` folder.

    Parameters
    ----------
    arrays
        Name → array.

    Returns
    -------
    One member's word.
    """
    owner = arrays["set_index"]
    vectors = arrays["set_vectors"].reshape(len(owner), -1)
    return MemberSpectra(
        arrays["frequency"],
        arrays["dos"],
        arrays["shell_ldos"][:, 0] / arrays["shell_sites"][:, :1],
        arrays["bands"],
        arrays["mode_frequencies"],
        [vectors[owner == k] for k in range(len(arrays["mode_frequencies"]))],
    )


def spread(members: Sequence[MemberSpectra], *, calibration: float = 1.0) -> Spread:
    """Compare the members of a committee.

    Parameters
    ----------
    members
        Two or more, of the same defect cell with its atoms in the same order.
    calibration
        Factor on every deviation.

    Returns
    -------
    Mean and deviation of everything.
    """
    grid, near = interpolate_to_common_grid(members, [one.ldos for one in members])
    _, dos = interpolate_to_common_grid(members, [one.dos for one in members])
    bands = np.array([one.bands for one in members])
    return Spread(
        grid,
        _mean_and_deviation(dos, calibration),
        _mean_and_deviation(near, calibration),
        near[:, 1],
        _mean_and_deviation(bands, calibration),
        [_followed(k, members, calibration) for k in range(len(members[0].set_frequency))],
        calibration,
    )


def _mean_and_deviation(each: FloatArray, calibration: float) -> FloatArray:
    return np.array([each.mean(axis=0), calibration * each.std(axis=0, ddof=1)])


def interpolate_to_common_grid(members: Sequence[MemberSpectra], values: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Bring spectra on one grid.

    Parameters
    ----------
    members
        Whose grids they are on.
    values
        (K, G) of each member.

    Returns
    -------
    (G) THz, and (members, K, G).
    """
    step = min(float(one.frequency[1] - one.frequency[0]) for one in members)
    low = min(float(one.frequency[0]) for one in members)
    grid = np.arange(low, max(float(one.frequency[-1]) for one in members) + step, step)
    found = [
        [np.interp(grid, one.frequency, row, left=0.0, right=0.0) for row in rows]
        for one, rows in zip(members, values, strict=True)
    ]
    return grid, np.array(found)


def match_mode_set(vectors: FloatArray, member: MemberSpectra) -> tuple[int | None, float]:
    """Find a degenerate set again.

    Parameters
    ----------
    vectors
        (d, 3N) orthonormal.
    member
        Where it is looked for.

    Returns
    -------
    Which of its sets, None if none overlaps enough; and the largest overlap.
    """
    shares = [float(((vectors @ other.T) ** 2).sum()) / len(vectors) for other in member.set_vectors]
    best = int(np.argmax(shares))
    return (best if shares[best] > SAME_MODE else None), shares[best]


def _followed(k: int, members: Sequence[MemberSpectra], calibration: float) -> ModeSpread:
    frequencies, least = [float(members[0].set_frequency[k])], 1.0
    for one in members[1:]:
        place, share = match_mode_set(members[0].set_vectors[k], one)
        least = min(least, share)
        if place is not None:
            frequencies.append(float(one.set_frequency[place]))
    deviation = float(np.std(frequencies, ddof=1)) if len(frequencies) > 1 else float("nan")
    return ModeSpread(float(np.mean(frequencies)), calibration * deviation, len(frequencies), least)


def force_calibration_factor(errors: FloatArray, deviations: FloatArray) -> float:
    """Ask how much larger errors are than a committee's deviations say.

    Parameters
    ----------
    errors
        (...) eV/Å, of force components against DFT.
    deviations
        (...) eV/Å, of the committee.

    Returns
    -------
    RMS of the errors over RMS of the deviations.
    """
    return float(np.sqrt((errors**2).mean() / (deviations**2).mean()))


def set_owner(groups: Sequence[IntArray]) -> IntArray:
    """Tell which degenerate set each vector belongs to.

    Parameters
    ----------
    groups
        Modes of each set.

    Returns
    -------
    (Σd,) set of each mode, in their order.
    """
    return np.repeat(np.arange(len(groups)), [len(group) for group in groups])
