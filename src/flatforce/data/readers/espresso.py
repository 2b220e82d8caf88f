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
from flatforce.data.readers.espresso_geometry import BOHR, HEADINGS, EspressoGeometry
from flatforce.data.readers.espresso_settings import RYDBERG, espresso_settings
from flatforce.data.readers.opening import open_text, parse_float, parse_row, whole_lines

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

BEGINNING: Final = "Program PWSCF"
"""Text in the first line of a run."""
MAGNETIC: Final = "SPIN UP"
"""Text among the eigenvalues of a run with collinear spins."""
FORCE: Final = re.compile(r"^\s*atom\s+(\d+) type\s+\d+\s+force =(.*)")


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
    geometry: EspressoGeometry = field(default_factory=EspressoGeometry)
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
            self._step.forces = _forces(lines, self.geometry.n_atoms)
        elif "total   stress" in line:
            rows = [parse_row(next(lines))[:3] for _ in range(3)]
            self._step.stress = -np.array(rows).reshape(3, 3) * RYDBERG / BOHR**3
        elif "JOB DONE" in line:
            self.is_done = True
        else:
            if any(heading in line for heading in HEADINGS):
                self._end()
            is_geometry = self.geometry.parse(line, lines)
            if MAGNETIC in line or not (is_geometry or self.frames or self.current):
                self.header.append(line)

    @property
    def _step(self) -> _Step:
        if self.current is None:
            raise ValueError("results before the first self-consistent cycle")
        return self.current

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
        if step.energy is None:
            raise ValueError("no energy")
        frame = build_frame(
            self.geometry.take(),
            step=self.step,
            energy=step.energy,
            forces=np.asarray(step.forces),
            stress=step.stress,
            settings=self.settings,
        )
        if self.part:
            frame.info[PART] = self.part
        return frame

    @property
    def settings(self) -> dict[str, Any]:
        """DFT settings of the run."""
        return espresso_settings("".join(self.header), self.geometry.symbols)

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
