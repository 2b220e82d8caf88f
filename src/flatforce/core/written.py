"""Files that flatforce writes beside a user's own: one is replaced only if it is still what flatforce wrote."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import ForeignFileError, shorten_list
from flatforce.core.files import write_atomically, write_text
from flatforce.core.hashing import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

WRITTEN: Final = ".flatforce-written.json"
"""File with the hashes of what flatforce wrote."""


def record_folder(output: Path, kind: str) -> Path:
    """Name the folder of the record that belongs to a file of frames.

    Parameters
    ----------
    output
        The file.
    kind
        Kind of the record, such as `curation`.

    Returns
    -------
    `set.curation` for `set.extxyz`; with its suffix for a file of another suffix, so that two files have two records.
    """
    short = output.suffix in {"", ".extxyz"}
    return output.with_suffix(f".{kind}") if short else output.with_name(f"{output.name}.{kind}")


class WrittenFiles:
    """Record of the files that a command wrote, by their hashes.

    Parameters
    ----------
    folder
        Folder that holds the record.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hashes: dict[str, list[str]] = {}
        path = folder / WRITTEN
        if path.is_file():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                content = None  # damaged: every file counts as one of other origin
            entries = content.items() if isinstance(content, dict) else ()
            self.hashes = {name: hashes for name, hashes in entries if isinstance(hashes, list)}

    def is_own(self, path: Path) -> bool:
        """Tell whether a file is what flatforce wrote last.

        Parameters
        ----------
        path
            An existing file.

        Returns
        -------
        False if it is of other origin, or was changed since.
        """
        return path.is_file() and hash_file(path) in self.hashes.get(self._name(path), [])

    def check(self, paths: Iterable[Path]) -> None:
        """Refuse to replace files of other origin.

        Parameters
        ----------
        paths
            Files that a command is about to write; those that do not exist are free.

        Raises
        ------
        ForeignFileError
            If some exist and flatforce did not write them, or they were changed since.
        """
        foreign = [path for path in paths if path.exists() and not self.is_own(path)]
        if foreign:
            exist = "exists" if len(foreign) == 1 else "exist"
            raise ForeignFileError(
                f"{shorten_list([str(path) for path in foreign])} {exist}.",
                why="flatforce did not write that, or it was changed since",
                fix="give another name as -o, or move or delete it",
            )

    def write(self, path: Path, write: Callable[[Path], None], *, durable: bool = False) -> None:
        """Write a file atomically; its hash is recorded first, so that a killed run leaves no file that is not known.

        Parameters
        ----------
        path
            The file.
        write
            Function that writes the content; it is called with the path of a temporary file.
        durable
            Whether the file and its hash are on the disk when the function returns.
        """

        def write_and_record(part: Path) -> None:
            write(part)
            name = self._name(path)
            self.hashes[name] = [*self.hashes.get(name, [])[-1:], hash_file(part)]
            write_text(self.folder / WRITTEN, json.dumps(self.hashes, indent=1) + "\n", durable=durable)

        self.check([path])
        write_atomically(path, write_and_record, durable=durable)

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.folder)
