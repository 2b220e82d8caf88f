"""VASP's `OUTCAR`, step by step.

ASE's and dpdata's readers fail on dispersion columns and machine-learned steps, or accept a step that used all its electronic
iterations; hence this reader. VASP prints "EDIFF is reached" even then, so the iterations are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import (
    MACHINE_LEARNED,
    NO_FORCES,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    build_frame,
    drop_repeated_steps,
    from_kbar,
)
from flatforce.data.readers.vasp_settings import UNNAMED, dft_settings

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

TAG: Final = re.compile(r"^\s{3}([A-Z_]+)\s*=\s*(\S+)")
SIGMA: Final = re.compile(r"ISMEAR\s*=\s*(-?\d+);\s*SIGMA\s*=\s*(\S+)")
ITERATION: Final = re.compile(r"Iteration\s+(\d+)\(\s*(\d+)\)")
GRID: Final = re.compile(r"generate k-points for:\s+(\d+)\s+(\d+)\s+(\d+)")


def read_outcar(path: Path) -> FileContent:
    """Read every converged ionic step that DFT computed.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames with the free energy as label, and the steps refused, with reasons.
    """
    run = _Run()
    with path.open(encoding="utf-8", errors="replace") as stream:
        lines = iter(stream)
        try:
            for line in lines:
                run.parse(line, lines)
        except (StopIteration, ValueError) as error:
            run.refused.append(Refusal(f"{TRUNCATED} ({error or 'no more lines'})", run.step))
            return drop_repeated_steps(FileContent(run.frames, run.refused))
    run.close()
    return drop_repeated_steps(FileContent(run.frames, run.refused))


@dataclass
class _Step:
    iterations: int = 0
    positions: FloatArray | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None


@dataclass
class _Run:
    tags: dict[str, str] = field(default_factory=dict)
    potentials: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    kpoints: str | None = None
    cell: FloatArray | None = None
    step: int = 0
    current: _Step = field(default_factory=_Step)
    machine_learned: bool = False
    """Whether a machine-learned step was printed and no electronic iteration followed."""
    frames: list[Atoms] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def parse(self, line: str, lines: Iterator[str]) -> None:
        if "direct lattice vectors" in line:
            self.cell = np.array([_numbers(next(lines))[:3] for _ in range(3)])
        elif match := ITERATION.search(line):
            self.machine_learned = False
            self.current.iterations = int(match[2])
        elif "ML FREE ENERGIE" in line:
            self._end_of_machine_learned()
            self.machine_learned = True
        elif "TOTAL-FORCE" in line and "(ML)" not in line:
            if "w/o vdW" in line:
                self.tags.setdefault("IVDW", UNNAMED)
            next(lines)
            rows = np.array([_numbers(next(lines))[:6] for _ in range(sum(self.counts))])
            self.current.positions, self.current.forces = rows[:, :3], rows[:, 3:]
        elif line.startswith("  in kB") and self.current.iterations:
            self.current.stress = _stress(_numbers(line.split("kB")[1]))
        elif "free  energy   TOTEN" in line and "ML" not in line:
            self._end(float(line.split("=")[1].split(maxsplit=1)[0]))
        else:
            self._header(line)

    def _header(self, line: str) -> None:
        if line.startswith(" POTCAR:"):
            self.potentials.append(line.split(":")[1].strip())
        elif "ions per type" in line:
            self.counts = [int(count) for count in line.split("=")[1].split()]
        elif match := GRID.search(line):
            self.kpoints = "x".join(match.groups())
        elif match := SIGMA.search(line):
            self.tags["ISMEAR"], self.tags["SIGMA"] = match.groups()
        elif match := TAG.match(line):
            self.tags[match[1]] = match[2].rstrip(";")

    def _end(self, energy: float) -> None:
        step, self.current = self.current, _Step()
        reason = self._refusal_reason(step)
        if reason is not None:
            self.refused.append(Refusal(reason, self.step))
        elif step.positions is not None and step.forces is not None:
            self.frames.append(
                build_frame(
                    Atoms(self._symbols(), positions=step.positions, cell=self.cell, pbc=True),
                    step=self.step,
                    energy=energy,
                    forces=step.forces,
                    stress=step.stress,
                    settings=self._settings(),
                )
            )
        self.step += 1

    def _symbols(self) -> list[str]:
        """Return the species from the list of POTCARs, which VASP prints twice; its headers are missing with NWRITE = 0."""
        names = [name.split()[1].split("_")[0] for name in self.potentials[: len(self.counts)]]
        return [name for name, count in zip(names, self.counts, strict=True) for _ in range(count)]

    def _refusal_reason(self, step: _Step) -> str | None:
        limit = int(self.tags.get("NELM", "60"))
        if step.iterations >= limit > 1:
            return f"{UNCONVERGED}: all {limit} iterations allowed were used"
        if step.forces is None:
            return (
                f"{NO_FORCES}: with NWRITE = 0 they are printed for some steps only; vasprun.xml has them all"
            )
        return None

    def _end_of_machine_learned(self) -> None:
        if self.machine_learned:
            self.refused.append(Refusal(MACHINE_LEARNED, self.step))
            self.step += 1

    def close(self) -> None:
        self._end_of_machine_learned()
        if self.current.iterations:
            self.refused.append(Refusal(TRUNCATED, self.step))
        elif self.step == 0:
            self.refused.append(Refusal("the run has no ionic step"))

    def _settings(self) -> dict[str, Any]:
        return dft_settings(self.tags, potentials=self.potentials, kpoints=self.kpoints)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split()]


def _stress(kbar: list[float]) -> FloatArray:
    """Convert a stress in VASP's order xx, yy, zz, xy, yz, zx, which is not Voigt's."""
    xx, yy, zz, xy, yz, zx = kbar
    return from_kbar([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
