"""VASP's `vasprun.xml`, step by step, so that an aborted run gives the steps that it finished.

ASE's reader accepts a truncated file silently and does not report whether a step converged; hence this reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError, iterparse

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
from flatforce.data.readers.vasp_settings import dft_settings

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray


def read_vasprun(path: Path) -> FileContent:
    """Read every converged ionic step.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames with the free energy as label, and the steps refused, with reasons.
    """
    run = _Run()
    try:
        for _, element in iterparse(path, events=("end",)):  # noqa: S314  # expat bounds entity expansion itself
            run.parse(element)
    except ParseError as error:
        run.refused.append(Refusal(f"{TRUNCATED} ({error})", run.step))
    else:
        if run.step == 0:
            run.refused.append(Refusal("the run has no ionic step"))
    return drop_repeated_steps(FileContent(run.frames, run.refused, run.notes))


class _Run:
    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.symbols: list[str] = []
        self.potentials: list[str] = []
        self.kpoints: str | None = None
        self.step = 0
        self.frames: list[Atoms] = []
        self.refused: list[Refusal] = []
        self.notes: list[str] = []

    def parse(self, element: Element) -> None:
        if element.tag in {"incar", "parameters"}:
            for entry in element.iter():
                if entry.tag in {"i", "v"} and entry.text:
                    self.tags.setdefault(entry.get("name", ""), entry.text.strip())
        elif element.tag == "kpoints":
            self.kpoints = _grid(element)
        elif element.tag == "atominfo":
            self._atoms(element)
        elif element.tag == "calculation":
            self._calculation(element)
            element.clear()
            self.step += 1

    def _atoms(self, element: Element) -> None:
        for array in element.iter("array"):
            rows = [[cell.text or "" for cell in row] for row in array.iter("rc")]
            if array.get("name") == "atoms":
                self.symbols = [row[0].strip() for row in rows]
            elif array.get("name") == "atomtypes":
                self.potentials = [row[-1].strip() for row in rows]

    def _calculation(self, element: Element) -> None:
        reason = self._refusal_reason(element)
        if reason is not None:
            self.refused.append(Refusal(reason, self.step))
            return
        cell = _array(element.find("structure/crystal/varray[@name='basis']"))
        scaled_positions = _array(element.find("structure/varray[@name='positions']"))
        stress = element.find("varray[@name='stress']")
        if stress is None and not self.notes:
            self.notes.append("no stress in the file")
        energy = element.find("energy/i[@name='e_fr_energy']")
        atoms = Atoms(self.symbols, cell=cell, scaled_positions=scaled_positions, pbc=True)
        self.frames.append(
            build_frame(
                atoms,
                step=self.step,
                energy=float((energy.text if energy is not None else None) or "nan"),
                forces=_array(element.find("varray[@name='forces']")),
                stress=None if stress is None else from_kbar(_array(stress)),
                settings=self._settings(),
            )
        )

    def _refusal_reason(self, element: Element) -> str | None:
        steps = element.findall("scstep")
        if not steps:
            return MACHINE_LEARNED
        limit = int(self.tags.get("NELM", "60").split()[0])
        if len(steps) >= limit > 1:
            return f"{UNCONVERGED}: all {limit} iterations allowed were used"
        if element.find("varray[@name='forces']") is None:
            return NO_FORCES
        return None

    def _settings(self) -> dict[str, Any]:
        return dft_settings(self.tags, potentials=self.potentials, kpoints=self.kpoints)


def _array(element: Element | None) -> FloatArray:
    if element is None:
        return np.empty((0, 3))
    return np.array([[float(field) for field in (row.text or "").split()] for row in element.findall("v")])


def _grid(element: Element) -> str | None:
    divisions = element.find("generation/v[@name='divisions']")
    if divisions is not None and divisions.text:
        kind = element.find("generation")
        name = "" if kind is None else (kind.get("param") or "").lower()
        return "x".join(divisions.text.split()) + (" gamma" if name.startswith("g") else "")
    point_list = element.find("varray[@name='kpointlist']")
    return None if point_list is None else f"{len(point_list)} listed"
