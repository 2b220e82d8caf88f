"""Progress of long work: a bar on a terminal, plain lines elsewhere, silence in a library call."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_EVERY = 15.0
"""s between two plain progress lines, so that a log stays readable."""


class Progress(Protocol):
    """What long work reports to."""

    def __call__(self, done: int, total: int, text: str) -> None:
        """Say that `done` of `total` steps are finished.

        Parameters
        ----------
        done
            Steps.
        total
            Steps.
        text
            What was just done.
        """
        ...


def silent(done: int, total: int, text: str) -> None:
    """Report nothing; the default of every library function.

    Parameters
    ----------
    done
        Steps.
    total
        Steps.
    text
        What was just done.
    """
    del done, total, text


@contextmanager
def reporting(title: str) -> Iterator[Progress]:
    """Show progress on standard error for the length of a `with` block.

    Parameters
    ----------
    title
        What the work is.

    Yields
    ------
    The function to call after each step.
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

        def report(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, note=text)

        yield report


class _Lines:
    def __init__(self, title: str) -> None:
        self.title, self.last = title, 0.0

    def __call__(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if now - self.last >= LINE_EVERY or done >= total:
            self.last = now
            print(f"{self.title}: {done}/{total} {text}", file=sys.stderr, flush=True)  # noqa: T201
