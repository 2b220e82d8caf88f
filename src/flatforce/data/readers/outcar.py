"""VASP's `OUTCAR`, step by step.

ASE's and dpdata's readers fail on dispersion columns and machine-learned steps, or accept a step that used all its electronic
iterations; hence this reader. VASP prints "EDIFF is reached" even then, so the iterations are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import (
    DAMAGED,
    MACHINE_LEARNED,
    NO_FORCES,
    PART,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    build_frame,
    drop_repeated_steps,
    from_kbar,
)
from flatforce.data.readers.opening import (
    open_text,
    parse_float,
    parse_row,
    parse_rows,
    whole_lines,
)
from flatforce.data.readers.outcar_header import OutcarHeader
from flatforce.data.readers.vasp_settings import UNNAMED, dft_settings

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

BEGINNING: Final = re.compile(r"^ ?vasp\.\d")
"""First line of a run."""
ITERATION: Final = re.compile(r"Iteration\s+(\d+)\(\s*(\d+)\)")
LATTICE: Final = (9,) * 6
"""Decimals of the rows of lattice vectors."""
FORCES: Final = (5, 5, 5, 6, 6, 6)
"""Decimals of the rows of positions and forces."""
VOLUME_TOLERANCE: Final = 0.02
"""Å³. VASP prints two decimals."""
STRESS: Final = (5,) * 6
"""Decimals of the row of the stress."""


def read_outcar(path: Path) -> FileContent:
    """Read every converged ionic step that DFT computed.

    Parameters
    ----------
    path
        The file; runs that were joined in it are read one by one.

    Returns
    -------
    Frames with the free energy as label, and the steps refused, with reasons.
    """
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    run = _Run()
    part = 0
    with open_text(path) as stream:
        lines = whole_lines(stream)
        for line in lines:
            if BEGINNING.match(line) and run.header.potentials:
                run.close()
                frames, refused = [*frames, *run.frames], [*refused, *run.refused]
                part += 1
                run = _Run(step=run.step, part=part)
            run.parse(line, lines)
    run.close()
    content = FileContent([*frames, *run.frames], [*refused, *run.refused])
    return drop_repeated_steps(content)


@dataclass
class _Step:
    number: int | None = None
    """Number of the ionic step, as VASP counts."""
    iterations: int = 0
    positions: FloatArray | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    damage: str = ""
    """What of the step could not be read."""
    has_energy_heading: bool = False
    """Whether the heading above the final energy was read."""


@dataclass
class _Run:
    step: int = 0
    part: int = 0
    """Number of the run in its file, from 0."""
    header: OutcarHeader = field(default_factory=OutcarHeader)
    cell: FloatArray | None = None
    volume: float | None = None
    """Å³, as VASP prints it above the lattice vectors."""
    current: _Step = field(default_factory=_Step)
    machine_learned: bool = False
    """Whether a machine-learned step was printed and no electronic iteration followed."""
    frames: list[Atoms] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def parse(self, line: str, lines: Iterator[str]) -> None:
        """Read a line, and with a heading the table below it; what cannot be read spoils the step it belongs to."""
        try:
            self._parse(line, lines)
        except StopIteration:
            self.current.damage = TRUNCATED
        except (ValueError, IndexError, KeyError) as error:
            self.current.damage = f"{DAMAGED}: {error}"

    def _parse(self, line: str, lines: Iterator[str]) -> None:
        if "direct lattice vectors" in line:
            self.cell = None  # a table that cannot be read leaves no old cell
            self.cell = np.array(parse_rows(lines, 3, LATTICE))[:, :3]
        elif "volume of cell" in line:
            self.volume = parse_float(line.split(":")[1])
        elif match := ITERATION.search(line):
            self.machine_learned = False
            self._begin(int(match[1]))
            self.current.iterations = int(match[2])
        elif "ML FREE ENERGIE" in line:
            self._end_of_machine_learned()
            self.machine_learned = True
        elif "TOTAL-FORCE" in line and "(ML)" not in line:
            self._forces(line, lines)
        elif line.startswith("  in kB") and self.current.iterations:
            self.current.stress = _stress(parse_row(line.split("kB")[1], STRESS))
        elif "FREE ENERGIE OF THE ION-ELECTRON SYSTEM" in line:
            self.current.has_energy_heading = True
        elif "free  energy   TOTEN" in line and "ML" not in line:
            self._end(line)
        else:
            self.header.parse(line)

    def _forces(self, heading: str, lines: Iterator[str]) -> None:
        if "w/o vdW" in heading:
            self.header.tags.setdefault("IVDW", UNNAMED)
        next(lines)
        rows = np.array(parse_rows(lines, self.header.n_atoms, FORCES))
        if not set(next(lines).strip()) <= {"-"}:
            raise ValueError(f"the table of forces has more than {self.header.n_atoms} rows")
        self.current.positions, self.current.forces = rows[:, :3], rows[:, 3:]

    def _begin(self, number: int) -> None:
        """Refuse a step that has no energy before the next one begins."""
        if self.current.number not in {None, number}:
            self.refused.append(Refusal(self.current.damage or f"{DAMAGED}: no energy", self.step))
            self.current, self.step = _Step(), self.step + 1
        self.current.number = number

    def _end(self, line: str) -> None:
        step, self.current = self.current, _Step()
        try:
            energy = parse_float(line.split("=")[1].split(maxsplit=1)[0])
            reason = self._refusal_reason(step)
            if reason is None:
                self.frames.append(self._frame(step, energy))
        except (ValueError, IndexError) as error:
            reason = f"{DAMAGED}: {error}"
        if reason is not None:
            self.refused.append(Refusal(reason, self.step))
        self.step += 1

    def _frame(self, step: _Step, energy: float) -> Atoms:
        species = self.header.species
        symbols = [symbol for potential in species for symbol in [potential.element] * potential.count]
        frame = build_frame(
            Atoms(symbols, positions=step.positions, cell=self.cell, pbc=True),
            step=self.step,
            energy=energy,
            forces=np.asarray(step.forces),
            stress=step.stress,
            settings=dft_settings(self.header.tags, potentials=species, kpoints=self.header.kpoints),
        )
        if self.part:
            frame.info[PART] = self.part
        return frame

    def _refusal_reason(self, step: _Step) -> str | None:
        if step.damage or not step.has_energy_heading:
            return step.damage or f"{DAMAGED}: an energy that belongs to no step"
        limit = int(self.header.tags.get("NELM", "60"))
        if step.iterations >= limit > 1:
            return f"{UNCONVERGED}: all {limit} iterations allowed were used"
        if step.forces is None:
            return (
                f"{NO_FORCES}: with NWRITE = 0 they are printed for some steps only; vasprun.xml has them all"
            )
        if self.cell is None:
            return f"{DAMAGED}: no lattice vectors"
        if self.volume is not None and abs(abs(np.linalg.det(self.cell)) - self.volume) > VOLUME_TOLERANCE:
            return f"{DAMAGED}: the lattice vectors do not span the volume of {self.volume:g} Å³ printed with them"
        return None

    def _end_of_machine_learned(self) -> None:
        if self.machine_learned:
            self.refused.append(Refusal(MACHINE_LEARNED, self.step))
            self.step += 1

    def close(self) -> None:
        """Account for a step that the run did not finish."""
        self._end_of_machine_learned()
        if self.current.iterations or self.current.damage:
            self.refused.append(Refusal(self.current.damage or TRUNCATED, self.step))
        elif not self.frames and not self.refused:
            self.refused.append(Refusal("the run has no ionic step"))


def _stress(kbar: list[float]) -> FloatArray:
    """Convert a stress in VASP's order xx, yy, zz, xy, yz, zx, which is not Voigt's."""
    xx, yy, zz, xy, yz, zx = kbar[:6]
    return from_kbar([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
