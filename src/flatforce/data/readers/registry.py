"""Which reader a file needs, by its name and its first lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def detect_kind(path: Path) -> str | None:
    """Recognise the kind of a file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    A key of `READERS`; None for an unknown kind.
    """
    if path.name.endswith("properties.calc.json"):
        return "casm"
    if path.suffix in SUFFIXES:
        return SUFFIXES[path.suffix]
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        return None
    if head.lstrip().startswith(b"vasp.") or (path.name.startswith("OUTCAR") and b"vasp" in head):
        return "outcar"
    return next((kind for signature, kind in SIGNATURES if signature in head), None)


def find_files(paths: Sequence[Path]) -> list[tuple[Path, Path, str]]:
    """List the files to read; folders are searched with all their subfolders.

    If a folder holds `vasprun.xml` and `OUTCAR` of one run, only the first is read: the same steps twice would leak between the
    subsets of a split.

    Parameters
    ----------
    paths
        Files and folders.

    Returns
    -------
    Root of the import, path and kind of each file, sorted.

    Raises
    ------
    DataError
        If a path is missing, a named file is of an unknown kind, or no file is found.
    """
    files: list[tuple[Path, Path, str]] = []
    for path in paths:
        if path.is_dir():
            kinds = [(file, detect_kind(file)) for file in sorted(path.rglob("*")) if file.is_file()]
            files += [(path, file, kind) for file, kind in kinds if kind is not None]
        elif path.is_file():
            kind = detect_kind(path)
            if kind is None:
                raise DataError(f"{path} is of an unknown kind.", fix=f"known kinds: {', '.join(READERS)}")
            files.append((path.parent, path, kind))
        else:
            raise DataError(f"There is no {path}.", fix="give the path of a file, or of a folder to search")
    if not files:
        raise DataError("No file of a known kind was found.", fix=f"known kinds: {', '.join(READERS)}")
    complete_runs = {_run_name(path) for _, path, kind in files if kind == "vasprun"}
    return [
        (root, path, kind)
        for root, path, kind in files
        if kind != "outcar" or _run_name(path) not in complete_runs
    ]


def _run_name(path: Path) -> tuple[Path, str]:
    """Name the run of a file: `OUTCAR-1` belongs to `vasprun-1.xml`."""
    return path.parent, path.name.removesuffix(".xml").replace("OUTCAR", "").replace("vasprun", "")
