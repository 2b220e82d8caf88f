"""VASP's machine-learning database `ML_AB`: every frame in it was computed by DFT."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import DAMAGED, TRUNCATED, FileContent, Refusal, build_frame, from_kbar
from flatforce.data.readers.opening import element_of, open_text, parse_row, whole_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RULE: Final = ("===", "---", "***")
"""Beginnings of lines that only separate others."""

BEGINNING: Final = "Configuration num."
"""Heading of a configuration."""

COUNT: Final = "The number of configurations"
"""Heading of the number of configurations that the file announces."""


def read_ml_ab(path: Path) -> FileContent:
    """Read every configuration from its own section, so that none gets the labels of another.

    Species are taken from the list of types and numbers of each configuration, since the masses in the header have another
    order.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames; a configuration that lacks a section, or is cut short, is refused.
    """
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    header, *sections = _sections(path)
    for step, section in enumerate(sections):
        try:
            frames.append(_configuration(section, step))
        except (ValueError, IndexError) as error:
            refused.append(Refusal(f"{DAMAGED}: {error}", step))
    announced = next((line for heading, line in itertools.pairwise(header) if heading.startswith(COUNT)), "")
    if announced.isdigit() and int(announced) > len(sections):
        refused.append(Refusal(f"{TRUNCATED}: {announced} configurations announced, {len(sections)} there"))
    return FileContent(frames, refused)


def _sections(path: Path) -> list[list[str]]:
    """Split the file into its header and its configurations, without empty and separating lines."""
    sections: list[list[str]] = [[]]
    with open_text(path) as stream:
        for line in map(str.strip, whole_lines(stream)):
            if line.startswith(BEGINNING):
                sections.append([])
            elif line and not line.startswith(RULE):
                sections[-1].append(line)
    return sections


def _configuration(section: Sequence[str], step: int) -> Atoms:
    n_types = int(_rows(section, "The number of atom types", 1)[0])
    n_atoms = int(_rows(section, "The number of atoms", 1)[0])
    types = [row.split() for row in _rows(section, "Atom types and atom numbers", n_types)]
    symbols = [element_of(name) for name, count in types for _ in range(int(count))]
    if len(symbols) != n_atoms:
        raise ValueError(f"{len(symbols)} atoms by type, {n_atoms} in all")
    cell, positions, forces = (
        np.array([_numbers(row, 3) for row in _rows(section, heading, count)])
        for heading, count in (
            ("Primitive lattice vectors", 3),
            ("Atomic positions", n_atoms),
            ("Forces", n_atoms),
        )
    )
    (energy,) = _numbers(_rows(section, "Total energy", 1)[0], 1)
    xx, yy, zz = _numbers(_rows(section, "XX YY ZZ", 1)[0], 3)
    xy, yz, zx = _numbers(_rows(section, "XY YZ ZX", 1)[0], 3)
    return build_frame(
        Atoms(symbols, positions=positions, cell=cell, pbc=True),
        step=step,
        energy=energy,
        forces=forces,
        stress=from_kbar([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]]),
        settings={"code": "vasp"},
    )


def _rows(section: Sequence[str], heading: str, count: int) -> list[str]:
    """Return the rows below a heading; the next heading must follow them."""
    index = next((k for k, line in enumerate(section) if line.startswith(heading)), None)
    if index is None:
        raise ValueError(f"no {heading!r}")
    rows = list(section[index + 1 : index + 1 + count])
    if len(rows) < count:
        raise ValueError(f"{heading!r} has {len(rows)} rows, not {count}")
    following = section[index + 1 + count] if index + 1 + count < len(section) else "end"
    if following[0].isdigit() or following[0] in "-+.":
        raise ValueError(f"{heading!r} has more than {count} rows")
    return rows


def _numbers(row: str, count: int) -> list[float]:
    numbers = parse_row(row)
    if len(numbers) != count:
        raise ValueError(f"the row {row[:60]!r} does not hold {count} numbers")
    return numbers
