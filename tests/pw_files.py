"""Output of pw.x, written from labelled frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.data.frames import get_labels
from flatforce.data.readers.espresso_geometry import BOHR
from flatforce.data.readers.espresso_settings import RYDBERG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


def pw_output(frames: Sequence[Atoms]) -> str:
    """A relaxation of variable cell, one step a frame."""
    first = frames[0]
    alat = float(np.linalg.norm(first.cell[0]))
    species = list(dict.fromkeys(first.get_chemical_symbols()))
    text = "\n     Program PWSCF v.7.2 starts on  1Jan2024 at  0: 0: 0 \n\n     bravais-lattice index     =            0\n"
    text += f"     unit-cell volume          = {first.get_volume() / BOHR**3:12.4f} (a.u.)^3\n"
    text += f"     number of atoms/cell      =  {len(first):11d}\n     number of atomic types    =  {len(species):11d}\n"
    text += "     kinetic-energy cutoff     =      50.0000  Ry\n     Exchange-correlation= PBE\n"
    text += f"     celldm(1)= {alat / BOHR:10.6f}  celldm(2)=   0.000000  celldm(3)=   0.000000\n\n"
    text += "     crystal axes: (cart. coord. in units of alat)\n"
    for k, row in enumerate(first.cell.array / alat):
        text += f"               a({k + 1}) = ( {' '.join(f'{x:12.8f}' for x in row)} )\n"
    text += "\n     site n.     atom                  positions (alat units)\n"
    for k, (symbol, row) in enumerate(zip(first.get_chemical_symbols(), first.positions / alat, strict=True)):
        text += f"  {k + 1:8d}  {symbol:>9s}   tau({k + 1:4d}) = ( {' '.join(f'{x:12.8f}' for x in row)}  )\n"
    for number, frame in enumerate(frames):
        if number:
            text += f"     new unit-cell volume = {frame.get_volume() / BOHR**3:14.5f} a.u.^3\n"
            text += "CELL_PARAMETERS (angstrom)\n" + _rows(frame.cell.array)
            text += "\nATOMIC_POSITIONS (angstrom)\n"
            text += "".join(
                f"{symbol:2s} {' '.join(f'{x:16.10f}' for x in row)}\n"
                for symbol, row in zip(frame.get_chemical_symbols(), frame.positions, strict=True)
            )
        text += _step(frame)
    return text + "   JOB DONE.\n"


def _step(frame: Atoms) -> str:
    labels = get_labels(frame)
    assert labels.stress is not None
    text = "\n     Self-consistent Calculation\n\n     End of self-consistent calculation\n\n"
    text += f"!    total energy              = {labels.energy / RYDBERG:16.8f} Ry\n"
    text += "\n     convergence has been achieved in  12 iterations\n\n     Forces acting on atoms (cartesian axes, Ry/au):\n\n"
    for k, force in enumerate(labels.forces * BOHR / RYDBERG):
        text += f"     atom {k + 1:4d} type  1   force = {' '.join(f'{x:14.8f}' for x in force)}\n"
    text += "\n          total   stress  (Ry/bohr**3)                   (kbar)     P=        0.00\n"
    for row in -labels.stress * BOHR**3 / RYDBERG:
        text += " ".join(f"{x:13.8f}" for x in row) + "     0.00     0.00     0.00\n"
    return text


def _rows(array: np.ndarray) -> str:
    return "".join(" ".join(f"{x:14.9f}" for x in row) + "\n" for row in array)
