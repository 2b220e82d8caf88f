"""Potential files of this machine: all labels of a cache must use the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from flatforce.core.errors import ConfigError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_file
from flatforce.reference.config import EspressoSettings, VaspSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.reference.config import Machine, Settings

RECORD = "potentials.json"
"""File in the cache that holds the hashes of the potential files."""


def find_potential(symbol: str, settings: Settings, machine: Machine) -> tuple[str, Path] | None:
    """Find the potential file of a species.

    Parameters
    ----------
    symbol
        Chemical symbol.
    settings
        Code and settings that determine the labels.
    machine
        Folders of the potential files.

    Returns
    -------
    Name of the potential and its path; None for an engine with potentials of its own, or if no folder is set.
    """
    if isinstance(settings, VaspSettings) and machine.potcars is not None:
        name = settings.setups.get(symbol, symbol)
        return f"POTCAR {name}", Path(machine.potcars).expanduser() / name / "POTCAR"
    if isinstance(settings, EspressoSettings) and machine.pseudopotentials is not None:
        name = settings.pseudopotentials.get(symbol, symbol)
        return name, Path(machine.pseudopotentials).expanduser() / name
    return None


def check_potentials(
    structures: Sequence[Atoms], settings: Sequence[Settings], machine: Machine, *, cache: Path
) -> None:
    """Record the hashes of the potential files of a cache, and refuse other files of the same name.

    Parameters
    ----------
    structures
        Structures to label.
    settings
        Code and settings of each.
    machine
        Folders of the potential files; files that cannot be read from this machine are not checked.
    cache
        Folder of results, with `potentials.json`.

    Raises
    ------
    ConfigError
        If labels of this cache were made with other files.
    """
    potentials = {
        potential
        for atoms, frame_settings in zip(structures, settings, strict=True)
        for symbol in set(atoms.get_chemical_symbols())
        if (potential := find_potential(symbol, frame_settings, machine)) is not None
        and potential[1].is_file()
    }
    hashes = {name: hash_file(path) for name, path in sorted(potentials)}
    record = cache / RECORD
    recorded_hashes = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    changed_names = [name for name, digest in hashes.items() if recorded_hashes.get(name, digest) != digest]
    if changed_names:
        raise ConfigError(
            f"{', '.join(changed_names)} is not the file that labels in {cache} were made with.",
            why="energies of different potentials would be mixed",
            fix="set machine.potcars or machine.pseudopotentials to the folder used before, or give another -o",
        )
    if hashes.keys() - recorded_hashes.keys():
        write_text(record, json.dumps(recorded_hashes | hashes, indent=1))
