"""Sign, unit and order of a stress, found frame by frame from the forces by the slab virial identity.

Moving the atoms of an isolated sheet by u_α = ε z, with α = x, y or z, is a strain of its cell that only moves atoms, so that
σ_αz V = −Σ F_α z in every frame. With the right sign, unit and order of the components, σ_xz and σ_yz leave nothing, and σ_zz
leaves the Pulay stress, which all frames of one cutoff share. VASP and GPAW obey it to 1e-5 eV/Å³.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.frames import Labels, get_labels
from flatforce.data.readers.keyed_xyz import CONVENTIONS, VASP_ORDER
from flatforce.data.stress_labels import stress_matrix
from flatforce.structures.sheet import slab_virial_stress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray

TOLERANCE: Final = 2e-4
"""eV/Å³. Smallest deviation from the identity that counts: round-off of printed forces and an unconverged cell height leave up to
9.4e-5 in databases of VASP and GPAW (validation/audit_thresholds.py)."""

MAX_TOLERANCE: Final = 5e-3
"""eV/Å³. Largest tolerance, whatever the scatter of the frames: 8 kbar."""

SCATTERS: Final = 8.0
"""Number of median absolute deviations of a component within which a frame agrees with the others."""

MAX_SHARE: Final = 0.25
"""Largest tolerance relative to the stresses that the frames expect: a wider one would be fulfilled by other units too."""

RELATIVE: Final = 0.02
"""Fraction of the expected stress by which a frame may deviate in addition."""

MAX_PULAY: Final = 0.1
"""eV/Å³. A larger constant part of σ_zz is no Pulay stress: plane waves at usual cutoffs leave below 0.03 in a slab cell."""

MIN_FRAMES: Final = 5
"""Number of frames from which on a Pulay stress can be estimated; fewer may have any up to `MAX_PULAY`."""

STANDARD: Final = next(iter(CONVENTIONS))
"""The convention of frames once read: eV/Å³, tension positive."""

REORDERED: Final = ", six numbers in the order xx yy zz xy yz zx"
"""Ending of the name of a convention with VASP's order of the components."""


@dataclass(frozen=True)
class StressCheck:
    """Comparison of the stresses of frames with the slab virial identity."""

    n_frames: int
    """Number of frames with a stress."""
    convention: str
    """Convention that most frames fulfil; the assumed one where no frame can tell."""
    verdicts: list[str | None]
    """For each frame its convention, or None where it fulfils none. Empty for a frame without a stress."""
    verified: BoolArray
    """(F,) whether the frame fulfils one convention only."""
    pulay: float
    """eV/Å³, median of σ_zz + ΣF_z z/V; NaN without frames."""
    pulay_deviation: float
    """eV/Å³, median absolute deviation from it."""

    @property
    def n_verified(self) -> int:
        """Number of frames whose own forces confirm sign, unit and order."""
        return int(self.verified.sum())

    def of(self, frames: slice) -> StressCheck:
        """Restrict the check to some of its frames.

        Parameters
        ----------
        frames
            Their positions.

        Returns
        -------
        The check of these frames, with the Pulay stress of all.
        """
        verdicts = self.verdicts[frames]
        return replace(
            self,
            n_frames=sum(verdict != "" for verdict in verdicts),
            verdicts=verdicts,
            verified=self.verified[frames],
        )

    @property
    def n_contradictory(self) -> int:
        """Number of frames whose stress contradicts their forces in every convention."""
        return sum(verdict is None for verdict in self.verdicts)


def convert_stress(frame: Atoms, convention: str) -> FloatArray:
    """Convert the stress of a frame as it was read.

    Parameters
    ----------
    frame
        A frame with a stress.
    convention
        A key of `CONVENTIONS`, with or without `REORDERED`.

    Returns
    -------
    (3, 3) eV/Å³, tension positive, if the convention is right.
    """
    unit = convention.removesuffix(REORDERED)
    stress = frame.info[VASP_ORDER] if unit != convention else get_labels(frame, need_forces=False).stress
    return CONVENTIONS[unit] * stress_matrix(stress)


