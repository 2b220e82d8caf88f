"""Potential files that stand on the machine: one set of them for all labels of a cache."""

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


def potential_files(symbol: str, settings: Settings, machine: Machine) -> tuple[str, Path] | None:
    """Find the potential of a species.

    Parameters
    ----------
    symbol
        Chemical symbol.
    settings
        Which potential.
    machine
        Where they stand.

    Returns
    -------
    Its name in the settings and its file; None for an engine that brings its own, or without a folder.
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
    """Remember what the potentials of a cache contain, and refuse others of the same name.

    Parameters
    ----------
    structures
        What is to be labelled.
    settings
        Of each.
    machine
        Where the files stand; those that cannot be read from here are left to the worker.
    cache
        Folder of outcomes; gets `potentials.json`.

    Raises
    ------
    ConfigError
        If labels of this cache were made with other files.
    """
    wanted = {
        found
        for atoms, one in zip(structures, settings, strict=True)
        for symbol in set(atoms.get_chemical_symbols())
        if (found := potential_files(symbol, one, machine)) is not None and found[1].is_file()
    }
    now = {name: hash_file(path) for name, path in sorted(wanted)}
    record = cache / RECORD
    before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    other = [name for name, digest in now.items() if before.get(name, digest) != digest]
    if other:
        raise ConfigError(
            f"{', '.join(other)} is not the file that labels in {cache} were made with.",
            why="energies of different potentials would be mixed",
            fix="name the folder of the potentials used before, or label to another -o",
        )
    if now.keys() - before.keys():
        write_text(record, json.dumps(before | now, indent=1))
