"""GPAW, Quantum ESPRESSO, ASE trajectories and databases, through ASE's readers; ours is what they leave unsaid."""

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
    labelled,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

CONSTRAINED: Final = "constraints have zeroed the forces of fixed atoms"


def read_gpw(path: Path) -> FileContent:
    """Read GPAW's `.gpw` file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    One frame; the file holds no word on convergence, but GPAW stops before writing an unconverged one.
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
    Frames whose self-consistent cycle converged; the whole file is refused otherwise, for its steps stand unmarked.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if "convergence NOT achieved" in text:
        return FileContent([], [Refusal(UNCONVERGED)])
    cutoff = re.search(r"kinetic-energy cutoff\s*=\s*([\d.]+)\s*Ry", text)
    functional = re.search(r"Exchange-correlation\s*=\s*(.+?)\s*(?:\(|$)", text, re.MULTILINE)
    settings = {
        "code": "espresso",
        "cutoff": None if cutoff is None else float(cutoff[1]) * RYDBERG,
        "functional": None if functional is None else functional[1].strip(),
        "soc": "spin-orbit" in text.lower(),
    }
    content = _read(path, "espresso-out", settings)
    if "JOB DONE" not in text:
        return FileContent(content.frames, [*content.refused, Refusal(f"{TRUNCATED}: no JOB DONE")])
    return content


RYDBERG: Final = 13.605693122994
"""eV, CODATA 2018."""


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


def _read(path: Path, kind: str | None, settings: dict[str, Any]) -> FileContent:
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    step = 0
    try:
        for step, atoms in enumerate(iread(path, index=":", format=kind)):
            frame, reason = _frame(atoms, step, settings)
            if frame is None:
                refused.append(Refusal(reason, step))
            else:
                frames.append(frame)
    except Exception as error:  # noqa: BLE001  # ASE's readers raise whatever a broken file makes them stumble over
        refused.append(Refusal(f"ASE cannot read it further ({type(error).__name__}: {error})", step))
    return FileContent(frames, refused)


def _frame(atoms: Atoms, step: int, settings: dict[str, Any]) -> tuple[Atoms | None, str]:
    results = {} if atoms.calc is None else atoms.calc.results
    energy = results.get("free_energy", results.get("energy"))
    if energy is None:
        return None, "no energy"
    if "forces" not in results:
        return None, NO_FORCES
    forces = results["forces"]
    fixed = [i for one in atoms.constraints if isinstance(one, FixAtoms) for i in one.index]
    if fixed and (forces[fixed] == 0).all() and abs(forces).max() > 0:
        return None, CONSTRAINED
    stress = results.get("stress")
    if stress is not None:
        from ase.stress import voigt_6_to_full_3x3_stress

        stress = voigt_6_to_full_3x3_stress(stress) if stress.size == 6 else stress.reshape(3, 3)
    return labelled(atoms, step=step, energy=energy, forces=forces, stress=stress, settings=settings), ""
