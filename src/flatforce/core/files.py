"""Files written whole or not at all."""

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
    """Write a file through a temporary neighbour, so that a kill leaves the old file or the new one.

    Parameters
    ----------
    path
        Where the file shall stand.
    write
        Called with the temporary path.

    Raises
    ------
    ResultError
        If the disk is full or the folder cannot be written.
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
            fix="free some space or choose another folder; the file before it is untouched",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Parameters
    ----------
    path
        Where.
    text
        Its content.
    """
    write_atomically(path, lambda part: _write_text(part, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to one `.npz` file, atomically.

    Parameters
    ----------
    path
        Where.
    arrays
        Name → array.
    """
    contents = dict(arrays)

    def save(part: Path) -> None:
        with part.open("wb") as stream:
            np.savez_compressed(stream, **contents)  # type: ignore[arg-type]  # numpy's stub takes a bool there

    write_atomically(path, save)
