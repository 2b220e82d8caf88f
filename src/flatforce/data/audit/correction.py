"""Verification of the stress of imported files, frame by frame, and its conversion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.audit.settings import count_settings
from flatforce.data.audit.stress import REORDERED, STANDARD, StressCheck, check_stress, convert_stress
from flatforce.data.frames import STRESS
from flatforce.data.readers.keyed_xyz import CONVENTION, VASP_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

UNSTATED_UNIT: Final = "extxyz"
"""Kind of file that does not state the sign and unit of its stress."""

PULAY_STRESS: Final = "pulay_stress"
"""Key in `info`: isotropic stress that was subtracted from the label, in eV/Å³."""

CONTRADICTORY: Final = (
    "the stress contradicts its own forces: σ_αz V = −Σ F_α z does not hold in any known sign, unit or order"
)
"""Reason of a refusal."""

UNDECIDED: Final = (
    "the sign and unit of the stress are unclear: the file mixes several, and the frame fulfils more than one"
)
"""Reason of a refusal."""

UNTRUSTED: Final = "the sign, unit or order of the stress is unclear: more frames of the file contradict every convention than confirm one"
"""Reason of a refusal."""

LONE: Final = "the stress of this frame alone fits its forces in another convention ({convention}) than the other frames: its forces may be wrong as well"
"""Reason of a refusal."""

IMPLAUSIBLE: Final = (
    "the in-plane stress of {stress:.3g} eV/Å³ is beyond what any sheet bears: its unit is another one"
)
"""Reason of a refusal."""

MAX_STRESS: Final = 1.0
"""eV/Å³, 1,600 kbar. The stress of a slab cell is diluted by its vacuum; strained and broken sheets stay below a tenth of this."""

ZERO: Final = "stress of exactly zero removed from {count} of {total} frames: no calculation gives that"
"""Note about a file."""


@dataclass(frozen=True)
class StressAudit:
    """What the audit of the stress of one file found."""

    check: StressCheck
    """Verdict on each frame."""
    notes: list[str] = field(default_factory=list)
    """What was assumed, converted or removed."""
    refused: dict[int, str] = field(default_factory=dict)
    """Index of a frame that cannot be accepted → reason."""


def verify_stresses(
    files: Sequence[tuple[str, list[Atoms]]], *, remove_pulay: bool
) -> dict[int, StressAudit]:
    """Verify the stress of every frame, and convert it where sign, unit or order differ.

    Files that one code wrote with the same settings are verified together, since the Pulay stress cannot be told from a single
    frame. A file of extended XYZ is verified by itself. In a file whose format states the unit, nothing is converted.

    Parameters
    ----------
    files
        Kind and frames of each file; the stress labels of the frames are changed in place.
    remove_pulay
        Whether the Pulay stress is subtracted where it was verified.

    Returns
    -------
    Index of each file with frames → its audit.
    """
    groups: dict[tuple[str, object], list[int]] = {}
    for index, (kind, frames) in enumerate(files):
        if frames:
            settings = index if kind == UNSTATED_UNIT else tuple(sorted(count_settings(frames)))
            groups.setdefault((kind, settings), []).append(index)
    audits: dict[int, StressAudit] = {}
    for (kind, _), members in groups.items():
        zeros = {index: _remove_zeros(files[index][1]) for index in members}
        frames = [frame for index in members for frame in files[index][1]]
        assumed = frames[0].info.get(CONVENTION, STANDARD)
        check = check_stress(frames)
        offset = 0
        for index in members:
            own = files[index][1]
            audit = _audit_file(own, check.of(slice(offset, offset + len(own))), assumed, kind=kind)
            offset += len(own)
            audits[index] = StressAudit(audit.check, zeros[index] + audit.notes, audit.refused)
        if remove_pulay and check.n_verified:
            _subtract_pulay(frames, check.pulay)
        for frame in frames:
            for key in (CONVENTION, VASP_ORDER):
                frame.info.pop(key, None)
    return audits


def _remove_zeros(frames: Sequence[Atoms]) -> list[str]:
    zeros = [frame for frame in frames if STRESS in frame.info and not np.any(frame.info[STRESS])]
    for frame in zeros:
        del frame.info[STRESS]
        frame.info.pop(VASP_ORDER, None)
    return [ZERO.format(count=len(zeros), total=len(frames))] if zeros else []


def _audit_file(frames: Sequence[Atoms], check: StressCheck, assumed: str, *, kind: str) -> StressAudit:
    refused: dict[int, str] = {}
    conversions: Counter[str] = Counter()
    units = {
        (verdict or "").removesuffix(REORDERED)
        for verdict, is_sure in zip(check.verdicts, check.verified, strict=True)
        if is_sure
    }
    is_untrusted = kind == UNSTATED_UNIT and check.n_contradictory > check.n_verified
    for index, (frame, verdict) in enumerate(zip(frames, check.verdicts, strict=True)):
        if verdict == "":
            continue
        if verdict is None or (kind != UNSTATED_UNIT and verdict not in {"", STANDARD}):
            refused[index] = CONTRADICTORY
        elif len(units) > 1 and verdict and not check.verified[index]:
            refused[index] = UNDECIDED
        elif is_untrusted:
            refused[index] = UNTRUSTED
        elif _is_lone(check, index):
            refused[index] = LONE.format(convention=verdict)
        elif verdict != STANDARD:
            frame.info[STRESS] = convert_stress(frame, verdict).reshape(9)
            conversions[verdict] += 1
        if index not in refused and (stress := _in_plane_stress(frame)) > MAX_STRESS:
            refused[index] = IMPLAUSIBLE.format(stress=stress)
    notes = [
        f"stress of {count} frames converted from {name} to {STANDARD}" for name, count in conversions.items()
    ]
    if check.n_frames > check.n_contradictory and not check.n_verified:
        notes.append(f"stress assumed to be: {assumed}; the frames cannot tell")
    return StressAudit(check, notes, refused)


def _is_lone(check: StressCheck, index: int) -> bool:
    """Whether a frame is the only one of several in its convention."""
    confirmed = [verdict for verdict, is_sure in zip(check.verdicts, check.verified, strict=True) if is_sure]
    return len(confirmed) > 2 and confirmed.count(check.verdicts[index]) == 1 and bool(check.verified[index])


def _in_plane_stress(frame: Atoms) -> float:
    return float(np.abs(np.asarray(frame.info[STRESS]).reshape(3, 3)[:2, :2]).max())


def _subtract_pulay(frames: Sequence[Atoms], pulay: float) -> None:
    for frame in frames:
        if STRESS in frame.info:
            frame.info[STRESS] = np.asarray(frame.info[STRESS]) - pulay * np.eye(3).reshape(9)
            frame.info[PULAY_STRESS] = pulay + float(frame.info.get(PULAY_STRESS, 0.0))
