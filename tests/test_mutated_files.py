"""Thousands of damaged files: no reader raises, and no frame gets labels that its file did not hold for it."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.io import write

import vasp_files
from flatforce.core.errors import FlatforceError
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled
from flatforce.data.frames import get_labels
from flatforce.data.importing import import_frames
from mutations import MUTATIONS
from pw_files import pw_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ase import Atoms

N_MUTATIONS = 55
"""Of each kind and format: 8 × 5 × 55 = 2,200 in all."""

ENERGY, FORCE, POSITION = 2e-5, 2e-4, 2e-4
"""eV, eV/Å, Å. Round-off of what the formats print; mutations change a number by far more, or take it away."""


def few() -> list[Atoms]:
    frames = [frame for frame in read_labelled(dataset_path("wse2-pbe")) if len(frame) == 3][:3]
    return [frame[np.argsort(-frame.numbers, kind="stable")] for frame in frames]


def extxyz(frames: list[Atoms]) -> str:
    stream = StringIO()
    write(stream, frames, format="extxyz")
    return stream.getvalue()


WRITERS: dict[str, Callable[[list[Atoms]], str]] = {
    "vasprun.xml": vasp_files.vasprun,
    "OUTCAR": vasp_files.outcar,
    "ML_AB": vasp_files.ml_ab,
    "pw.out": pw_output,
    "frames.extxyz": extxyz,
}


@pytest.mark.parametrize("mutation", list(MUTATIONS))
@pytest.mark.parametrize("name", list(WRITERS))
def test_damaged_files(tmp_path: Path, name: str, mutation: str) -> None:
    frames = few()
    text = WRITERS[name](frames)
    path = tmp_path / name
    path.write_text(text)
    assert len(import_frames(path).frames) == len(frames)
    n_changed = 0
    for seed in range(N_MUTATIONS):
        rng = np.random.default_rng([seed, len(mutation), len(name)])
        mutated = "".join(MUTATIONS[mutation](text.splitlines(keepends=True), rng))
        path.write_bytes(mutated.encode("utf-8", errors="surrogateescape"))
        n_changed += mutated != text
        if mutation == "swap" and exchanges_positions(text, mutated):
            continue
        try:
            accepted = import_frames(path).frames
        except FlatforceError:
            continue
        for frame in accepted:
            assert is_genuine(frame, frames), (seed, mutated)
    assert n_changed > N_MUTATIONS // 2


def exchanges_positions(text: str, mutated: str) -> bool:
    """Whether positions of two frames of a `vasprun.xml` were exchanged, which leaves no trace that a reader could find."""
    heading, changed = "", []
    for line, new in zip(text.splitlines(), mutated.splitlines(), strict=True):
        heading = line if "<varray" in line else heading
        if line != new:
            changed.append(heading)
    return len(changed) == 2 and all("positions" in name for name in changed)


def is_genuine(frame: Atoms, originals: list[Atoms]) -> bool:
    """Whether positions, energy, forces and stress are those of one of the frames that were written."""
    return any(is_same(frame, original) for original in originals)


def in_order(frame: Atoms) -> Atoms:
    """Atoms sorted by species and height, since a file whose rows were exchanged holds the same frame."""
    return frame[np.lexsort((frame.positions[:, 2], frame.numbers))]


def is_same(frame: Atoms, original: Atoms) -> bool:
    if frame.get_chemical_formula() != original.get_chemical_formula():
        return False
    frame, original = in_order(frame), in_order(original)
    labels, expected = get_labels(frame), get_labels(original)
    distances = frame.cell.scaled_positions(frame.positions - original.positions)
    off = np.abs((distances - np.round(distances)) @ frame.cell.array).max()
    stress = 0.0
    if labels.stress is not None and expected.stress is not None:
        stress = float(np.abs(labels.stress - expected.stress).max())
    return bool(
        off < POSITION
        and abs(labels.energy - expected.energy) < ENERGY
        and np.abs(labels.forces - expected.forces).max() < FORCE
        and stress < ENERGY
    )
