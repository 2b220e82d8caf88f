"""Frames held out for good, chosen by seed within each config type, or read from a file."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import ISOLATED, config_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

ENOUGH = 3
"""Frames of a config type from which one at least is held out."""


def hold_out(frames: Sequence[Atoms], *, fraction: float, seed: int) -> list[int]:
    """Choose test frames within each config type.

    The choice hangs on each frame's content alone, so that a frame stays on its side of the split
    whatever order the file has.

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
        count = math.ceil(fraction * len(members))
        chosen += [members[k] for k in rng.permutation(len(members))[:count]]
    return sorted(chosen)


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
