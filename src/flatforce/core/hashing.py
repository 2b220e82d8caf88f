"""Content hashes of plain values, files and structures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ResultError

if TYPE_CHECKING:
    from ase import Atoms

POSITION_DIGITS = 8
"""Number of decimals in Å to which positions and cells are rounded before they are hashed."""


def hash_value(value: Any) -> str:
    """Hash plain values; the order of keys does not matter.

    Parameters
    ----------
    value
        Any value that can be written as JSON.

    Returns
    -------
    20 hexadecimal digits, the same for equal content on every machine.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def hash_file(path: Path) -> str:
    """Hash the bytes of a file.

    Parameters
    ----------
    path
        Path of the file.

    Returns
    -------
    20 hexadecimal digits, the same for equal content on every machine.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()[:20]


def hash_files(*files: Path) -> dict[str, str]:
    """Hash files by their names.

    Parameters
    ----------
    *files
        Files, always in the same order: of two with the same name, the second is numbered.

    Returns
    -------
    Name of each file, numbered where two are the same → 20 hexadecimal digits of its content.
    """
    hashes: dict[str, str] = {}
    for path in files:
        n_same = sum(name.partition(" #")[0] == path.name for name in hashes)
        hashes[f"{path.name} #{n_same + 1}" if n_same else path.name] = hash_file(path)
    return hashes


def hash_structure(atoms: Atoms) -> str:
    """Hash species, positions, cell and periodicity of a structure; labels and names are ignored.

    Parameters
    ----------
    atoms
        A structure.

    Returns
    -------
    20 hexadecimal digits, the same for equal content on every machine.
    """
    rounded = [
        (np.round(array, POSITION_DIGITS) + 0.0).tolist()  # + 0.0 turns -0.0 into 0.0
        for array in (atoms.positions, atoms.cell.array)
    ]
    return hash_value([atoms.numbers.tolist(), *rounded, atoms.pbc.tolist()])


def hash_source(source: Path | Atoms | str) -> str:
    """Hash an input.

    Parameters
    ----------
    source
        A file, a structure, or a hash.

    Returns
    -------
    20 hexadecimal digits of the content of a file, or of species, positions and cell of a structure; a hash unchanged.

    Raises
    ------
    ResultError
        If the file does not exist.
    """
    if isinstance(source, str):
        return source
    if isinstance(source, Path):
        if not source.is_file():
            raise ResultError(f"There is no file {source}.", fix="check its path")
        return hash_file(source)
    structure = hash_structure(source)
    if source.has("masses"):  # isotopes change vibrations and dynamics
        return hash_value([structure, np.round(source.get_masses(), POSITION_DIGITS).tolist()])
    return structure
