"""Folders of results: they are made when something is written, and removed when nothing was."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from flatforce.core.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def made_if_missing(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again if the block fails before anything is in it.

    Parameters
    ----------
    folder
        The folder; it may exist.

    Yields
    ------
    Nothing.
    """
    try:
        is_new = not folder.exists()
    except OSError:  # a name that cannot be
        is_new = False
    make_folder(folder)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
        raise


def make_folder(folder: Path) -> None:
    """Create a result folder.

    Parameters
    ----------
    folder
        The folder; it may exist.

    Raises
    ------
    ResultError
        If a file has this name, or the folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ResultError(
            f"{folder} is a file, or lies below one.",
            why="results of this command are a folder",
            fix="choose another name with -o",
        ) from error
    except OSError as error:
        raise ResultError(
            f"The folder {folder} cannot be created.", why=str(error), fix="choose another folder with -o"
        ) from error
