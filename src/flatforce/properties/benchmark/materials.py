"""First and relaxed structure of each material in a set of DFT relaxations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flatforce.core.errors import DataError
from flatforce.data.frames import material_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


@dataclass(frozen=True)
class Material:
    """First and last structure of the DFT relaxation of a material."""

    name: str
    """Name of the material."""
    start: Atoms
    """First frame of the DFT relaxation."""
    relaxed: Atoms
    """Labelled frame that DFT relaxed."""


def collect_materials(frames: Sequence[Atoms]) -> list[Material]:
    """Find the first and the relaxed frame of each DFT relaxation.

    Parameters
    ----------
    frames
        Labelled frames with `material` in their info, and `step` in those of a relaxation.

    Returns
    -------
    One entry for each material and source. The relaxed frame is the last one marked `relaxed`; relaxations without such a
    frame are left out, unless no relaxation has one: then it is the frame of the last step.

    Raises
    ------
    DataError
        If no frame belongs to a relaxation.
    """
    trajectories: dict[tuple[str, str], list[Atoms]] = {}
    for frame in frames:
        if frame.info.get("step") is not None or frame.info.get("relaxed"):
            key = (str(frame.info.get("source", "")), material_of(frame))
            trajectories.setdefault(key, []).append(frame)
    if not trajectories:
        raise DataError(
            "None of the frames belongs to a relaxation.",
            why="the frames of a relaxation have `step` or `relaxed` in their info",
            fix="import the relaxations with a command that writes `step`: flatforce data import PATHS -o OUT.extxyz",
        )
    any_relaxed = any(frame.info.get("relaxed") for frames_ in trajectories.values() for frame in frames_)
    materials = []
    for (_, name), trajectory in trajectories.items():
        trajectory.sort(key=lambda frame: int(frame.info.get("step", 0)))
        candidates = (
            [frame for frame in trajectory if frame.info.get("relaxed")] if any_relaxed else trajectory
        )
        if candidates:
            materials.append(Material(name, trajectory[0], candidates[-1]))
    return materials
