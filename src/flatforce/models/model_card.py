"""Model cards: what stands beside the file of a force field, and what of it is known of the training set."""

from __future__ import annotations

import json
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import FlatforceError
from flatforce.data.training_range import TrainingRange, closest_pairs
from flatforce.models.spec import committee_members, model_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

RANGE: Final = "training_range"
"""Entry of a card that holds smallest distances and numbers of neighbours of the training set."""

MAX_NAMED: Final = 3
"""Pairs of atoms that a text names."""


def read_card(spec: str) -> dict[str, Any]:
    """Read the card of a single model.

    Parameters
    ----------
    spec
        Name of a force field; of a committee, the first member counts.

    Returns
    -------
    Content of `NAME.card.json` beside the model file; empty where there is none.
    """
    try:
        files = model_files(committee_members(spec)[0])
    except FlatforceError:  # a calculator that has no files
        return {}
    if not files:
        return {}
    path = files[0].with_name(f"{files[0].name.partition('.')[0]}.card.json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or one of another program
        return {}
    return card if isinstance(card, dict) else {}


def training_range(spec: str) -> TrainingRange | None:
    """Read what the training set of a force field knows of distances and neighbours.

    Parameters
    ----------
    spec
        Name of a force field.

    Returns
    -------
    The range; of a committee, what all members with a card know in common. None where no card states it.
    """
    ranges = []
    try:
        members = committee_members(spec)
    except FlatforceError:  # a force field that was made in Python, and has no name
        return None
    for member in members:
        values = read_card(member).get(RANGE)
        if isinstance(values, dict):
            ranges.append(TrainingRange.from_values(values))
    return reduce(TrainingRange.common, ranges) if ranges else None


def outside_notes(spec: str, frames: Sequence[Atoms], *, subject: str) -> list[str]:
    """Say where structures leave the training set of a force field.

    Parameters
    ----------
    spec
        Name of the force field.
    frames
        Structures of the same atoms.
    subject
        What they are, such as `the relaxed sheet`.

    Returns
    -------
    One text that names the closest atoms of each pair of elements; empty where nothing is outside, or no card states a range.
    """
    known = training_range(spec)
    if known is None:
        return []
    texts: dict[str, str] = {}
    shortest: dict[str, float] = {}
    for frame in frames:
        closest = closest_pairs(frame)
        for pair, text in known.too_close(frame).items():
            if closest[pair].distance < shortest.get(pair, float("inf")):
                shortest[pair], texts[pair] = closest[pair].distance, text
    if not texts:
        return []
    named = list(texts.values())[:MAX_NAMED]
    return [
        f"{subject} leaves what the force field was trained on: {'; '.join(named)}; label it: flatforce label"
    ]
