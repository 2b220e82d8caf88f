"""Which reader a file wants, told by its name and its first lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from flatforce.core.errors import DataError
from flatforce.data.readers.ase_files import read_ase, read_espresso, read_gpw
from flatforce.data.readers.casm import read_casm
from flatforce.data.readers.content import FileContent
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
    "espresso": read_espresso,
    "extxyz": read_keyed_xyz,
    "casm": read_casm,
    "ase": read_ase,
}
"""Kind of file → reader."""

HEAD: Final = 4000
"""Bytes that tell a file by its content."""

MARKS: Final = (
    (b"<modeling>", "vasprun"),
    (b"Program PWSCF", "espresso"),
    (b"| _ |_)|_||  |", "gpaw"),
    (b"The number of configurations", "ml_ab"),
)
"""Texts near the top of a file → its kind."""

SUFFIXES: Final = {
    ".gpw": "gpw",
    ".traj": "ase",
    ".db": "ase",
    ".extxyz": "extxyz",
    ".xyz": "extxyz",
}


def kind_of(path: Path) -> str | None:
    """Tell the kind of a file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    A key of `READERS`, or None.
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
    return next((kind for mark, kind in MARKS if mark in head), None)


def find_files(paths: Sequence[Path]) -> list[tuple[Path, Path, str]]:
    """List the files to read; folders are searched to the bottom.

    Where `vasprun.xml` and `OUTCAR` of one run stand side by side, only the first is taken: the same steps twice
    would leak between splits.

    Parameters
    ----------
    paths
        Files and folders.

    Returns
    -------
    Root of the import, file and kind of each, sorted.

    Raises
    ------
    DataError
        If a path is absent, a named file is of no known kind, or nothing is found.
    """
    found: list[tuple[Path, Path, str]] = []
    for path in paths:
        if path.is_dir():
            inside = [(path, file, kind_of(file)) for file in sorted(path.rglob("*")) if file.is_file()]
            found += [(root, file, kind) for root, file, kind in inside if kind is not None]
        elif path.is_file():
            kind = kind_of(path)
            if kind is None:
                raise DataError(f"{path} is of no known kind.", fix=f"known kinds: {', '.join(READERS)}")
            found.append((path.parent, path, kind))
        else:
            raise DataError(f"There is no {path}.", fix="give files, or folders to search")
    if not found:
        raise DataError("No file of a known kind was found.", fix=f"known kinds: {', '.join(READERS)}")
    complete = {_run_of(file) for _, file, kind in found if kind == "vasprun"}
    return [one for one in found if not (one[2] == "outcar" and _run_of(one[1]) in complete)]


def _run_of(file: Path) -> tuple[Path, str]:
    """Name a run: `OUTCAR-1` belongs to `vasprun-1.xml`."""
    return file.parent, file.name.removesuffix(".xml").replace("OUTCAR", "").replace("vasprun", "")
