"""Frames that a training run left out, and frames that may calibrate a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import material_of
from flatforce.data.split_files import read_split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms


def held_out_by(
    split: Path,
    frames: Sequence[Atoms],
    source: Path,
    *,
    fold: int | None = None,
    whole_materials: bool = False,
) -> list[Atoms]:
    """Choose the frames that a training run held out.

    Parameters
    ----------
    split
        Its `split.json` or folder, or what `flatforce data split` wrote.
    frames
        All frames.
    source
        File of the frames, for the message.
    fold
        Number of the fold that was held out, if the split has folds.
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
    hashes = read_split(split, fold=fold).test
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


def without_training_frames(spec: str, frames: list[Atoms], *, or_validated: bool = True) -> list[Atoms]:
    """Keep frames that no member of a committee was trained on, as far as the splits beside them say.

    Parameters
    ----------
    spec
        `committee:a.model,b.model`.
    frames
        Labelled frames.
    or_validated
        Whether the validation set that all members share, which only chose the best epoch, is left out too.

    Returns
    -------
    The frames that are left, in their order.

    Raises
    ------
    DataError
        If none is left.
    """
    from flatforce.models.training_set import trained_on

    frames = [
        frame
        for frame, known in zip(frames, trained_on(spec, frames, or_validated=or_validated), strict=True)
        if not known
    ]
    if not frames:
        raise DataError(
            "Every frame that is to calibrate the committee is in its training set.",
            fix="give frames that no member was trained on: --calibrate FRAMES",
        )
    return frames
