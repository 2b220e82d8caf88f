"""Cell and positions in the output of `pw.x`: those of the header, and the cards that follow each step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.opening import element_of, parse_float, parse_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.arrays import FloatArray

BOHR: Final = 0.529177210903
"""Å, CODATA 2018, as in pw.x since version 6.5."""
AXIS: Final = re.compile(r"a\(([123])\) = \((.*)\)")
SITE: Final = re.compile(r"^\s*\d+\s+(\S+)\s+tau\(.*?\) = \((.*)\)")
UNIT: Final = re.compile(r"[({]?\s*(alat|bohr|angstrom|crystal)\s*(?:=\s*([\d.]+))?", re.IGNORECASE)
HEADINGS: Final = ("new unit-cell volume", "crystal axes", "CELL_PARAMETERS", "ATOMIC_POSITIONS")
"""Text of the lines with which a new geometry begins."""
VOLUME_TOLERANCE: Final = 1e-4
"""Relative. pw.x prints the volume with four or five decimals, the axes with six in units of alat."""


@dataclass
class EspressoGeometry:
    """Structure of the step at hand."""

    n_atoms: int = 0
    """Number of atoms of the run."""
    alat: float = 0.0
    """Å, unit of lengths."""
    cell: FloatArray | None = None
    """(3, 3) Å; None until it was read."""
    volume: float | None = None
    """Å³, as pw.x prints it."""
    labels: list[str] = field(default_factory=list)
    """Species of each atom, as the input names it."""
    positions: FloatArray | None = None
    """(N, 3) Å; None until those of the step were read."""

    def parse(self, line: str, lines: Iterator[str]) -> bool:
        """Read a line, and with a heading the table below it.

        Parameters
        ----------
        line
            Any line of the file.
        lines
            The lines that follow.

        Returns
        -------
        Whether the line belongs to a geometry; False for any other line.
        """
        if "unit-cell volume" in line:
            self.volume = BOHR**3 * parse_float(line.split("=")[1].split(maxsplit=1)[0].removeprefix("("))
        elif "number of atoms/cell" in line:
            self.n_atoms = int(line.split("=")[1])
        elif "celldm(1)=" in line:
            self.alat = BOHR * parse_float(line.split("=")[1].split(maxsplit=1)[0])
        elif "crystal axes" in line:
            self.cell = self.alat * np.array([_match(AXIS, next(lines)) for _ in range(3)])
        elif "positions (alat units)" in line:
            rows = [next(lines) for _ in range(self.n_atoms)]
            self.positions = self.alat * np.array([_match(SITE, row) for row in rows])
            self.labels = [row.split()[1] for row in rows]
        elif line.startswith("CELL_PARAMETERS"):
            self.cell = None  # a table that cannot be read leaves no old cell
            self.cell = self._scale(line) * np.array([parse_row(next(lines))[:3] for _ in range(3)])
        elif line.startswith("ATOMIC_POSITIONS"):
            self._positions(line, lines)
        else:
            return False
        return True

    def _positions(self, line: str, lines: Iterator[str]) -> None:
        self.positions = None
        rows = [next(lines).split() for _ in range(self.n_atoms)]
        self.labels = [row[0] for row in rows]
        values = np.array([[parse_float(text) for text in row[1:4]] for row in rows]).reshape(-1, 3)
        if "crystal" in line.lower():
            if self.cell is None:
                raise ValueError("fractional positions without a cell")
            self.positions = values @ self.cell
        else:
            self.positions = self._scale(line) * values

    def _scale(self, line: str) -> float:
        """Return the unit of a card, in Å; alat where it names none."""
        match = UNIT.search(line)
        unit = "alat" if match is None else match[1].lower()
        if match is not None and match[2]:
            return BOHR * parse_float(match[2])
        return {"angstrom": 1.0, "bohr": BOHR, "alat": self.alat}[unit]

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of each atom."""
        return [element_of(label) for label in self.labels]

    def take(self) -> Atoms:
        """Take the structure of a step; the next step must bring positions of its own.

        Returns
        -------
        The structure, periodic along all three axes.

        Raises
        ------
        ValueError
            If a part of it is missing, or the cell has another volume than pw.x printed.
        """
        if self.cell is None or self.positions is None:
            raise ValueError("no cell, or no new positions")
        volume = abs(float(np.linalg.det(self.cell)))
        if self.volume is not None and abs(volume / self.volume - 1) > VOLUME_TOLERANCE:
            raise ValueError(
                f"the lattice vectors do not span the volume of {self.volume:.2f} Å³ printed with them"
            )
        positions, self.positions = self.positions, None
        return Atoms(self.symbols, positions, cell=self.cell, pbc=True)


def _match(pattern: re.Pattern[str], line: str) -> list[float]:
    match = pattern.search(line)
    numbers = [] if match is None else parse_row(match[2])
    if len(numbers) != 3:
        raise ValueError(f"the line {line.strip()[:60]!r} does not hold three numbers")
    return numbers
