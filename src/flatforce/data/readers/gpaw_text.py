"""GPAW's text output since version 25, which ASE 3.29 does not read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import (
    NO_FORCES,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    labelled,
    without_repeats,
)

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

NUMBER: Final = re.compile(r"-?\d+\.\d+(?:[eE][-+]?\d+)?")
STEP: Final = re.compile(r"^Atoms  # Å", re.MULTILINE)
"""A table of atoms begins each geometry."""


def read_gpaw_text(path: Path) -> FileContent:
    """Read every geometry whose self-consistent cycle converged.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames with the free energy as label; forces have five digits, so a `.gpw` file is worth more.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    parts = STEP.split(text)
    settings = _settings(parts[0])
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    for step, part in enumerate(parts[1:]):
        reason = _why_not(part)
        if reason is None:
            frames.append(_frame(part, step, settings))
        else:
            refused.append(Refusal(reason, step))
    if len(parts) == 1:
        refused.append(Refusal(f"{TRUNCATED}: there is no table of atoms"))
    return without_repeats(FileContent(frames, refused))


def _why_not(part: str) -> str | None:
    if "Converged in" not in part:
        return UNCONVERGED
    if "Forces  #" not in part:
        return NO_FORCES
    return None


def _frame(part: str, step: int, settings: dict[str, Any]) -> Atoms:
    rows = [row.split("|") for row in _table(part, "")]
    symbols = [row[2].strip() for row in rows]
    positions = np.array([[float(x) for x in row[3:6]] for row in rows])
    cell = np.array([_numbers(row)[:3] for row in _table(part, "Unit cell")])
    forces = np.array([_numbers(row)[:3] for row in _table(part, "Forces  #")])
    stress = (
        np.array([_numbers(row)[:3] for row in _table(part, "Stress tensor")])
        if "Stress tensor" in part
        else None
    )
    free = re.search(r"^\s*Free energy:\s+(-?[\d.]+)", part, re.MULTILINE)
    return labelled(
        Atoms(symbols, positions=positions, cell=cell, pbc=True),
        step=step,
        energy=float("nan") if free is None else float(free[1]),
        forces=forces,
        stress=stress,
        settings=settings,
    )


def _table(part: str, heading: str) -> list[str]:
    """Rows of the table below a heading, its own headings left out."""
    lines = iter(part[part.index(heading) :].splitlines())
    rows = []
    for line in lines:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            break
    return [row for row in rows if NUMBER.search(row)]


def _numbers(row: str) -> FloatArray:
    return np.array([float(x) for x in NUMBER.findall(row.split("#", maxsplit=1)[0])])


def _settings(head: str) -> dict[str, Any]:
    def first(pattern: str) -> str | None:
        match = re.search(pattern, head)
        return match[1] if match else None

    cutoff = first(r"ecut=([\d.]+)")
    size = first(r"size=\(([\d, ]+)\)")
    width = first(r"occupations=\w+\(([^)]*)\)")
    return {
        "code": "gpaw",
        "functional": first(r"xc=XC\(name='(\w+)'") or "LDA",
        "cutoff": None if cutoff is None else float(cutoff),
        "kpoints": None if size is None else size.replace(", ", "x"),
        "smearing": width,
    }
