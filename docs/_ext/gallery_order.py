"""Order of the tutorials in their gallery."""

from __future__ import annotations

from pathlib import Path


class NumberKey:
    """Sort tutorials by the number in their names: 10 comes after 9.

    Parameters
    ----------
    src_dir
        Folder of the tutorials, not used.
    """

    def __init__(self, src_dir: str) -> None:
        del src_dir

    def __call__(self, filename: str) -> int:
        """Return the number of a tutorial."""
        return int(Path(filename).name.split("_")[1])

    def __repr__(self) -> str:
        """Return the same text in every build, so that the configuration does not seem changed."""
        return "NumberKey"
