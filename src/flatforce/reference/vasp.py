"""VASP: input files, known failures, and labels in the order of the atoms of the frame."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.io import write

from flatforce.core.errors import ConfigError
from flatforce.data.frames import Labels, get_labels
from flatforce.data.readers.content import UNCONVERGED, FileContent, Refusal
from flatforce.data.readers.vasp_settings import XC_NAMES
from flatforce.data.readers.vasprun import read_vasprun
from flatforce.reference.program import Correction, run_with_corrections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

    from flatforce.core.arrays import IntArray
    from flatforce.reference.config import Machine, VaspSettings

IVDW: Final = {"none": None, "D3": 11, "D3(BJ)": 12, "D4": 13}
"""Dispersion correction → tag IVDW."""

GGA_TAGS: Final = {name: tag for tag, name in XC_NAMES.items()}
"""Name of the functional → tag GGA."""

CORRECTIONS: Final = (
    Correction(UNCONVERGED, {"ALGO": "All"}),
    Correction("Error EDDDAV: Call to ZHEGV failed", {"ALGO": "All"}),
    Correction("BRMIX: very serious problems", {"IMIX": 1, "AMIX": 0.1}),
    Correction("WARNING: Sub-Space-Matrix is not hermitian", {"ALGO": "Normal"}),
    Correction("Routine TETIRR needs special values", {"ISMEAR": 0}),
    Correction("REAL_OPTLAY: internal error", {"LREAL": False}),
    Correction("inverse of rotation matrix was not found", {"SYMPREC": 1e-8, "ISYM": 0}),
    Correction("PRICEL", {"SYMPREC": 1e-8, "ISYM": 0}),
)
"""Failures of static calculations, and the corrections of the VASP wiki and of custodian's error handlers."""


def compute_vasp(atoms: Atoms, settings: VaspSettings, machine: Machine, folder: Path) -> Labels:
    """Run VASP on one frame.

    Parameters
    ----------
    atoms
        A structure.
    settings
        Code and settings that determine the labels.
    machine
        Command that runs VASP, and folder of the POTCARs.
    folder
        Working folder.

    Returns
    -------
    Energy in eV, forces in eV/Å and stress in eV/Å³, in the order of `atoms`.

    Raises
    ------
    ArithmeticError
        If it did not converge in spite of all corrections.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = np.argsort(atoms.get_chemical_symbols(), kind="stable")
    run = run_with_corrections(
        machine.vasp,
        folder,
        prepare=partial(write_input, atoms[order], settings, machine, folder),
        read=partial(_read_output, folder),
        corrections=CORRECTIONS,
    )
    if not run.content.frames:
        raise ArithmeticError(f"VASP gave no label ({run.describe_attempts()})")
    return restore_order(get_labels(run.content.frames[-1]), order)


def _read_output(folder: Path) -> FileContent:
    path = folder / "vasprun.xml"
    return read_vasprun(path) if path.is_file() else FileContent([], [Refusal("VASP wrote no vasprun.xml")])


def restore_order(labels: Labels, order: IntArray) -> Labels:
    """Reorder forces from the order of VASP to that of the frame.

    Parameters
    ----------
    labels
        Labels of the sorted structure.
    order
        (N,) int, index in the frame of each atom of the sorted structure.

    Returns
    -------
    The same labels, with the forces in the order of the frame.
    """
    forces = np.empty_like(labels.forces)
    forces[order] = labels.forces
    return Labels(labels.energy, forces, labels.stress)


def write_input(
    atoms: Atoms, settings: VaspSettings, machine: Machine, folder: Path, changes: Mapping[str, Any]
) -> None:
    """Write INCAR, KPOINTS, POSCAR and POTCAR.

    Parameters
    ----------
    atoms
        A structure, sorted by species.
    settings
        Code and settings that determine the labels.
    machine
        Folder of the POTCARs.
    folder
        Working folder; an old `vasprun.xml` is removed.
    changes
        Tags that a correction changes.

    Raises
    ------
    ConfigError
        If a POTCAR is missing.
    """
    (folder / "vasprun.xml").unlink(missing_ok=True)
    tags = incar(settings) | _moments(atoms, settings) | dict(changes)
    text = "".join(f"{name} = {_fortran(value)}\n" for name, value in tags.items())
    (folder / "INCAR").write_text(text, encoding="utf-8")
    points = [max(1, round(settings.k_length / length)) for length in atoms.cell.lengths()[:2]]
    kind = "Gamma" if settings.gamma_centred else "Monkhorst-Pack"
    (folder / "KPOINTS").write_text(f"grid\n0\n{kind}\n{points[0]} {points[1]} 1\n0 0 0\n", encoding="utf-8")
    write(folder / "POSCAR", atoms, format="vasp", direct=True)
    species = list(dict.fromkeys(atoms.get_chemical_symbols()))
    with (folder / "POTCAR").open("wb") as stream:
        for symbol in species:
            stream.write(_potcar(settings.setups.get(symbol, symbol), machine).read_bytes())


def incar(settings: VaspSettings) -> dict[str, Any]:
    """Convert settings to INCAR tags.

    Parameters
    ----------
    settings
        Code and settings that determine the labels.

    Returns
    -------
    Name of each INCAR tag → its value, in the units of VASP.
    """
    tags: dict[str, Any] = {
        "SYSTEM": "flatforce",
        "PREC": "Accurate",
        "GGA": GGA_TAGS[settings.xc],
        "ENCUT": settings.cutoff,
        "EDIFF": settings.energy_convergence,
        "NELM": settings.max_iterations,
        "ISMEAR": 0,
        "SIGMA": settings.smearing,
        "ISPIN": 2 if settings.spin else 1,
        "IBRION": -1,
        "NSW": 0,
        "ISIF": 2,
        "ISYM": 0,
        "LREAL": False,
        "LASPH": True,
        "LWAVE": False,
        "LCHARG": False,
    }
    ivdw = IVDW[settings.dispersion]
    if ivdw is not None:
        tags["IVDW"] = ivdw
    return tags | dict(settings.tags)


def _moments(atoms: Atoms, settings: VaspSettings) -> dict[str, str]:
    moments = atoms.get_initial_magnetic_moments()
    if not settings.spin or "MAGMOM" in settings.tags or not moments.any():
        return {}
    return {"MAGMOM": " ".join(f"{moment:g}" for moment in moments)}


def _potcar(name: str, machine: Machine) -> Path:
    if machine.potcars is None:
        raise ConfigError(
            "The folder of POTCARs is not set.", fix="set machine: {potcars: /path/to/potpaw_PBE}"
        )
    path = Path(machine.potcars).expanduser() / name / "POTCAR"
    if not path.is_file():
        raise ConfigError(
            f"There is no {path}.",
            fix="set another folder name in settings: {setups: {W: W_sv}}, or correct machine.potcars",
        )
    return path


def _fortran(value: object) -> str:
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    return str(value)
