"""Results that were computed before, read back from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def cite(folder: str | Path | Result | ResultTree) -> str:
    """List the papers to cite for a result: flatforce, the methods, the force field, and the DFT code of the labels.

    Parameters
    ----------
    folder
        A result, its folder, or a folder of results.

    Returns
    -------
    Entries of BibTeX, only those of what was used, as `flatforce cite` prints them.

    Examples
    --------
    >>> import flatforce as ff
    >>> relaxed = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"))
    >>> print(ff.cite(relaxed))
    @software{flatforce,
    ...
    >>> [reference.key for reference in relaxed.references]
    ['flatforce', 'mace', 'ase', 'fire', 'gpaw', 'pbe']
    """
    from flatforce.report.references.bibliography import to_bibtex
    from flatforce.report.references.citations import references_in

    return to_bibtex(references_in(_folder_of(folder)))


def compare(
    results: Sequence[str | Path | Result], *, folder: str | Path | None = None, progress: bool = False
) -> Result:
    """Compare several force fields on the same task.

    Parameters
    ----------
    results
        Results of `evaluate`, of `flatforce benchmark relax`, or of `phonons`, all of one kind, or their folders.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    progress
        Whether progress is shown.

    Returns
    -------
    The comparison: `.details["models"]` holds the numbers of each force field, `.plot()` draws them over one another. Errors
    are over the frames that all were evaluated on.

    Examples
    --------
    >>> import flatforce as ff
    >>> frames = [frame for frame in ff.read("wse2-pbe") if len(frame) == 3][:4]
    >>> pair = "ase:ase.calculators.lj:LennardJones?sigma=2.2&epsilon=0.3&rc=5.0"
    >>> both = ff.compare([ff.evaluate("mace:wse2-pbe", frames), ff.evaluate(pair, frames)])
    >>> errors = {name: errors["force_mae"] for name, errors in both.details["models"].items()}
    >>> errors["mace:wse2-pbe"] < both.details["baseline"]["force_mae"]
    True
    """
    from typing import cast

    from flatforce.api.arguments import folder_of, session_of
    from flatforce.report.result import open_result
    from flatforce.studies.compare import comparison_of

    target = folder_of(folder, "compare")
    stage = comparison_of([_folder_of(result) for result in results])
    stage.run(session_of(None, progress=progress), target)
    return cast("Result", open_result(target))


def _folder_of(result: str | Path | Result | ResultTree) -> Path:
    return Path(result) if isinstance(result, str | Path) else result.folder
