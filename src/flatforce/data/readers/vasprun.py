"""VASP's `vasprun.xml`, step by step, so that an aborted run gives the steps that it finished.

ASE's reader accepts a truncated file silently and does not report whether a step converged; hence this reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, ParseError, iterparse

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import (
    DAMAGED,
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
from flatforce.data.readers.opening import element_of, open_bytes, parse_float
from flatforce.data.readers.vasp_settings import Potential, dft_settings

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray


VOLUME_TOLERANCE: Final = 1e-5
"""Relative. VASP prints eight decimals."""


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
        with open_bytes(path) as stream:
            for _, element in iterparse(stream, events=("end",)):  # noqa: S314  # expat bounds entity expansion itself
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
        self.labels: list[str] = []
        self.types: list[list[str]] = []
        self.kpoints: str | None = None
        self.step = 0
        self.frames: list[Atoms] = []
        self.refused: list[Refusal] = []
        self.notes: list[str] = []

    def parse(self, element: Element) -> None:
        """Take up an element that ends; a step that cannot be read is refused, and the next one is read."""
        if element.tag in {"incar", "parameters"}:
            for entry in element.iter():
                if entry.tag in {"i", "v"} and entry.text:
                    self.tags.setdefault(entry.get("name", ""), entry.text.strip())
        elif element.tag == "kpoints":
            self.kpoints = _grid(element)
        elif element.tag == "atominfo":
            self._atoms(element)
        elif element.tag == "calculation":
            try:
                self._calculation(element)
            except (ValueError, KeyError, IndexError) as error:
                self.refused.append(Refusal(f"{DAMAGED}: {error}", self.step))
            element.clear()
            self.step += 1

    def _atoms(self, element: Element) -> None:
        for array in element.iter("array"):
            rows = [[(cell.text or "").strip() for cell in row] for row in array.iter("rc")]
            if array.get("name") == "atoms":
                self.labels = [row[0] for row in rows]
            elif array.get("name") == "atomtypes":
                self.types = rows

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of each atom."""
        return [element_of(label) for label in self.labels]

    @property
    def potentials(self) -> list[Potential]:
        """PAW potentials in the order of the species; empty where the file does not list them."""
        return [
            Potential(element_of(element), " ".join(title.split()), int(count), parse_float(valence))
            for count, element, _, valence, title in (row for row in self.types if len(row) == 5)
        ]

    def _calculation(self, element: Element) -> None:
        reason = self._refusal_reason(element)
        if reason is not None:
            self.refused.append(Refusal(reason, self.step))
            return
        n_atoms = len(self.labels)
        cell = _array(element.find("structure/crystal/varray[@name='basis']"), "the lattice vectors", 3)
        scaled_positions = _array(
            element.find("structure/varray[@name='positions']"), "the positions", n_atoms
        )
        forces = _array(element.find("varray[@name='forces']"), "the forces", n_atoms)
        stress = element.find("varray[@name='stress']")
        if stress is None and not self.notes:
            self.notes.append("no stress in the file")
        energies = element.findall("energy/i[@name='e_fr_energy']")
        if len(energies) != 1 or not energies[0].text:
            raise ValueError(f"{len(energies)} energies instead of one")
        volume = element.find("structure/crystal/i[@name='volume']")
        if volume is not None and volume.text:
            _check_volume(cell, parse_float(volume.text))
        atoms = Atoms(self.symbols, cell=cell, scaled_positions=scaled_positions, pbc=True)
        self.frames.append(
            build_frame(
                atoms,
                step=self.step,
                energy=parse_float(energies[0].text),
                forces=forces,
                stress=None if stress is None else from_kbar(_array(stress, "the stress", 3)),
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


def _array(element: Element | None, name: str, count: int) -> FloatArray:
    """(count, 3) numbers; another shape means that rows or fields were lost."""
    rows = [] if element is None else element.findall("v")
    array = [[parse_float(field) for field in (row.text or "").split()] for row in rows]
    if len(array) != count or any(len(row) != 3 for row in array):
        raise ValueError(f"{name} are not {count} rows of three numbers")
    return np.array(array)


def _check_volume(cell: FloatArray, volume: float) -> None:
    if abs(abs(np.linalg.det(cell)) / volume - 1) > VOLUME_TOLERANCE:
        raise ValueError(f"the lattice vectors do not span the volume of {volume:g} Å³ printed with them")


def _grid(element: Element) -> str | None:
    divisions = element.find("generation/v[@name='divisions']")
    if divisions is not None and divisions.text:
        kind = element.find("generation")
        name = "" if kind is None else (kind.get("param") or "").lower()
        return "x".join(divisions.text.split()) + (" gamma" if name.startswith("g") else "")
    point_list = element.find("varray[@name='kpointlist']")
    return None if point_list is None else f"{len(point_list)} listed"
