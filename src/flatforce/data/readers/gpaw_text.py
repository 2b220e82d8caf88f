"""GPAW's text output since version 25, which ASE 3.29 does not read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import (
    DAMAGED,
    NO_FORCES,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    build_frame,
    drop_repeated_steps,
)
from flatforce.data.readers.opening import open_text

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

NUMBER: Final = re.compile(r"-?\d+\.\d+(?:[eE][-+]?\d+)?")
STEP: Final = re.compile(r"^Atoms  # Å", re.MULTILINE)
"""Heading of the table of atoms, with which each geometry begins."""


def read_gpaw_text(path: Path) -> FileContent:
    """Read every geometry whose self-consistent cycle converged.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames with the free energy as label. Forces have five digits in this file; a `.gpw` file holds them all.
    """
    with open_text(path) as stream:
        header, *steps = STEP.split(stream.read())
    settings = _settings(header)
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    for step, text in enumerate(steps):
        reason = _refusal_reason(text)
        if reason is None:
            try:
                frames.append(_frame(text, step, settings))
            except (ValueError, IndexError, KeyError) as error:
                reason = f"{DAMAGED}: {error}"
        if reason is not None:
            refused.append(Refusal(reason, step))
    if not steps:
        refused.append(Refusal(f"{TRUNCATED}: there is no table of atoms"))
    return drop_repeated_steps(FileContent(frames, refused))


def _refusal_reason(text: str) -> str | None:
    if "Converged in" not in text:
        return UNCONVERGED
    if "Forces  #" not in text:
        return NO_FORCES
    return None


def _frame(text: str, step: int, settings: dict[str, Any]) -> Atoms:
    rows = [row.split("|") for row in _table(text, "")]
    symbols = [row[2].strip() for row in rows]
    positions = np.array([[float(x) for x in row[3:6]] for row in rows])
    cell = np.array([_numbers(row)[:3] for row in _table(text, "Unit cell")])
    forces = np.array([_numbers(row)[:3] for row in _table(text, "Forces  #")])
    stress = (
        np.array([_numbers(row)[:3] for row in _table(text, "Stress tensor")])
        if "Stress tensor" in text
        else None
    )
    free = re.search(r"^\s*Free energy:\s+(-?[\d.]+)", text, re.MULTILINE)
    return build_frame(
        Atoms(symbols, positions=positions, cell=cell, pbc=True),
        step=step,
        energy=float("nan") if free is None else float(free[1]),
        forces=forces,
        stress=stress,
        settings=settings,
    )


def _table(text: str, heading: str) -> list[str]:
    """Return the rows of the table below a heading, without those that hold no number."""
    lines = iter(text[text.index(heading) :].splitlines())
    rows = []
    for line in lines:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            break
    return [row for row in rows if NUMBER.search(row)]


def _numbers(row: str) -> FloatArray:
    return np.array([float(x) for x in NUMBER.findall(row.split("#", maxsplit=1)[0])])


def _settings(header: str) -> dict[str, Any]:
    def first_match(pattern: str) -> str | None:
        match = re.search(pattern, header)
        return match[1] if match else None

    cutoff = first_match(r"ecut=([\d.]+)")
    size = first_match(r"size=\(([\d, ]+)\)")
    width = first_match(r"occupations=\w+\(([^)]*)\)")
    return {
        "code": "gpaw",
        "xc": first_match(r"xc=XC\(name='(\w+)'") or "LDA",
        "cutoff": None if cutoff is None else float(cutoff),
        "kpoints": None if size is None else size.replace(", ", "x"),
        "smearing": width,
    }
