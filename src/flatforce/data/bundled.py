"""Datasets that ship with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from flatforce.core.errors import DataError

BUNDLED: Final = {
    "wse2-pbe": "wse2_pbe.extxyz",
    "2d-pbe-mini": "pbe_2d_mini.extxyz",
    "tmd-alloys-pbe": "tmd_alloys_pbe.extxyz",
}
"""Name of a dataset → its file; the data card is the `.md` file of the same name."""


def dataset_path(name: str) -> Path:
    """Return the file of a bundled dataset, or check that a file exists.

    Parameters
    ----------
    name
        Name of a bundled dataset, or path of a file.

    Returns
    -------
    Path of an existing file of labelled frames.

    Raises
    ------
    DataError
        If it is neither.
    """
    if name in BUNDLED:
        return Path(str(resources.files("flatforce.data") / "files" / BUNDLED[name]))
    path = Path(name)
    if not path.is_file():
        raise DataError(
            f"There are no frames {name}.",
            fix=f"give the path of a file, or one of {', '.join(BUNDLED)}",
        )
    return path
