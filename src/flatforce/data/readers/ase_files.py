"""GPAW, Quantum ESPRESSO, ASE trajectories and databases by ASE's readers, with the checks that these omit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ase.constraints import FixAtoms
from ase.io import iread

from flatforce.data.readers.content import (
    NO_FORCES,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    build_frame,
)
from flatforce.data.stress_labels import stress_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

RYDBERG: Final = 13.605693122994
"""eV, CODATA 2018."""

XC_NAMES: Final = {
    "SLA PW PBX PBC": "PBE",
    "SLA PW PBE PBE": "PBE",
    "SLA PW PSX PSC": "PBEsol",
    "SLA PZ NOGX NOGC": "LDA",
}
"""Components of a functional, as older versions of pw.x print them → its name (pw.x, `funct.f90`)."""

CONSTRAINED: Final = "constraints have set the forces of fixed atoms to zero"


def read_gpw(path: Path) -> FileContent:
    """Read GPAW's `.gpw` file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    One frame. The file does not state convergence, but GPAW stops before it writes an unconverged one.
    """
    return _read(path, "gpw", {"code": "gpaw"})


def read_espresso(path: Path) -> FileContent:
    """Read the output of `pw.x`.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames whose self-consistent cycle converged. If any did not, the whole file is refused, since its steps are not marked.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if "convergence NOT achieved" in text:
        return FileContent([], [Refusal(UNCONVERGED)])
    cutoff = re.search(r"kinetic-energy cutoff\s*=\s*([\d.]+)\s*Ry", text)
    xc = re.search(r"Exchange-correlation\s*=\s*(.+?)\s*(?:\(|$)", text, re.MULTILINE)
    settings = {
        "code": "espresso",
        "cutoff": None if cutoff is None else float(cutoff[1]) * RYDBERG,
        "xc": None if xc is None else _xc_name(xc[1]),
        "soc": "spin-orbit" in text.lower(),
    }
    content = _read(path, "espresso-out", settings)
    if "JOB DONE" not in text:
        return FileContent(content.frames, [*content.refused, Refusal(f"{TRUNCATED}: no JOB DONE")])
    return content


def _xc_name(text: str) -> str:
    name = " ".join(text.upper().split())
    return XC_NAMES.get(name, text.strip())


def read_ase(path: Path) -> FileContent:
    """Read an ASE trajectory or database.

    Parameters
    ----------
    path
        `.traj` or `.db`.

    Returns
    -------
    Frames with energies and forces.
    """
    return _read(path, None, {})


def _read(path: Path, file_format: str | None, settings: dict[str, Any]) -> FileContent:
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    step = 0
    try:
        for step, atoms in enumerate(iread(path, index=":", format=file_format)):
            frame, reason = _frame(atoms, step, settings)
            if frame is None:
                refused.append(Refusal(reason, step))
            else:
                frames.append(frame)
    except Exception as error:  # noqa: BLE001  # ASE's readers raise all kinds of exceptions on a broken file
        refused.append(
            Refusal(f"ASE cannot read the rest of the file ({type(error).__name__}: {error})", step)
        )
    return FileContent(frames, refused)


def _frame(atoms: Atoms, step: int, settings: dict[str, Any]) -> tuple[Atoms | None, str]:
    results = {} if atoms.calc is None else atoms.calc.results
    energy = results.get("free_energy", results.get("energy"))
    if energy is None:
        return None, "no energy"
    if "forces" not in results:
        return None, NO_FORCES
    forces = results["forces"]
    fixed_atoms = [
        atom
        for constraint in atoms.constraints
        if isinstance(constraint, FixAtoms)
        for atom in constraint.index
    ]
    if fixed_atoms and (forces[fixed_atoms] == 0).all() and abs(forces).max() > 0:
        return None, CONSTRAINED
    stress = results.get("stress")
    if stress is not None:
        stress = stress_matrix(stress)
    return build_frame(atoms, step=step, energy=energy, forces=forces, stress=stress, settings=settings), ""
