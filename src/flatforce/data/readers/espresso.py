"""Quantum ESPRESSO's output of `pw.x`, step by step.

ASE's reader stops at eigenvalues that nobody needs, such as those of spin-polarised runs, and does not say which step
converged; hence this reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import (
    DAMAGED,
    NO_FORCES,
    PART,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    build_frame,
    drop_repeated_steps,
)
from flatforce.data.readers.espresso_settings import RYDBERG, espresso_settings
from flatforce.data.readers.opening import element_of, open_text, parse_float, parse_row, whole_lines

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

BOHR: Final = 0.529177210903
"""Å, CODATA 2018, as in pw.x since version 6.5."""
BEGINNING: Final = "Program PWSCF"
"""Text in the first line of a run."""
MAGNETIC: Final = "SPIN UP"
"""Text among the eigenvalues of a run with collinear spins."""
VOLUME_TOLERANCE: Final = 1e-4
"""Relative. pw.x prints the volume with four or five decimals, the axes with six in units of alat."""
AXIS: Final = re.compile(r"a\(([123])\) = \((.*)\)")
SITE: Final = re.compile(r"^\s*\d+\s+(\S+)\s+tau\(.*?\) = \((.*)\)")
FORCE: Final = re.compile(r"^\s*atom\s+(\d+) type\s+\d+\s+force =(.*)")
UNIT: Final = re.compile(r"[({]?\s*(alat|bohr|angstrom|crystal)\s*(?:=\s*([\d.]+))?", re.IGNORECASE)


def read_espresso(path: Path) -> FileContent:
    """Read every step whose self-consistent cycle converged.

    Parameters
    ----------
    path
        The file; runs that were appended to it are read one by one.

    Returns
    -------
    Frames with the free energy as label, and the steps refused, with reasons.
    """
    runs = [_Run(part=0, step=0)]
    with open_text(path) as stream:
        lines = whole_lines(stream)
        for line in lines:
            if BEGINNING in line:
                if runs[-1].has_begun:
                    runs[-1].close()
                    runs.append(_Run(part=len(runs), step=runs[-1].step))
                runs[-1].has_begun = True
            runs[-1].parse(line, lines)
    runs[-1].close()
    content = FileContent(
        [frame for run in runs for frame in run.frames], [refusal for run in runs for refusal in run.refused]
    )
    return drop_repeated_steps(content)


@dataclass
class _Step:
    energy: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    converged: bool = True
    damage: str = ""
    """What of the step could not be read."""


@dataclass
class _Run:
    part: int
    """Number of the run in its file, from 0."""
    step: int
    header: list[str] = field(default_factory=list)
    """Lines before the first step, from which the settings are read."""
    alat: float = 0.0
    """Å."""
    n_atoms: int = 0
    cell: FloatArray | None = None
    volume: float | None = None
    """Å³, as pw.x prints it."""
    labels: list[str] = field(default_factory=list)
    positions: FloatArray | None = None
    current: _Step | None = None
    """Step whose self-consistent cycle has begun."""
    frames: list[Atoms] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    has_begun: bool = False
    is_done: bool = False

    def parse(self, line: str, lines: Iterator[str]) -> None:
        """Read a line, and with a heading the table below it; what cannot be read spoils the step it belongs to."""
        try:
            self._parse(line, lines)
        except StopIteration:
            self._damage(TRUNCATED)
        except (ValueError, IndexError) as error:
            self._damage(f"{DAMAGED}: {error}")

    def _damage(self, reason: str) -> None:
        self.current = self.current or _Step()
        self.current.damage = reason

    def _parse(self, line: str, lines: Iterator[str]) -> None:
        if "Self-consistent Calculation" in line:
            self._end()
            self.current = _Step()
        elif line.startswith("!") and "total energy" in line:
            if self._step.energy is not None:
                raise ValueError("two energies of one step")
            self._step.energy = RYDBERG * parse_float(line.split("=")[1].split(maxsplit=1)[0])
        elif "convergence NOT achieved" in line:
            self._step.converged = False
        elif "Forces acting on atoms" in line:
            self._step.forces = _forces(lines, self.n_atoms)
        elif "total   stress" in line:
            rows = [parse_row(next(lines))[:3] for _ in range(3)]
            self._step.stress = -np.array(rows).reshape(3, 3) * RYDBERG / BOHR**3
        elif "JOB DONE" in line:
            self.is_done = True
        else:
            self._geometry(line, lines)

    @property
    def _step(self) -> _Step:
        if self.current is None:
            raise ValueError("results before the first self-consistent cycle")
        return self.current

    def _geometry(self, line: str, lines: Iterator[str]) -> None:
        if "unit-cell volume" in line:
            self._end()
            self.volume = BOHR**3 * parse_float(line.split("=")[1].split(maxsplit=1)[0].removeprefix("("))
        elif "number of atoms/cell" in line:
            self.n_atoms = int(line.split("=")[1])
        elif "celldm(1)=" in line:
            self.alat = BOHR * parse_float(line.split("=")[1].split(maxsplit=1)[0])
        elif "crystal axes" in line:
            self._end()
            self.cell = self.alat * np.array([_match(AXIS, next(lines), 2) for _ in range(3)])
        elif "positions (alat units)" in line:
            rows = [next(lines) for _ in range(self.n_atoms)]
            self.positions = self.alat * np.array([_match(SITE, row, 2) for row in rows])
            self.labels = [row.split()[1] for row in rows]
        elif line.startswith("CELL_PARAMETERS"):
            self._end()
            self.cell = None  # a table that cannot be read leaves no old cell
            self.cell = self._scale(line) * np.array([parse_row(next(lines))[:3] for _ in range(3)])
        elif line.startswith("ATOMIC_POSITIONS"):
            self._end()
            self._positions(line, lines)
        elif (not self.frames and self.current is None) or MAGNETIC in line:
            self.header.append(line)

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

    def _end(self) -> None:
        """Accept or refuse the step that a new geometry or cycle ends."""
        step, self.current = self.current, None
        if step is None:
            return
        reason = _refusal_reason(step)
        if reason is None:
            try:
                self.frames.append(self._frame(step))
            except ValueError as error:
                reason = f"{DAMAGED}: {error}"
        if reason is not None:
            self.refused.append(Refusal(reason, self.step))
        self.step += 1

    def _frame(self, step: _Step) -> Atoms:
        if self.cell is None or self.positions is None or step.energy is None:
            raise ValueError("no cell, no new positions, or no energy")
        volume = abs(float(np.linalg.det(self.cell)))
        if self.volume is not None and abs(volume / self.volume - 1) > VOLUME_TOLERANCE:
            raise ValueError(
                f"the lattice vectors do not span the volume of {self.volume:.2f} Å³ printed with them"
            )
        frame = build_frame(
            Atoms([element_of(label) for label in self.labels], self.positions, cell=self.cell, pbc=True),
            step=self.step,
            energy=step.energy,
            forces=np.asarray(step.forces),
            stress=step.stress,
            settings=self.settings,
        )
        self.positions = None  # every step prints its own
        if self.part:
            frame.info[PART] = self.part
        return frame

    @property
    def settings(self) -> dict[str, Any]:
        """DFT settings of the run."""
        return espresso_settings("".join(self.header), [element_of(label) for label in self.labels])

    def close(self) -> None:
        """Account for the last step; one without forces in a file that was cut is one that the run did not finish."""
        if not self.is_done and self.current is not None and self.current.forces is None:
            self.current.damage = self.current.damage or TRUNCATED
        self._end()
        if not self.is_done and not any(TRUNCATED in refusal.reason for refusal in self.refused):
            self.refused.append(Refusal(f"{TRUNCATED}: no JOB DONE"))


def _refusal_reason(step: _Step) -> str | None:
    if step.damage:
        return step.damage
    if not step.converged:
        return UNCONVERGED
    if step.energy is None:
        return f"{DAMAGED}: no energy"
    return NO_FORCES if step.forces is None else None


def _forces(lines: Iterator[str], n_atoms: int) -> FloatArray:
    next(lines)
    rows = []
    for number in range(1, n_atoms + 1):
        match = FORCE.match(next(lines))
        if match is None or int(match[1]) != number:
            raise ValueError(f"there is no force on atom {number}")
        rows.append(parse_row(match[2], (8, 8, 8)))
    return np.array(rows) * RYDBERG / BOHR


def _match(pattern: re.Pattern[str], line: str, group: int) -> list[float]:
    match = pattern.search(line)
    if match is None:
        raise ValueError(f"the line {line.strip()[:60]!r} is damaged")
    numbers = parse_row(match[group])
    if len(numbers) != 3:
        raise ValueError(f"the line {line.strip()[:60]!r} does not hold three numbers")
    return numbers
