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


def held_out_by(
    split: Path, frames: Sequence[Atoms], source: Path, *, whole_materials: bool = False
) -> list[Atoms]:
    """Choose the frames that a training run held out.

    Parameters
    ----------
    split
        Its `split.json`, or what `flatforce data split` wrote.
    frames
        All frames.
    source
        File of the frames, for the message.
    whole_materials
        Whether a material counts only if all its frames were held out.

    Returns
    -------
    The frames of the test set, in their order.

    Raises
    ------
    DataError
        If there is none.
    """
    hashes = read_test_hashes(split)
    is_test = [hash_structure(frame) in hashes for frame in frames]
    if whole_materials:
        train_materials = {
            material_of(frame) for frame, held_out in zip(frames, is_test, strict=True) if not held_out
        }
        is_test = [material_of(frame) not in train_materials for frame in frames]
    test_frames = [frame for frame, held_out in zip(frames, is_test, strict=True) if held_out]
    if not test_frames:
        raise DataError(
            f"None of the {'materials' if whole_materials else 'frames'} of {source} was held out by {split}.",
            why="each material has frames in the training set: the training has no hold_out: material"
            if whole_materials
            else "",
            fix="evaluate all of them: leave out --split, or set held_out: false in the study",
        )
    return test_frames