def check_stress(frames: Sequence[Atoms], *, assumed: str = STANDARD) -> StressCheck:
    """Find for each frame the convention with which its stress obeys the slab virial identity.

    Parameters
    ----------
    frames
        Labelled sheets of one origin, vacuum along z; a frame without a stress is ignored.
    assumed
        Convention of frames that cannot tell.

    Returns
    -------
    The convention of each frame, which of them are verified, and the Pulay stress.
    """
    labels = [get_labels(frame) for frame in frames]
    with_stress = [k for k, label in enumerate(labels) if label.stress is not None]
    verdicts: list[str | None] = [""] * len(frames)
    verified = np.zeros(len(frames), dtype=bool)
    if not with_stress:
        return StressCheck(0, assumed, verdicts, verified, float("nan"), float("nan"))
    selected = [frames[k] for k in with_stress]
    names = [*CONVENTIONS, *(name + REORDERED for name in CONVENTIONS)]
    expected = np.array([_expected(frames[k], labels[k]) for k in with_stress])
    residuals = np.array([_residuals(selected, expected, name) for name in names])
    majority, pulay, tolerance = _consensus(residuals, expected)
    deviations = np.abs(residuals - pulay * np.array([0, 0, 1]))
    fits = np.nan_to_num(deviations, nan=np.inf) < tolerance + RELATIVE * np.abs(expected)
    fulfilled: BoolArray = fits.all(axis=2)
    preferred = names[majority] if (fulfilled.sum(axis=0) == 1).any() else assumed
    for column, k in enumerate(with_stress):
        verdicts[k], verified[k] = _verdict(fulfilled[:, column], names, preferred)
    deviation = residuals[names.index(preferred), :, 2]
    median = float(np.median(deviation))
    return StressCheck(
        len(selected), preferred, verdicts, verified, median, float(np.median(np.abs(deviation - median)))
    )


def _expected(frame: Atoms, labels: Labels) -> FloatArray:
    return slab_virial_stress(frame, forces=labels.forces)


def _residuals(frames: Sequence[Atoms], expected: FloatArray, convention: str) -> FloatArray:
    """(F, 3) eV/Å³; in a convention of another order, NaN for a frame to which the order makes no difference."""
    rows = np.full((len(frames), 3), np.nan)
    for k, frame in enumerate(frames):
        if not convention.endswith(REORDERED) or _order_matters(frame):
            rows[k] = convert_stress(frame, convention)[:, 2] - expected[k]
    return rows


def _order_matters(frame: Atoms) -> bool:
    if VASP_ORDER not in frame.info:
        return False
    stress, reordered = (convert_stress(frame, STANDARD + ending) for ending in ("", REORDERED))
    return not np.allclose(stress, reordered, rtol=0, atol=TOLERANCE * 1e-3)


def _consensus(residuals: FloatArray, expected: FloatArray) -> tuple[int, float, FloatArray]:
    """Find the convention that most frames agree on, with the Pulay stress and the tolerance of each component.

    Frames that expect next to nothing fulfil any convention of small numbers, and have no vote.
    """
    n_frames = len(expected)
    spread = np.abs(expected - np.median(expected, axis=0) * np.array([0, 0, 1]))
    votes = (spread > 2 * TOLERANCE).any(axis=1)
    typical = float(np.median(spread[votes].max(axis=1))) if votes.any() else 0.0
    limit = float(np.clip(MAX_SHARE * typical, TOLERANCE, MAX_TOLERANCE))
    best = (-1, 0, 0.0, np.array([TOLERANCE, TOLERANCE, MAX_PULAY]))
    for index, rows in enumerate(residuals):
        known = np.isfinite(rows).all(axis=1)
        shear = np.abs(rows[:, :2]).max(axis=1) < MAX_TOLERANCE
        plausible = known & shear & (np.abs(rows[:, 2]) < MAX_PULAY)
        if not plausible.any():
            continue
        if n_frames < MIN_FRAMES:
            pulay, tolerance = 0.0, np.array([TOLERANCE, TOLERANCE, MAX_PULAY])
        else:
            pulay = float(np.median(rows[plausible, 2]))
            deviations = np.abs(rows[plausible] - pulay * np.array([0, 0, 1]))
            tolerance = np.clip(SCATTERS * np.median(deviations, axis=0), TOLERANCE, limit)
        centred = np.abs(rows - pulay * np.array([0, 0, 1]))
        agree = known & (centred < tolerance + RELATIVE * np.abs(expected)).all(axis=1)
        count = int((agree & votes).sum())
        if count > best[0]:
            best = (count, index, pulay, tolerance)
    return best[1], best[2], best[3]


def _verdict(fulfilled: BoolArray, names: Sequence[str], preferred: str) -> tuple[str | None, bool]:
    candidates = [name for name, holds in zip(names, fulfilled, strict=True) if holds]
    for name in (
        preferred,
        preferred.removesuffix(REORDERED),
    ):  # the order makes no difference to some frames
        if name in candidates:
            return name, len(candidates) == 1
    return (candidates[0], True) if len(candidates) == 1 else (None, False)
