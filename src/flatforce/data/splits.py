"""Frames held out for good, chosen by seed within each config type, or read from a file; trajectories stay whole."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import ISOLATED, config_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ase import Atoms

ENOUGH = 3
"""Frames of a config type from which one at least is held out."""

PATH = "path"
"""In `info`: frames that a sampler took from one trajectory or relaxation share it."""


def hold_out(frames: Sequence[Atoms], *, fraction: float, seed: int) -> list[int]:
    """Choose test frames within each config type.

    The choice hangs on each frame's content alone, so that a frame stays on its side of the split
    whatever order the file has. Trajectories are not cut, but for those longer than the share; see `together`.

    Parameters
    ----------
    frames
        All frames.
    fraction
        Share of each config type; rounded up from three frames on, none of isolated atoms.
    seed
        Of the choice.

    Returns
    -------
    Sorted indices of the frames held out.
    """
    if fraction <= 0:
        return []
    groups: dict[str, list[int]] = {}
    for i, frame in enumerate(frames):
        groups.setdefault(config_type(frame), []).append(i)
    chosen: list[int] = []
    for name in sorted(groups):
        members = groups[name]
        if name == ISOLATED or len(members) < ENOUGH:
            continue
        members.sort(key=lambda i: hash_structure(frames[i]))
        rng = np.random.default_rng([seed, *name.encode()])
        chosen += draw(frames, members, math.ceil(fraction * len(members)), rng)
    return sorted(chosen)


def draw(frames: Sequence[Atoms], places: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """Draw frames, whole trajectories of them (see `together`) unless all are of one.

    Parameters
    ----------
    frames
        All frames.
    places
        Those to draw from.
    count
        How many at least.
    rng
        Of the draw.

    Returns
    -------
    Places.
    """
    units = together(frames, places, longest=count)
    if len(units) == 1:
        units = [[k] for k in places]
    taken: list[int] = []
    for k in rng.permutation(len(units)):
        if len(taken) < count:
            taken += units[k]
    return taken


def together(frames: Sequence[Atoms], places: Sequence[int], *, longest: int) -> list[list[int]]:
    """Part frames into those that belong on one side of a split: neighbours on a trajectory are near copies.

    Parameters
    ----------
    frames
        All frames.
    places
        Those to part.
    longest
        Frames of a run of somebody's calculation (see `trajectories`) above which it is cut, for too much would go with it.
        What a sampler took from one path is never cut.

    Returns
    -------
    Places of each part, in the order of the first.
    """
    units: dict[Any, list[int]] = {}
    for k in places:
        units.setdefault(_trajectory(frames[k]) or k, []).append(k)
    found: list[list[int]] = []
    for unit in units.values():
        cut = len(unit) > longest and PATH not in frames[unit[0]].info
        found += [[k] for k in unit] if cut else [unit]
    return found


def whole_trajectories(frames: Sequence[Atoms], *, besides: Iterable[Atoms]) -> list[list[int]]:
    """Group frames that err together: those of one trajectory, unless it was cut.

    Parameters
    ----------
    frames
        Of one side of a split.
    besides
        Of the other: trajectories with frames there were cut, and their frames stand alone.

    Returns
    -------
    Places of each group, in the order of the first.
    """
    cut = {_trajectory(frame) for frame in besides}
    units: dict[Any, list[int]] = {}
    for k, frame in enumerate(frames):
        name = _trajectory(frame)
        units.setdefault(k if name is None or name in cut else name, []).append(k)
    return list(units.values())


def cut_trajectories(learnt: Iterable[Atoms], test: Iterable[Atoms]) -> list[str]:
    """Warn of trajectories with frames on both sides of a split.

    Parameters
    ----------
    learnt
        Frames of one side.
    test
        Frames of the other.

    Returns
    -------
    The warning, or nothing.
    """
    one, other = ({_trajectory(frame) for frame in side} - {None} for side in (learnt, test))
    if not one & other:
        return []
    words = "1 trajectory is" if len(one & other) == 1 else f"{len(one & other)} trajectories are"
    mend = "give frames of other runs to be tested on, or hold out by material"
    return [f"{words} on both sides of the split, so near copies judge: {mend}"]


def held_out_hashes(split: Path) -> set[str]:
    """Read which frames a split holds out.

    Parameters
    ----------
    split
        `split.json` of a training run, or what `flatforce data split` wrote.

    Returns
    -------
    Content hashes of the part `test`.

    Raises
    ------
    DataError
        If the file is absent, damaged, or has no such part.
    """
    try:
        content = json.loads(split.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The split {split} cannot be read.",
            why=str(error),
            fix="give split.json of a training run, or what `flatforce data split` wrote",
        ) from error
    found = content.get("parts", content) if isinstance(content, dict) else {}
    if "test" not in found:
        raise DataError(
            f"{split} holds no part `test`.",
            why=f"it has {', '.join(found) or 'nothing'}",
            fix="give split.json of a training run, or a split by shares or --leave-out",
        )
    return set(found["test"])


def trajectories(frames: Sequence[Atoms]) -> list[list[int]]:
    """Group frames by run: one material from one source, in the order of its steps.

    Parameters
    ----------
    frames
        Frames; those without `step` in `info`, or alone in their run, belong to none.

    Returns
    -------
    Indices of each run.
    """
    runs: dict[tuple[str, ...], list[int]] = {}
    for i, frame in enumerate(frames):
        if frame.info.get("step") is not None:
            runs.setdefault(_run(frame), []).append(i)
    return [
        sorted(members, key=lambda i: int(frames[i].info["step"]))
        for members in runs.values()
        if len(members) > 1
    ]


def _run(frame: Atoms) -> tuple[str, ...]:
    return (str(frame.info.get("source", "")), str(frame.info.get("material", "")), str(frame.symbols))


def _trajectory(frame: Atoms) -> tuple[str, ...] | None:
    if PATH in frame.info:
        return (str(frame.info[PATH]),)
    return _run(frame) if frame.info.get("step") is not None else None
