"""VASP's machine-learning database `ML_AB`: every frame in it was computed by DFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import TRUNCATED, FileContent, Refusal, from_kbar, labelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

RULE: Final = ("===", "---", "***")
"""Lines that only part the others."""


def read_ml_ab(path: Path) -> FileContent:
    """Read every configuration.

    Species are taken from each configuration's own list of types and numbers: the masses in the header stand in an
    order of their own.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames; a configuration cut short is refused.
    """
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    with path.open(encoding="utf-8") as stream:
        lines = (line.strip() for line in stream)
        content = (line for line in lines if line and not line.startswith(RULE))
        for line in content:
            if line.startswith("Configuration num."):
                try:
                    frames.append(_configuration(content, len(frames)))
                except (StopIteration, ValueError, IndexError, RuntimeError) as error:
                    refused.append(Refusal(f"{TRUNCATED} ({error or 'no more lines'})", len(frames)))
    return FileContent(frames, refused)


def _configuration(content: Iterator[str], step: int) -> Atoms:
    found: dict[str, list[str]] = {}
    kinds = int(_after(content, "The number of atom types"))
    total = int(_after(content, "The number of atoms"))
    found["types"] = [_after(content, "Atom types and atom numbers")]
    found["types"] += [next(content) for _ in range(kinds - 1)]
    symbols = [row.split()[0] for row in found["types"] for _ in range(int(row.split()[1]))]
    if len(symbols) != total:
        raise ValueError(f"{len(symbols)} atoms by type, {total} in all")
    cell = _rows(content, "Primitive lattice vectors", 3)
    positions = _rows(content, "Atomic positions", total)
    energy = float(_after(content, "Total energy"))
    forces = _rows(content, "Forces", total)
    xx, yy, zz = _floats(_after(content, "XX YY ZZ"))
    xy, yz, zx = _floats(_after(content, "XY YZ ZX"))
    return labelled(
        Atoms(symbols, positions=positions, cell=cell, pbc=True),
        step=step,
        energy=energy,
        forces=forces,
        stress=from_kbar([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]]),
        settings={"code": "vasp"},
    )


def _after(content: Iterator[str], heading: str) -> str:
    for line in content:
        if line.startswith(heading):
            return next(content)
    raise ValueError(f"no {heading!r}")


def _rows(content: Iterator[str], heading: str, count: int) -> FloatArray:
    rows = [_floats(_after(content, heading))]
    rows += [_floats(next(content)) for _ in range(count - 1)]
    return np.array(rows)


def _floats(text: str) -> Sequence[float]:
    return [float(word) for word in text.split()]
