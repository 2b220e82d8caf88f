"""Verification of the stress of imported files, group by group, and its correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.audit.settings import count_settings
from flatforce.data.audit.stress import STANDARD, StressCheck, check_stress
from flatforce.data.frames import STRESS
from flatforce.data.readers.content import SOURCE
from flatforce.data.readers.keyed_xyz import CONVENTION, CONVENTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

UNSTATED_UNIT = "extxyz"
"""Kind of file that does not state the sign and unit of its stress."""

PULAY_STRESS = "pulay_stress"
"""Key in `info`: isotropic stress that was subtracted from the label, in eV/Å³."""


def verify_stresses(
    files: Sequence[tuple[str, list[Atoms]]], *, remove_pulay: bool
) -> dict[int, tuple[StressCheck, list[str]]]:
    """Verify the stress of all files, and convert it where sign or unit differ.

    Files that one code wrote with the same settings are verified together, since a single frame cannot be. A file of extended
    XYZ is verified by itself.

    Parameters
    ----------
    files
        Kind and frames of each file; the stress labels of the frames are changed in place.
    remove_pulay
        Whether the Pulay stress is subtracted.

    Returns
    -------
    Index of each file with frames → its check, and notes about it.
    """
    groups: dict[tuple[str, object], list[int]] = {}
    for index, (kind, frames) in enumerate(files):
        if frames:
            settings = index if kind == UNSTATED_UNIT else tuple(sorted(count_settings(frames)))
            groups.setdefault((kind, settings), []).append(index)
    checks: dict[int, tuple[StressCheck, list[str]]] = {}
    for (kind, _), members in groups.items():
        frames = [frame for index in members for frame in files[index][1]]
        check, notes = _verify_group(frames, is_unit_stated=kind != UNSTATED_UNIT)
        if remove_pulay and check.is_verified:
            _subtract_pulay(frames, check.pulay)
        checks |= dict.fromkeys(members, (check, notes))
    return checks


def _verify_group(frames: Sequence[Atoms], *, is_unit_stated: bool) -> tuple[StressCheck, list[str]]:
    """Check a stress; convert it where its unit is not stated, refuse it where the stated unit is contradicted."""
    check = check_stress(frames)
    assumed_convention = frames[0].info.get(CONVENTION, STANDARD)
    for frame in frames:
        frame.info.pop(CONVENTION, None)
    if check.n_frames == 0 or check.is_verified:
        return check, []
    if check.convention is None and not check.is_contradictory:
        return check, [f"stress assumed to be: {assumed_convention}"]
    if is_unit_stated or check.convention is None:
        raise DataError(
            f"The stress in {frames[0].info[SOURCE]} contradicts its own forces.",
            why=f"by σ_zz V = −Σ F_z z its unit and sign are: {check.convention or 'none of those known'}",
            fix="import the other files without this one, and check how it was written",
        )
    _convert_stress(frames, CONVENTIONS[check.convention])
    return check_stress(frames), [f"stress converted from {check.convention} to {STANDARD}"]


def _convert_stress(frames: Sequence[Atoms], factor: float) -> None:
    for frame in frames:
        if STRESS in frame.info:
            frame.info[STRESS] = factor * np.asarray(frame.info[STRESS])


def _subtract_pulay(frames: Sequence[Atoms], pulay: float) -> None:
    for frame in frames:
        if STRESS in frame.info:
            frame.info[STRESS] = np.asarray(frame.info[STRESS]) - pulay * np.eye(3).reshape(9)
            frame.info[PULAY_STRESS] = pulay + float(frame.info.get(PULAY_STRESS, 0.0))
