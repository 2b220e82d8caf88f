"""Relaxation of many sheets in chunks, by this process or by a pool of workers."""

from __future__ import annotations

import os
from concurrent.futures import as_completed
from typing import TYPE_CHECKING, Final

from ase import Atoms

from flatforce.core.errors import ResultError, shorten_list
from flatforce.core.execution.config import select_executor
from flatforce.core.execution.pools import parsl_pool
from flatforce.core.hashing import hash_structure
from flatforce.core.progress import Progress, silent
from flatforce.properties.screening.tasks import Chunk, Verdict, run_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from flatforce.core.execution.config import Executor
    from flatforce.models.potential import Potential
    from flatforce.properties.screening.config import ScreenConfig

POOL: Final = "screen"
"""Name of the executor that relaxes sheets."""


def relax_sheets(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: ScreenConfig,
    *,
    folder: Path,
    progress: Progress = silent,
) -> list[Verdict]:
    """Relax sheets; finished chunks, and the state of the one in progress, are kept on disk.

    Parameters
    ----------
    potential
        The force field.
    sheets
        Sheets that it can evaluate; equal ones are relaxed once.
    config
        Settings of the relaxations, and the pool of workers.
    folder
        Folder of the chunks; an interrupted run continues from it.
    progress
        Called after each sheet, or after each chunk of a pool.

    Returns
    -------
    One verdict for each sheet, in their order.

    Raises
    ------
    ResultError
        If a worker failed; what is finished is kept.
    """
    keys = [hash_structure(sheet) for sheet in sheets]
    distinct = {key: _bare(sheet) for key, sheet in zip(keys, sheets, strict=True)}
    folder.mkdir(parents=True, exist_ok=True)
    chunks = list(_divide(list(distinct.values()), config, folder.resolve()))
    missing = [chunk for chunk in chunks if chunk.read() is None]
    n_done = len(distinct) - sum(len(chunk.sheets) for chunk in missing)
    if n_done:
        progress(n_done, len(distinct), "relaxed before")
    if config.executors:
        _relax_in_pool(potential, missing, config.executors, folder=folder, progress=progress)
    else:
        for chunk in missing:
            chunk.relax(potential, progress=_shifted(progress, n_done, len(distinct)))
            n_done += len(chunk.sheets)
    verdicts = [verdict for chunk in chunks for verdict in chunk.read() or []]
    by_key = dict(zip(distinct, verdicts, strict=True))
    return [by_key[key] for key in keys]


def _bare(sheet: Atoms) -> Atoms:
    """Copy species, positions, cell and periodicity: labels of the initial structure do not belong to the relaxed one."""
    return Atoms(sheet.numbers, positions=sheet.positions, cell=sheet.cell, pbc=sheet.pbc)


def _divide(sheets: Sequence[Atoms], config: ScreenConfig, folder: Path) -> Iterator[Chunk]:
    for start in range(0, len(sheets), config.chunk):
        yield Chunk(sheets[start : start + config.chunk], config.relax, folder)


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    def report(completed: int, _: int, text: str, /) -> None:
        progress(before + completed, total, text)

    return report


def _relax_in_pool(
    potential: Potential,
    chunks: Sequence[Chunk],
    executors: dict[str, Executor],
    *,
    folder: Path,
    progress: Progress,
) -> None:
    """Relax chunks in a pool of workers; a task whose worker died is given to another one."""
    if not chunks:
        return
    threads = _threads(select_executor(executors, POOL))
    n_done, failures = 0, []
    with parsl_pool(executors, POOL, folder=folder / "parsl") as submit:
        tasks = {
            submit(run_task, str(chunk.write_task(potential, threads=threads))): chunk for chunk in chunks
        }
        for future in as_completed(tasks):
            n_done += 1
            error = future.exception()
            if tasks[future].read() is None:
                failures.append(f"{type(error).__name__}: {error}")
            progress(n_done, len(chunks), "chunks of sheets")
    if failures:
        raise ResultError(
            f"{len(failures)} of {len(chunks)} chunks of sheets were not relaxed.",
            why=shorten_list(sorted(set(failures)), "; "),
            fix="run the same command again: it relaxes what is missing",
        )


def _threads(executor: Executor) -> int | None:
    """Share the cores of a node among its workers; None where they are not known."""
    if executor.kind == "local":
        return max(1, (os.cpu_count() or 1) // (executor.workers * executor.blocks))
    return None if executor.cores_per_node is None else max(1, executor.cores_per_node // executor.workers)
