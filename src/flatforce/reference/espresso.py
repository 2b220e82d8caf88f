"""Quantum ESPRESSO's pw.x: input, known failures, and labels."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ase.io import write

from flatforce.core.errors import ConfigError
from flatforce.data.frames import Labels, get_labels
from flatforce.data.readers.content import UNCONVERGED
from flatforce.data.readers.espresso import read_espresso
from flatforce.reference.program import Correction, run_with_corrections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

    from flatforce.data.readers.content import FileContent
    from flatforce.reference.config import EspressoSettings, Machine

CORRECTIONS: Final = (
    Correction(UNCONVERGED, {"electrons": {"mixing_beta": 0.2, "mixing_mode": "local-TF"}}),
    Correction("too many bands are not converged", {"electrons": {"diagonalization": "cg"}}),
    Correction("S matrix not positive definite", {"electrons": {"diagonalization": "cg"}}),
    Correction("eigenvectors failed to converge", {"electrons": {"diagonalization": "cg"}}),
)
"""Failures of static calculations, and the corrections of the users' guide of pw.x."""

STARTING_MAGNETIZATION: Final = 0.5
"""Initial spin polarisation of a species, as a fraction of its valence electrons, where the frame has no magnetic moments."""


def compute_espresso(atoms: Atoms, settings: EspressoSettings, machine: Machine, folder: Path) -> Labels:
    """Run pw.x on one frame.

    Parameters
    ----------
    atoms
        A structure.
    settings
        Code and settings that determine the labels.
    machine
        Command that runs pw.x, and folder of the pseudopotentials.
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
    run = run_with_corrections(
        [*machine.espresso, "-in", "pw.in"],
        folder,
        prepare=partial(write_input, atoms, settings, machine, folder),
        read=partial(_read_newest_output, folder),
        corrections=CORRECTIONS,
    )
    if not run.content.frames:
        raise ArithmeticError(f"pw.x gave no label ({run.describe_attempts()})")
    return get_labels(run.content.frames[-1])


def _read_newest_output(folder: Path) -> FileContent:
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
        Code and settings that determine the labels.
    machine
        Folder of the pseudopotentials.
    folder
        Working folder.
    changes
        Namelist entries that a correction changes.

    Raises
    ------
    ConfigError
        If a pseudopotential is missing.
    """
    if machine.pseudopotentials is None:
        raise ConfigError(
            "The folder of pseudopotentials is not set.", fix="set machine: {pseudopotentials: /path}"
        )
    library = Path(machine.pseudopotentials).expanduser().resolve()
    for symbol in sorted(set(atoms.get_chemical_symbols())):
        name = settings.pseudopotentials.get(symbol)
        if name is None or not (library / name).is_file():
            raise ConfigError(
                f"There is no pseudopotential of {symbol} in {library}.",
                fix=f"name its file in settings: {{pseudopotentials: {{{symbol}: {symbol}.upf}}}}",
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
        path.write_text(_set_initial_moments(path.read_text(encoding="utf-8"), settings), encoding="utf-8")


def _set_initial_moments(text: str, settings: EspressoSettings) -> str:
    """Set the initial magnetisation: ASE writes zero for a frame without moments, from which no magnetism would develop."""
    entries = {name.lower(): value for name, value in settings.namelists.get("system", {}).items()}

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{entries.get(match[1].lower(), STARTING_MAGNETIZATION)}"

    return re.sub(r"(starting_magnetization\(\d+\))(\s*=\s*)\S+", replace, text)


def namelists(
    settings: EspressoSettings, library: Path, changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Convert settings to the namelists of pw.x.

    Parameters
    ----------
    settings
        Code and settings that determine the labels.
    library
        Folder of the pseudopotentials.
    changes
        Entries that a correction changes.

    Returns
    -------
    Name of each namelist → its entries, in the units of pw.x.
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
    for additions in (settings.namelists, changes):
        for name, entries in additions.items():
            lists.setdefault(name, {}).update(entries)
    return lists
