"""Files in VASP's formats, written from labelled frames: other people's cannot ship with the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


def rows(array: np.ndarray, tag: str = "v") -> str:
    return "".join(f"<{tag}> {' '.join(f'{x:.10f}' for x in row)} </{tag}>\n" for row in array)


def kbar(frame: Atoms) -> np.ndarray:
    stress = get_labels(frame).stress
    assert stress is not None
    return -EV_PER_A3_IN_KBAR * stress


def vasprun(
    frames: Sequence[Atoms], *, iterations: Sequence[int] | None = None, stress: bool = True, **tags: str
) -> str:
    """One ionic step a frame; 0 iterations stand for a machine-learned step."""
    tags = {"ENCUT": "400.0", "NELM": "60", "GGA": "PE", "ISMEAR": "0", "SIGMA": "0.05", "ISPIN": "1", **tags}
    incar = "".join(f'<i name="{name}"> {value} </i>\n' for name, value in tags.items())
    atoms = "".join(f"<rc><c>{s} </c><c> 1</c></rc>\n" for s in frames[0].get_chemical_symbols())
    steps = ""
    for frame, count in zip(frames, iterations or [9] * len(frames), strict=True):
        labels = get_labels(frame)
        steps += "<calculation>\n" + "<scstep><energy></energy></scstep>\n" * count
        steps += f'<structure><crystal><varray name="basis">\n{rows(frame.cell.array)}</varray>\n'
        steps += f'<i name="volume"> {frame.get_volume():.8f} </i></crystal>\n'
        steps += f'<varray name="positions">\n{rows(frame.get_scaled_positions())}</varray></structure>\n'
        steps += f'<varray name="forces">\n{rows(labels.forces)}</varray>\n'
        if stress:
            steps += f'<varray name="stress">\n{rows(kbar(frame))}</varray>\n'
        steps += f'<energy><i name="e_fr_energy"> {labels.energy:.10f} </i></energy>\n</calculation>\n'
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<incar>\n{incar}</incar>\n'
        '<kpoints><generation param="Gamma"><v name="divisions"> 6 6 1 </v></generation></kpoints>\n'
        f'<atominfo><array name="atoms"><set>\n{atoms}</set></array></atominfo>\n{steps}</modeling>\n'
    )


def outcar(frames: Sequence[Atoms], *, iterations: Sequence[int] | None = None, limit: int = 60) -> str:
    """One ionic step a frame; 0 iterations stand for a machine-learned step."""
    symbols = frames[0].get_chemical_symbols()
    species = list(dict.fromkeys(symbols))
    numbers = [symbols.count(s) for s in species]
    text = " vasp.6.3.0\n" + "".join(f" POTCAR:    PAW_PBE {s} 08Apr2002\n" for s in species)
    text += "".join(
        f" POTCAR:    PAW_PBE {s} 08Apr2002\n   TITEL  = PAW_PBE {s} 08Apr2002\n" for s in species
    )
    text += f"   ions per type =            {' '.join(map(str, numbers))}\n   ISPIN  =      1    spin\n"
    text += f"   ENCUT  =  400.0 eV  29.40 Ry\n   NELM   =    {limit};   NELMIN=  2\n"
    text += "   ISMEAR =     0;   SIGMA  =   0.05  broadening\n   GGA     =    PE    GGA type\n"
    counts = list(iterations or [9] * len(frames))
    for k, (frame, count) in enumerate(zip(frames, counts, strict=True)):
        if 0 in counts and count:
            text += one_step(frame, k, 0)  # on the fly, VASP predicts every step before it may compute it
        text += one_step(frame, k, count)
    return text


def one_step(frame: Atoms, k: int, count: int) -> str:
    labels, stress = get_labels(frame), kbar(frame)
    table = np.hstack([frame.positions, labels.forces])
    body = "".join("  " + "  ".join(f"{x:.8f}" for x in row) + "\n" for row in table)
    mark = " (ML)" if count == 0 else ""
    ml = "ML " if count == 0 else ""
    text = "".join(f"--- Iteration {k + 1:6d}({i + 1:4d})  ---\n" for i in range(count))
    order = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)]
    text += "  in kB " + " ".join(f"{stress[i]:.8f}" for i in order) + "\n"
    text += f"  volume of cell :  {frame.get_volume():12.2f}\n"
    text += "      direct lattice vectors                 reciprocal lattice vectors\n"
    text += "".join("  " + " ".join(f"{x:.9f}" for x in (*row, 0, 0, 0)) + "\n" for row in frame.cell.array)
    text += (
        f" POSITION                                       TOTAL-FORCE (eV/Angst){mark}\n ----\n{body} ----\n"
    )
    text += f"  {ml}FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n"
    return text + f"  free  energy {ml}  TOTEN  = {labels.energy:.8f} eV\n"


def ml_ab(frames: Sequence[Atoms]) -> str:
    """The masses in the header stand in another order than the species, as VASP has it."""
    rule, line = "*" * 50 + "\n", "-" * 50 + "\n"
    text = f" 1.0 Version\n{rule}     The number of configurations\n{line} {len(frames)}\n{rule}"
    text += f"     Atomic mass\n{line}   78.97 183.84\n{rule}"
    for k, frame in enumerate(frames):
        labels, stress = get_labels(frame), kbar(frame)
        symbols = frame.get_chemical_symbols()
        species = list(dict.fromkeys(symbols))
        parts = {
            "System name": "x",
            "The number of atom types": str(len(species)),
            "The number of atoms": str(len(frame)),
            "Atom types and atom numbers": "\n".join(f"  {s}   {symbols.count(s)}" for s in species),
            "CTIFOR": "0.002",
            "Primitive lattice vectors (ang.)": block(frame.cell.array),
            "Atomic positions (ang.)": block(frame.positions),
            "Total energy (eV)": f"{labels.energy:.10f}",
            "Forces (eV ang.^-1)": block(labels.forces),
            "Stress (kbar)": f"  XX YY ZZ\n{line}{block(stress[[0, 1, 2], [0, 1, 2]][None])}\n{line}  XY YZ ZX\n{line}"
            + block(stress[[0, 1, 2], [1, 2, 0]][None]),
        }
        text += f"     Configuration num. {k + 1}\n{rule}"
        text += "".join(f"     {name}\n{line}{content}\n{rule}" for name, content in parts.items())
    return text


def block(array: np.ndarray) -> str:
    return "\n".join("  " + "  ".join(f"{x:.12f}" for x in row) for row in array)
