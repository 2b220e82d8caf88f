"""Results that were computed before, read back from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flatforce.report.result import Result, ResultTree


def open_folder(folder: str | Path) -> Result | ResultTree:
    """Open a result folder, or a folder of them, whoever wrote it: Python or the command line.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    The same object that the function returned which computed it.

    Examples
    --------
    >>> import flatforce as ff
    >>> relaxed = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"))
    >>> ff.open(relaxed.folder).energy == relaxed.energy
    True
    """
    from flatforce.report.result import open_result

    return open_result(folder)
