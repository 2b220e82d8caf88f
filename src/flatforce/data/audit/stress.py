"""Sign and unit of a stress, found from the frames themselves by the slab virial identity.

Stretching the cell of an isolated sheet along z together with its atoms only moves the atoms, so that σ_zz V = −Σ F_z z for
every frame. With the right sign and unit, the deviation is the Pulay stress, which is the same in all frames of one cutoff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.frames import Labels, get_labels
from flatforce.data.readers.keyed_xyz import CONVENTIONS
from flatforce.structures.sheet import slab_virial_residual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

MIN_SCATTER: Final = 5e-5
"""eV/Å³. Scatter of −ΣF_z z/V below which frames cannot tell conventions apart: round-off of printed forces."""

MAX_RATIO: Final = 0.25
"""A convention is accepted if the scatter of its deviation is less than this fraction of that of the second best…"""

MAX_UNEXPLAINED: Final = 0.5
"""…and less than this fraction of the scatter of −ΣF_z z/V."""

MIN_FRAMES: Final = 5
"""Number of frames from which on a scatter can be estimated."""

STANDARD: Final = next(iter(CONVENTIONS))
"""The convention of frames once read: eV/Å³, tension positive."""


@dataclass(frozen=True)
class StressCheck:
    """Comparison of the stress of frames with the slab virial identity."""

    n_frames: int
    """Number of frames with a stress."""
    convention: str | None
    """The one of `CONVENTIONS` that fulfils the identity; None where the frames cannot tell, or none does."""
    pulay: float
    """eV/Å³, median of σ_zz + ΣF_z z/V, with the stress as read; NaN without frames."""
    pulay_deviation: float
    """eV/Å³, median absolute deviation from it."""
    is_contradictory: bool = False
    """Whether the frames could tell conventions apart, but none fulfils the identity."""

    @property
    def is_verified(self) -> bool:
        """Whether the frames confirm sign and unit."""
        return self.convention == STANDARD


def check_stress(frames: Sequence[Atoms]) -> StressCheck:
    """Find the sign and unit of a stress with which the slab virial identity holds.

    Parameters
    ----------
    frames
        Labelled sheets of one origin, vacuum along z; frames without a stress are ignored.

    Returns
    -------
    The convention found, and the Pulay stress.
    """
    pairs = [(frame, get_labels(frame)) for frame in frames]
    values = [
        (float(labels.stress[2, 2]), _residual(frame, labels))
        for frame, labels in pairs
        if labels.stress is not None
    ]
    if not values:
        return StressCheck(0, None, float("nan"), float("nan"))
    stress_zz = np.array([stress for stress, _ in values])
    expected_zz = np.array([stress - residual for stress, residual in values])
    deviation = stress_zz - expected_zz
    pulay, scatter = float(np.median(deviation)), _median_deviation(deviation)
    if len(values) < MIN_FRAMES or _median_deviation(expected_zz) < MIN_SCATTER:
        return StressCheck(len(values), None, pulay, scatter)
    convention = _find_convention(stress_zz, expected_zz)
    return StressCheck(len(values), convention, pulay, scatter, is_contradictory=convention is None)


def _find_convention(stress_zz: FloatArray, expected_zz: FloatArray) -> str | None:
    errors = {
        name: _median_deviation(factor * stress_zz - expected_zz) for name, factor in CONVENTIONS.items()
    }
    ranking = sorted(errors, key=lambda name: errors[name])
    best, second = errors[ranking[0]], errors[ranking[1]]
    if best < MAX_RATIO * second and best < MAX_UNEXPLAINED * _median_deviation(expected_zz):
        return ranking[0]
    return None


def _median_deviation(values: FloatArray) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _residual(frame: Atoms, labels: Labels) -> float:
    return slab_virial_residual(frame, forces=labels.forces, stress=labels.stress)  # type: ignore[arg-type]  # the caller has checked
