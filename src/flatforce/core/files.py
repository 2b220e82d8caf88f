"""Atomic writing of files."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


PART: Final = ".part-"
"""Prefix of temporary files; the names of the machine and of the process that writes follow."""

MAX_PART_AGE: Final = 86400.0
"""s. A temporary file of another machine is taken for abandoned when it is older."""


def write_atomically(path: Path, write: Callable[[Path], None], *, durable: bool = False) -> None:
    """Write a file through a temporary file in the same folder, so that an interruption leaves either the old or the new file.

    Parameters
    ----------
    path
        Path of the file.
    write
        Function that writes the content; it is called with the path of the temporary file.
    durable
        Whether the file is on the disk when the function returns, so that it survives a power failure.

    Raises
    ------
    ResultError
        If the disk is full or the folder is not writable.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=part_prefix(), suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644)
        if durable:
            flush_to_disk(temporary)
        temporary.replace(path)
        if durable:
            flush_to_disk(path.parent)
    except OSError as error:
        raise ResultError(
            f"{path} could not be written.",
            why=str(error),
            fix="free disk space, or choose another folder with -o; an earlier version of the file is unchanged",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def part_prefix() -> str:
    """Return how the names of temporary files begin.

    Returns
    -------
    Prefix that holds the names of this machine and of this process, so that `remove_abandoned_parts` knows whether it has ended.
    """
    return f"{PART}{platform.node()}-{os.getpid()}-"


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the list of the files in a folder, is on the disk.

    Parameters
    ----------
    path
        A file or a folder.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_abandoned_parts(folder: Path) -> None:
    """Remove the temporary files, in a folder and below it, of processes that were killed while they wrote.

    Parameters
    ----------
    folder
        The folder.
    """
    for path in folder.rglob(f"{PART}*"):
        if _is_abandoned(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    match = re.match(re.escape(f"{PART}{platform.node()}-") + r"(\d+)-", path.name)
    try:
        if match is None:
            return time.time() - path.stat().st_mtime > MAX_PART_AGE
        os.kill(int(match[1]), 0)
    except (
        FileNotFoundError,
        PermissionError,
    ):  # another process removed it, or a process of another user writes it
        return False
    except ProcessLookupError:
        return True
    return False


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a text file atomically.

    Parameters
    ----------
    path
        Path of the file.
    text
        Content of the file.
    durable
        Whether the file is on the disk when the function returns.
    """
    write_atomically(path, lambda part: _write_text(part, text), durable=durable)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, durable: bool = False) -> None:
    """Write arrays to one compressed `.npz` file atomically.

    Parameters
    ----------
    path
        Path of the file.
    arrays
        Name → array.
    durable
        Whether the file is on the disk when the function returns.
    """
    contents = dict(arrays)

    def save(part: Path) -> None:
        with part.open("wb") as stream:
            np.savez_compressed(stream, **contents)  # type: ignore[arg-type]  # numpy's stub takes a bool there

    write_atomically(path, save, durable=durable)
