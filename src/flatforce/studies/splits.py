"""Frames that a training run left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import material_of
from flatforce.data.splits import read_test_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms


def held_out_by(split: Path, frames: Sequence[Atoms], source: Path, *, whole: bool = False) -> list[Atoms]:
    """Choose the frames that a training run left out.

    Parameters
    ----------
    split
        Its `split.json`, or what `flatforce data split` wrote.
    frames
        All frames.
    source
        Where they came from, for the message.
    whole
        Whether a material counts only if all its frames were left out.

    Returns
    -------
    Those held out, in their order.

    Raises
    ------
    DataError
        If none was.
    """
    hashes = read_test_hashes(split)
    inside = [hash_structure(frame) in hashes for frame in frames]
    if whole:
        learnt = {material_of(frame) for frame, out in zip(frames, inside, strict=True) if not out}
        inside = [material_of(frame) not in learnt for frame in frames]
    chosen = [frame for frame, out in zip(frames, inside, strict=True) if out]
    if not chosen:
        raise DataError(
            f"None of the {'materials' if whole else 'frames'} of {source} was held out by {split}.",
            why="each material has frames in the training set: the training has no hold_out: material"
            if whole
            else "",
            fix="evaluate all of them: leave out --split, or set held_out: false in the study",
        )
    return chosen
