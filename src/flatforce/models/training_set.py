"""Which frames a force field was trained on, as far as the splits beside its files say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.hashing import hash_structure
from flatforce.data.leakage import are_copies
from flatforce.models.spec import committee_members, model_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import BoolArray


def trained_on(spec: str, frames: Sequence[Atoms], *, or_validated: bool = True) -> BoolArray:
    """Tell which frames a force field, or any member of a committee, was trained on or validated with, as copies too.

    Parameters
    ----------
    spec
        Name of a force field.
    frames
        Structures.
    or_validated
        Whether frames count that only chose the best epoch. A validation frame of a committee whose members draw their own always
        counts, since other members are trained on it.

    Returns
    -------
    (F,) True for a frame whose structure, in any orientation, order of atoms or supercell, is in the training set, or as asked the validation set, of a `split.json` beside the model;
    False for all if there is none.
    """
    hashes: set[str] = set()
    keys: list[list[float | str]] = []
    for split in _splits(spec):
        used = set(split["train"])
        if or_validated or not split.get("shared_valid"):
            used |= set(split.get("valid", ()))
        hashes |= used
        keys += [key for structure, key in split.get("structures", {}).items() if structure in used]
    is_same = np.array([hash_structure(frame) in hashes for frame in frames], dtype=bool)
    return np.asarray(is_same | are_copies(frames, keys)) if keys else is_same


def initial_training_set(spec: str) -> dict[str, Any] | None:
    """Collect what a force field was trained on, for the split of a model that is fine-tuned from it.

    Parameters
    ----------
    spec
        Name of the force field.

    Returns
    -------
    `train`, hashes of the structures of its training and validation set, and `structures`, hash → key; None if no split is beside it.
    """
    splits = list(_splits(spec))
    if not splits:
        return None
    structures: dict[str, Any] = {}
    for split in splits:
        structures |= split.get("structures", {})
    hashes = {
        structure for split in splits for name in ("train", "valid") for structure in split.get(name, ())
    }
    return {"train": sorted(hashes), "structures": structures}


def _splits(spec: str) -> Iterator[dict[str, Any]]:
    """Yield the splits beside the files of a force field."""
    for member in committee_members(spec):
        for path in model_files(member):
            for split in (path.with_suffix(".split.json"), path.parent / "split.json"):
                yield from _read_splits(split)


def _read_splits(path: Path) -> list[dict[str, Any]]:
    """Read the split of a training and that of the model that it started from; empty for a missing file, or one of another kind."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(stored, dict):
        return []
    return [
        split
        for split in (stored, stored.get("initial"))
        if isinstance(split, dict) and isinstance(split.get("train"), list)
    ]
