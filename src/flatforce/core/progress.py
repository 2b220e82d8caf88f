"""Progress display of long computations: a bar on a terminal, plain lines otherwise, and nothing for library calls."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_INTERVAL = 15.0
"""s, smallest time between two plain progress lines, so that a log stays readable."""


class Progress(Protocol):
    """Function that long computations call after each step."""

    def __call__(self, completed: int, total: int, text: str, /) -> None:
        """Report that `completed` of `total` steps are finished.

        Parameters
        ----------
        completed
            Number of finished steps.
        total
            Number of all steps.
        text
            Description of the last step.
        """
        ...


def silent(completed: int, total: int, text: str, /) -> None:
    """Report nothing; the default of all library functions.

    Parameters
    ----------
    completed
        Number of finished steps.
    total
        Number of all steps.
    text
        Description of the last step.
    """
    del completed, total, text


def remaining(seconds: float, completed: int, total: int) -> str:
    """Estimate how long the rest of equal steps takes.

    Parameters
    ----------
    seconds
        Time in s that the steps computed so far took.
    completed
        Number of these steps.
    total
        Number of all steps that have to be computed.

    Returns
    -------
    A clause for the text of a progress, such as `, about 3 min left`; empty before the first step, and where nothing is left.
    """
    if completed <= 0 or completed >= total:
        return ""
    left = seconds * (total - completed) / completed
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if left >= length:
            return f", about {left / length:.2g} {unit} left"
    return f", about {left:.0f} s left"


@contextmanager
def show_progress(title: str) -> Iterator[Progress]:
    """Show progress on standard error within a `with` block.

    Parameters
    ----------
    title
        Name of the computation.

    Yields
    ------
    Function to call after each step.
    """
    if sys.stderr.isatty():
        yield from _bar(title)
    else:
        yield _Lines(title)


def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    ]
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, note="")

        def report(completed: int, total: int, text: str, /) -> None:
            bar.update(task, completed=completed, total=total, note=text)

        yield report


class _Lines:
    def __init__(self, title: str) -> None:
        self.title, self.last = title, 0.0

    def __call__(self, completed: int, total: int, text: str, /) -> None:
        now = time.monotonic()
        if now - self.last >= LINE_INTERVAL or completed >= total:
            self.last = now
            print(f"{self.title}: {completed}/{total} {text}", file=sys.stderr, flush=True)  # noqa: T201
