"""VASP: its four input files, its known failures, its labels in the order of the frame."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.io import write

from flatforce.core.errors import ConfigError
from flatforce.data.frames import Labels, get_labels
from flatforce.data.readers.content import UNCONVERGED, FileContent, Refusal
from flatforce.data.readers.vasprun import read_vasprun
from flatforce.reference.program import Remedy, run_with_remedies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

    from flatforce.core.arrays import IntArray
    from flatforce.reference.config import Machine, VaspSettings

IVDW: Final = {"none": None, "D3": 11, "D3(BJ)": 12, "D4": 13}

REMEDIES: Final = (
    Remedy(UNCONVERGED, {"ALGO": "All"}),
    Remedy("Error EDDDAV: Call to ZHEGV failed", {"ALGO": "All"}),
    Remedy("BRMIX: very serious problems", {"IMIX": 1, "AMIX": 0.1}),
    Remedy("WARNING: Sub-Space-Matrix is not hermitian", {"ALGO": "Normal"}),
    Remedy("Routine TETIRR needs special values", {"ISMEAR": 0}),
    Remedy("REAL_OPTLAY: internal error", {"LREAL": False}),
    Remedy("inverse of rotation matrix was not found", {"SYMPREC": 1e-8, "ISYM": 0}),
    Remedy("PRICEL", {"SYMPREC": 1e-8, "ISYM": 0}),
)
"""Failures of static runs and what the VASP wiki and custodian's error handlers advise."""


def compute_vasp(atoms: Atoms, settings: VaspSettings, machine: Machine, folder: Path) -> Labels:
    """Run VASP on one frame.

    Parameters
    ----------
    atoms
        A structure.
    settings
        What decides the numbers.
    machine
        Program and POTCARs.
    folder
        Where it runs.

    Returns
    -------
    The labels, in the order of `atoms`.

    Raises
    ------
    ArithmeticError
        If it did not converge, whatever was tried.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = np.argsort(atoms.get_chemical_symbols(), kind="stable")
    done = run_with_remedies(
        machine.vasp,
        folder,
        prepare=partial(write_input, atoms[order], settings, machine, folder),
        read=partial(_read, folder),
        remedies=REMEDIES,
    )
    if not done.content.frames:
        tried = "; ".join(f"{one.changes or 'as given'}: {one.reason}" for one in done.attempts)
        raise ArithmeticError(f"VASP gave no label ({tried})")
    return in_order(get_labels(done.content.frames[-1]), order)


def _read(folder: Path) -> FileContent:
    path = folder / "vasprun.xml"
    return read_vasprun(path) if path.is_file() else FileContent([], [Refusal("VASP wrote no vasprun.xml")])


def in_order(labels: Labels, order: IntArray) -> Labels:
    """Give each atom its own force back.

    Parameters
    ----------
    labels
        Of the sorted structure.
    order
        Which atom each sorted one was.

    Returns
    -------
    Labels of the structure as given.
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
        A structure, species together.
    settings
        What decides the numbers.
    machine
        Where the POTCARs stand.
    folder
        Where the files go; an old `vasprun.xml` is removed.
    changes
        Tags that a remedy asks for.

    Raises
    ------
    ConfigError
        If a POTCAR is not found.
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
    """Turn settings into INCAR tags.

    Parameters
    ----------
    settings
        What decides the numbers.

    Returns
    -------
    Tag → value.
    """
    tags: dict[str, Any] = {
        "SYSTEM": "flatforce",
        "PREC": "Accurate",
        "GGA": settings.functional,
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
    return {"MAGMOM": " ".join(f"{one:g}" for one in moments)}


def _potcar(name: str, machine: Machine) -> Path:
    if machine.potcars is None:
        raise ConfigError("No POTCARs are named.", fix="give their folder as machine: {potcars: /path}")
    path = Path(machine.potcars).expanduser() / name / "POTCAR"
    if not path.is_file():
        raise ConfigError(
            f"There is no {path}.", fix="name another under `setups`, or correct machine.potcars"
        )
    return path


def _fortran(value: object) -> str:
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    return str(value)
