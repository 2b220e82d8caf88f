"""What every stage takes: a display of its progress, and hashes of what it reads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from flatforce.core.hashing import hash_file
from flatforce.core.progress import Progress, silent
from flatforce.models.spec import committee_members, model_files, split_spec

if TYPE_CHECKING:
    from pathlib import Path


class Reporter(Protocol):
    """Opens a progress display of a title, such as `core.progress.show_progress`."""

    def __call__(self, title: str) -> AbstractContextManager[Progress]:
        """Open the display.

        Parameters
        ----------
        title
            What the work is.

        Returns
        -------
        A context whose value is called after each step.
        """
        ...


def unreported(title: str) -> AbstractContextManager[Progress]:
    """Show nothing; the default of every stage.

    Parameters
    ----------
    title
        What the work is.

    Returns
    -------
    A context that gives a silent progress.
    """
    del title
    return nullcontext(silent)


def input_hashes(spec: str | None, *files: Path) -> dict[str, str]:
    """Hash what a stage reads.

    Parameters
    ----------
    spec
        Force field, or None.
    *files
        Files, always in the same order: of two that have one name, the second is numbered.

    Returns
    -------
    Name → hash.
    """
    found: dict[str, str] = {}
    for path in files:
        if path.is_file():
            before = sum(key.partition(" #")[0] == path.name for key in found)
            found[f"{path.name} #{before + 1}" if before else path.name] = hash_file(path)
    if spec is not None:
        found["model"] = ",".join(map(_model, committee_members(spec)))
    return found


def _model(spec: str) -> str:
    """Hash the files of a single force field; one without a file is known by its name."""
    hashes = [hash_file(path) for path in model_files(spec)]
    return f"{split_spec(spec)[0]}:{'+'.join(hashes)}" if hashes else spec
