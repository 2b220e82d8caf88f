"""Which reader a file needs, by its name and its first lines."""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flatforce.core.errors import DataError
from flatforce.data.readers.ase_files import read_ase, read_gpw, read_old_gpaw_text
from flatforce.data.readers.casm import read_casm
from flatforce.data.readers.content import FileContent
from flatforce.data.readers.espresso import read_espresso
from flatforce.data.readers.gpaw_text import read_gpaw_text
from flatforce.data.readers.keyed_xyz import read_keyed_xyz
from flatforce.data.readers.ml_ab import read_ml_ab
from flatforce.data.readers.opening import open_bytes, plain_name
from flatforce.data.readers.outcar import read_outcar
from flatforce.data.readers.vasprun import read_vasprun

Reader = Callable[[Path], FileContent]

READERS: Final[dict[str, Reader]] = {
    "vasprun": read_vasprun,
    "outcar": read_outcar,
    "ml_ab": read_ml_ab,
    "gpw": read_gpw,
    "gpaw": read_gpaw_text,
    "gpaw-old": read_old_gpaw_text,
    "espresso": read_espresso,
    "extxyz": read_keyed_xyz,
    "casm": read_casm,
    "ase": read_ase,
}
"""Kind of file → its reader."""

HEAD: Final = 4000
"""Number of bytes at the beginning of a file by which its kind is recognised."""

SIGNATURES: Final = (
    (b"<modeling>", "vasprun"),
    (b"Program PWSCF", "espresso"),
    (b"| _ |_)|_||  |", "gpaw"),
    (b"|__ |  _|___|_____|", "gpaw-old"),
    (b"The number of configurations", "ml_ab"),
)
"""Text near the beginning of a file → its kind."""

SUFFIXES: Final = {
    ".gpw": "gpw",
    ".traj": "ase",
    ".db": "ase",
    ".extxyz": "extxyz",
    ".xyz": "extxyz",
}


@dataclass(frozen=True)
class FoundFile:
    """A file that an import reads."""

    source: str
    """Path below the common root of the import, which names the run of its frames."""
    path: Path
    """The file."""
    kind: str
    """A key of `READERS`."""

    @property
    def run(self) -> tuple[Path, str] | None:
        """Folder and name of the VASP run of which `vasprun.xml` and `OUTCAR` are two reports; None for other files."""
        if self.kind not in {"vasprun", "outcar"}:
            return None
        name = plain_name(self.path)
        for word in ("vasprun", "OUTCAR", ".xml"):
            name = name.replace(word, "", 1)
        return self.path.parent, name


def detect_kind(path: Path) -> str | None:
    """Recognise the kind of a file, compressed or not.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    A key of `READERS`; None for an unknown kind.
    """
    name = plain_name(path)
    if name.endswith("properties.calc.json"):
        return "casm"
    suffix = Path(name).suffix
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    try:
        with open_bytes(path) as stream:
            head = stream.read(HEAD)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return None
    if head.lstrip().startswith(b"vasp.") or (name.startswith("OUTCAR") and b"vasp" in head):
        return "outcar"
    return next((kind for signature, kind in SIGNATURES if signature in head), None)


def find_files(paths: Sequence[Path]) -> tuple[list[FoundFile], list[Path]]:
    """List the files to read; folders are searched with all their subfolders.

    Parameters
    ----------
    paths
        Files and folders; a file that is named twice is read once.

    Returns
    -------
    The files, sorted; and the files in searched folders that are of no known kind.

    Raises
    ------
    DataError
        If a path is missing, a named file is of an unknown kind, or no file is found.
    """
    found: dict[Path, str] = {}
    unknown: list[Path] = []
    for path in (path.resolve() for path in paths):
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                kind = detect_kind(file)
                if kind is None:
                    unknown.append(file)
                else:
                    found[file] = kind
        elif path.is_file():
            kind = detect_kind(path)
            if kind is None:
                raise DataError(f"{path} is of an unknown kind.", fix=f"known kinds: {', '.join(READERS)}")
            found[path] = kind
        else:
            raise DataError(f"There is no {path}.", fix="give the path of a file, or of a folder to search")
    if not found:
        raise DataError("No file of a known kind was found.", fix=f"known kinds: {', '.join(READERS)}")
    root = Path(os.path.commonpath([path.parent for path in found])).parent
    return [FoundFile(str(path.relative_to(root)), path, kind) for path, kind in found.items()], unknown
