"""VASP's machine-learning database `ML_AB`: every frame in it was computed by DFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import TRUNCATED, FileContent, Refusal, build_frame, from_kbar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

RULE: Final = ("===", "---", "***")
"""Beginnings of lines that only separate others."""


def read_ml_ab(path: Path) -> FileContent:
    """Read every configuration.

    Species are taken from the list of types and numbers of each configuration, since the masses in the header have another
    order.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames; a truncated configuration is refused.
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
    n_types = int(_after(content, "The number of atom types"))
    n_atoms = int(_after(content, "The number of atoms"))
    rows = [_after(content, "Atom types and atom numbers")]
    rows += [next(content) for _ in range(n_types - 1)]
    symbols = [row.split()[0] for row in rows for _ in range(int(row.split()[1]))]
    if len(symbols) != n_atoms:
        raise ValueError(f"{len(symbols)} atoms by type, {n_atoms} in all")
    cell = _rows(content, "Primitive lattice vectors", 3)
    positions = _rows(content, "Atomic positions", n_atoms)
    energy = float(_after(content, "Total energy"))
    forces = _rows(content, "Forces", n_atoms)
    xx, yy, zz = _floats(_after(content, "XX YY ZZ"))
    xy, yz, zx = _floats(_after(content, "XY YZ ZX"))
    return build_frame(
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
    return [float(field) for field in text.split()]
