"""Files of frames: extended XYZ, and whatever else ASE reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.errors import DataError, GeometryError
from flatforce.core.files import write_atomically
from flatforce.data.frames import get_labels, without_isolated
from flatforce.structures.isolated_sheet import check_isolated_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms


def read_frames(path: Path) -> list[Atoms]:
    """Read all frames of a file, and refuse a damaged file.

    Parameters
    ----------
    path
        Extended XYZ, or any format that ASE reads.

    Returns
    -------
    The frames, at least one.

    Raises
    ------
    DataError
        If the file is missing, truncated or empty.
    """
    from ase.io import read

    if not path.is_file():
        raise DataError(f"There is no file {path}.", fix="check the path of the frames")
    try:
        content = read(path, index=":", do_not_split_by_at_sign=True)  # Mo@W.extxyz is a name
    except Exception as error:
        raise DataError(
            f"{path} could not be read.",
            why=f"{type(error).__name__}: {error}",
            fix="check that it is a file of structures that ASE reads, that you may read it, and that it is whole",
        ) from error
    frames = content if isinstance(content, list) else [content]
    if not frames:
        raise DataError(f"{path} holds no frames.", fix="check the path of the frames")
    if path.suffix in {".xyz", ".extxyz"} and not path.read_bytes().endswith(b"\n"):
        # ASE refuses a file truncated anywhere but inside its last number, which it reads as a wrong one
        raise DataError(
            f"{path} is truncated.",
            why="its last line does not end with a newline, so its last number may have lost digits",
            fix="copy the file again; if it is complete, end its last line with a newline",
        )
    return frames


def read_labelled(path: Path, *, need_forces: bool = True) -> list[Atoms]:
    """Read frames, and check that each has finite labels.

    Parameters
    ----------
    path
        Extended XYZ with REF keys.
    need_forces
        Whether a frame without forces is refused.

    Returns
    -------
    The frames in the order of the file, each with finite labels.
    """
    frames = read_frames(path)
    for frame in frames:
        get_labels(frame, need_forces=need_forces)
    return frames


def read_sheets(path: Path, *, need_forces: bool = True) -> list[Atoms]:
    """Read labelled frames without the isolated atoms among them, which only serve as references.

    Parameters
    ----------
    path
        Extended XYZ with REF keys.
    need_forces
        Whether a frame without forces is refused.

    Returns
    -------
    The other frames in the order of the file, each with finite labels.
    """
    return without_isolated(read_labelled(path, need_forces=need_forces))


def read_structure(path: Path) -> Atoms:
    """Read exactly one structure.

    Parameters
    ----------
    path
        Any format that ASE reads.

    Returns
    -------
    The only structure that the file holds.

    Raises
    ------
    DataError
        If the file holds several.
    """
    frames = read_frames(path)
    if len(frames) > 1:
        raise DataError(
            f"{path} holds {len(frames)} structures, but one is needed.",
            fix="write the structure that you mean to a file of its own",
        )
    return frames[0]


def read_sheet(path: Path) -> Atoms:
    """Read exactly one structure, and check that it is an isolated sheet.

    Parameters
    ----------
    path
        Any format that ASE reads.

    Returns
    -------
    The only structure that the file holds.

    Raises
    ------
    GeometryError
        If it is not an isolated sheet of bound atoms; the message names the file.
    """
    atoms = read_structure(path)
    try:
        check_isolated_sheet(atoms)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error.what}", why=error.why, fix=error.fix) from error
    return atoms


def write_frames(path: Path, frames: Sequence[Atoms]) -> None:
    """Write frames as extended XYZ; an interrupted write leaves no file.

    Parameters
    ----------
    path
        File to write.
    frames
        Frames, with labels under the REF keys.
    """
    from ase.io import write

    copies = [frame.copy() for frame in frames]  # without calculators, whose results would be written too
    write_atomically(path, lambda temporary: write(temporary, copies, format="extxyz"))
