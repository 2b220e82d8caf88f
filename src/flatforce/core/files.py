"""Atomic writing of files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file through a temporary file in the same folder, so that an interruption leaves either the old or the new file.

    Parameters
    ----------
    path
        Path of the file.
    write
        Function that writes the content; it is called with the path of the temporary file.

    Raises
    ------
    ResultError
        If the disk is full or the folder is not writable.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ResultError(
            f"{path} could not be written.",
            why=str(error),
            fix="free disk space, or choose another folder with -o; an earlier version of the file is unchanged",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Parameters
    ----------
    path
        Path of the file.
    text
        Content of the file.
    """
    write_atomically(path, lambda part: _write_text(part, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to one compressed `.npz` file atomically.

    Parameters
    ----------
    path
        Path of the file.
    arrays
        Name → array.
    """
    contents = dict(arrays)

    def save(part: Path) -> None:
        with part.open("wb") as stream:
            np.savez_compressed(stream, **contents)  # type: ignore[arg-type]  # numpy's stub takes a bool there

    write_atomically(path, save)
