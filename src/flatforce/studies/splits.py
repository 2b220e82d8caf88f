"""Frames that a training run left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms


def held_out_by(split: Path, frames: Sequence[Atoms], source: Path) -> list[Atoms]:
    """Choose the frames that a training run left out.

    Parameters
    ----------
    split
        Its `split.json`.
    frames
        All frames.
    source
        Where they came from, for the message.

    Returns
    -------
    Those held out, in their order.

    Raises
    ------
    DataError
        If none was.
    """
    hashes = set(json.loads(split.read_text(encoding="utf-8"))["test"])
    chosen = [frame for frame in frames if hash_structure(frame) in hashes]
    if not chosen:
        raise DataError(
            f"None of the frames of {source} was held out by {split}.",
            fix="judge all of them: leave out --split, or set held_out: false in the study",
        )
    return chosen
