"""The frames that a round selects: `selected.extxyz`, and the reasons in `selection.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ase.io import read

from flatforce.active.learning_round import SelectedFrame
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_structure
from flatforce.data.frame_files import write_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.round_state import RoundState

SELECTED: Final = "selected.extxyz"
"""File of the frames to be labelled."""

SELECTION: Final = "selection.json"
"""File of the reasons."""


@dataclass(frozen=True)
class StoredSelection:
    """Frames that a round selected; they are on disk."""

    frames: list[Atoms]
    """The frames, each with a name in `info`."""
    records: list[SelectedFrame]
    """Source, uncertainty and reason of each frame."""
    max_force_uncertainty: float
    """eV/Å, largest force uncertainty among all candidates."""


def select_frames(state: RoundState, candidates: Sequence[Atoms], folder: Path) -> StoredSelection:
    """Select the frames to be labelled, or read the selection of a run that was killed after it.

    Parameters
    ----------
    state
        The round.
    candidates
        Distinct frames without a label.
    folder
        Folder of the round; it receives `selected.extxyz` and `selection.json`.

    Returns
    -------
    The selected frames in the order of selection, with the reason for each.
    """
    count = min(state.n_requested, len(candidates))
    stored = _read_selection(folder, candidates, count)
    if stored is not None:
        return stored
    selection, pool = state.select(candidates)
    frames: list[Atoms] = []
    records: list[SelectedFrame] = []
    for k, reason in zip(selection.indices, selection.reasons, strict=True):
        frame = candidates[k]
        name = str(frame.info.get("name") or f"round{state.number:02d}-{len(frames):02d}")
        frame.info["name"] = name
        source = str(frame.info.get("sampler", frame.info.get("config_type", "")))
        frames.append(frame)
        records.append(
            SelectedFrame(name, source, float(pool.uncertainty[k]), reason, n_outside=pool.count_outside(k))
        )
    stored = StoredSelection(frames, records, float(pool.uncertainty.max()))
    _write_selection(folder, stored)
    return stored


def _write_selection(folder: Path, selection: StoredSelection) -> None:
    write_frames(folder / SELECTED, selection.frames)
    content = {
        "max_force_uncertainty": selection.max_force_uncertainty,
        "frames": [asdict(record) for record in selection.records],
    }
    write_text(folder / SELECTION, json.dumps(content, indent=1))


def _read_selection(folder: Path, candidates: Sequence[Atoms], count: int) -> StoredSelection | None:
    """Read the selection of a killed run: on another machine, rounding might lead to another one."""
    if not (folder / SELECTED).is_file() or not (folder / SELECTION).is_file():
        return None
    content = json.loads((folder / SELECTION).read_text(encoding="utf-8"))
    by_hash = {hash_structure(frame): frame for frame in candidates}
    hashes = [hash_structure(frame) for frame in read(folder / SELECTED, ":")]
    if len(hashes) != count or not by_hash.keys() >= set(hashes):
        return None
    frames = [by_hash[key] for key in hashes]
    records = [SelectedFrame(**values) for values in content["frames"]]
    for frame, record in zip(frames, records, strict=True):
        frame.info["name"] = record.name
    return StoredSelection(frames, records, content["max_force_uncertainty"])
