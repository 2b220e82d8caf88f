"""GPAW, ASE trajectories and databases by ASE's readers, with the checks that these omit."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

from ase.constraints import FixAtoms
from ase.io import iread
from ase.io.gpaw_out import read_gpaw_out

from flatforce.data.readers.content import (
    DAMAGED,
    NO_FORCES,
    TRUNCATED,
    UNCONVERGED,
    FileContent,
    Refusal,
    build_frame,
    drop_repeated_steps,
)
from flatforce.data.readers.opening import open_text
from flatforce.data.stress_labels import stress_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

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


def read_old_gpaw_text(path: Path) -> FileContent:
    """Read the text output of GPAW before version 25.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames whose self-consistent cycle converged, with the free energy as label.
    """
    with open_text(path) as stream:
        header, *blocks = re.split(r"^Positions:", stream.read(), flags=re.MULTILINE)
    xc = re.search(r"(?:XC parameters|XC Functional|xc):\s*(\w+)", header, re.IGNORECASE)
    cutoff = re.search(r"(?:cutoff energy|plane[- ]wave cutoff):\s*([\d.]+)", header, re.IGNORECASE)
    settings = {
        "code": "gpaw",
        "xc": xc[1] if xc else None,
        "cutoff": float(cutoff[1]) if cutoff else None,
    }
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    for step, block in enumerate(blocks):
        reason = UNCONVERGED if "Converged after" not in block else ""
        frame = None
        if not reason:
            try:
                atoms = read_gpaw_out(io.StringIO(f"{header}Positions:{block}"), -1)
                # ASE takes the energy extrapolated to zero width, which the forces are no derivatives of
                atoms.calc.results["free_energy"] = atoms.calc.energy_contributions["free energy"]
                frame, reason = _frame(atoms, step, settings)
            except Exception as error:  # noqa: BLE001  # ASE raises all kinds of exceptions on a damaged file
                reason = f"{DAMAGED}: {error}"
        if frame is None:
            refused.append(Refusal(reason, step))
        else:
            frames.append(frame)
    if not blocks:
        refused.append(Refusal(f"{TRUNCATED}: there is no table of atoms"))
    return drop_repeated_steps(FileContent(frames, refused))


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
        images = iread(path, index=":", format=file_format, do_not_split_by_at_sign=True)
        for step, atoms in enumerate(images):
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
