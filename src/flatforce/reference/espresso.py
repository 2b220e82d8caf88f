"""Quantum ESPRESSO's pw.x: input, known failures, labels."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ase.io import write

from flatforce.core.errors import ConfigError
from flatforce.data.frames import Labels, get_labels
from flatforce.data.readers.ase_files import read_espresso
from flatforce.data.readers.content import UNCONVERGED
from flatforce.reference.program import Remedy, run_with_remedies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

    from flatforce.reference.config import EspressoSettings, Machine

REMEDIES: Final = (
    Remedy(UNCONVERGED, {"electrons": {"mixing_beta": 0.2, "mixing_mode": "local-TF"}}),
    Remedy("too many bands are not converged", {"electrons": {"diagonalization": "cg"}}),
    Remedy("S matrix not positive definite", {"electrons": {"diagonalization": "cg"}}),
    Remedy("eigenvectors failed to converge", {"electrons": {"diagonalization": "cg"}}),
)
"""Failures of static runs and what the users' guide of pw.x advises."""


BEGIN: Final = 0.5
"""Of the valence electrons of a species: spin up less spin down, where the frame has no moments."""


def compute_espresso(atoms: Atoms, settings: EspressoSettings, machine: Machine, folder: Path) -> Labels:
    """Run pw.x on one frame.

    Parameters
    ----------
    atoms
        A structure.
    settings
        What decides the numbers.
    machine
        Program and pseudopotentials.
    folder
        Where it runs.

    Returns
    -------
    The labels.

    Raises
    ------
    ArithmeticError
        If it did not converge, whatever was tried.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = run_with_remedies(
        [*machine.espresso, "-in", "pw.in"],
        folder,
        prepare=partial(write_input, atoms, settings, machine, folder),
        read=partial(_read_last, folder),
        remedies=REMEDIES,
    )
    if not done.content.frames:
        tried = "; ".join(f"{one.changes or 'as given'}: {one.reason}" for one in done.attempts)
        raise ArithmeticError(f"pw.x gave no label ({tried})")
    return get_labels(done.content.frames[-1])


def _read_last(folder: Path) -> Any:
    newest = max(folder.glob("output*.txt"), key=lambda path: path.stat().st_mtime_ns)
    return read_espresso(newest)


def write_input(
    atoms: Atoms, settings: EspressoSettings, machine: Machine, folder: Path, changes: Mapping[str, Any]
) -> None:
    """Write `pw.in`.

    Parameters
    ----------
    atoms
        A structure.
    settings
        What decides the numbers.
    machine
        Where the pseudopotentials stand.
    folder
        Where the file goes.
    changes
        Namelist entries that a remedy asks for.

    Raises
    ------
    ConfigError
        If a pseudopotential is missing.
    """
    if machine.pseudopotentials is None:
        raise ConfigError(
            "No folder of pseudopotentials is named.", fix="give machine: {pseudopotentials: /path}"
        )
    library = Path(machine.pseudopotentials).expanduser().resolve()
    for symbol in sorted(set(atoms.get_chemical_symbols())):
        name = settings.pseudopotentials.get(symbol)
        if name is None or not (library / name).is_file():
            raise ConfigError(
                f"There is no pseudopotential of {symbol} in {library}.", fix="name its file in the settings"
            )
    points = [max(1, round(settings.k_length / length)) for length in atoms.cell.lengths()[:2]]
    shift = 0 if settings.gamma_centred else 1
    path = folder / "pw.in"
    write(
        path,
        atoms,
        format="espresso-in",
        input_data=namelists(settings, library, changes),
        pseudopotentials=settings.pseudopotentials,
        kpts=(*points, 1),
        koffset=(shift, shift, 0),
    )
    if settings.spin and not atoms.get_initial_magnetic_moments().any():
        path.write_text(_with_moments(path.read_text(encoding="utf-8"), settings), encoding="utf-8")


def _with_moments(text: str, settings: EspressoSettings) -> str:
    """Set where each species begins: ASE writes zero for a frame without moments, from which no magnetism would arise."""
    given = {name.lower(): value for name, value in settings.namelists.get("system", {}).items()}

    def begin(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{given.get(found[1].lower(), BEGIN)}"

    return re.sub(r"(starting_magnetization\(\d+\))(\s*=\s*)\S+", begin, text)


def namelists(
    settings: EspressoSettings, library: Path, changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Turn settings into pw.x's namelists.

    Parameters
    ----------
    settings
        What decides the numbers.
    library
        Folder of the pseudopotentials.
    changes
        Entries that a remedy asks for.

    Returns
    -------
    Namelist → entries.
    """
    lists: dict[str, dict[str, Any]] = {
        "control": {
            "calculation": "scf",
            "pseudo_dir": str(library),
            "outdir": "scratch",
            "tprnfor": True,
            "tstress": True,
            "disk_io": "none",
        },
        "system": {
            "ecutwfc": settings.cutoff,
            "ecutrho": settings.density_cutoff or 4 * settings.cutoff,
            "occupations": "smearing",
            "smearing": "marzari-vanderbilt",
            "degauss": settings.smearing,
            "nosym": True,
        },
        "electrons": {"conv_thr": settings.energy_convergence, "electron_maxstep": settings.max_iterations},
    }
    if settings.spin:
        lists["system"]["nspin"] = 2
    for more in (settings.namelists, changes):
        for name, entries in more.items():
            lists.setdefault(name, {}).update(entries)
    return lists
