"""Sign and unit of a stress from the frames themselves, by the slab virial identity.

Stretching an isolated sheet's cell along z with its atoms only moves the atoms, so σ_zz V = −Σ F_z z for every frame;
what is left over when sign and unit are right is the Pulay stress, the same in frames of one cutoff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.frames import get_labels
from flatforce.data.readers.keyed_xyz import CONVENTIONS
from flatforce.structures.sheet import slab_virial_residual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

SIGNAL: Final = 5e-5
"""eV/Å³. Scatter of −ΣF_z z/V below which frames cannot tell conventions apart: round-off of printed forces."""

CLEAR: Final = 0.25
"""A convention is believed when it leaves less than this share of what the second best leaves."""

EXPLAINED: Final = 0.5
"""And when it explains this much of the scatter."""

FEW: Final = 5
"""Frames from which a scatter can be told."""


@dataclass(frozen=True)
class StressVerdict:
    """What the frames say of their stress."""

    n_frames: int
    """Sheets with a stress."""
    convention: str | None
    """The one of `CONVENTIONS` that fits; None where the frames cannot tell."""
    pulay: float
    """eV/Å³, median of σ_zz + ΣF_z z/V as taken; NaN without frames."""
    spread: float
    """eV/Å³, median deviation from it."""
    senseless: bool = False
    """Whether the frames could tell, and no convention fits."""

    @property
    def verified(self) -> bool:
        """Whether the frames confirm sign and unit."""
        return self.convention == TAKEN


TAKEN: Final = next(iter(CONVENTIONS))
"""The convention that frames are in once read."""


def judge_stress(frames: Sequence[Atoms]) -> StressVerdict:
    """Find the convention that the slab virial identity confirms.

    Parameters
    ----------
    frames
        Labelled sheets, vacuum along z, of one origin; those without stress are passed over.

    Returns
    -------
    The verdict.
    """
    told = [frame for frame in frames if get_labels(frame).stress is not None]
    if not told:
        return StressVerdict(0, None, float("nan"), float("nan"))
    given = np.array([_labels_zz(frame) for frame in told])
    needed = np.array([given[k] - _residual(frame) for k, frame in enumerate(told)])
    left = given - needed
    pulay, spread = float(np.median(left)), float(_scatter(left))
    if len(given) < FEW or _scatter(needed) < SIGNAL:
        return StressVerdict(len(told), None, pulay, spread)
    best = _best(given, needed)
    return StressVerdict(len(told), best, pulay, spread, senseless=best is None)


def _best(given: FloatArray, needed: FloatArray) -> str | None:
    signal = _scatter(needed)
    errors = {name: _scatter(factor * given - needed) for name, factor in CONVENTIONS.items()}
    ranked = sorted(errors, key=lambda name: errors[name])
    best, second = errors[ranked[0]], errors[ranked[1]]
    if best < CLEAR * second and best < EXPLAINED * signal:
        return ranked[0]
    return None


def _scatter(values: FloatArray) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _labels_zz(frame: Atoms) -> float:
    stress = get_labels(frame).stress
    return float("nan") if stress is None else float(stress[2, 2])


def _residual(frame: Atoms) -> float:
    labels = get_labels(frame)
    return slab_virial_residual(frame, forces=labels.forces, stress=labels.stress)  # type: ignore[arg-type]  # asked before
