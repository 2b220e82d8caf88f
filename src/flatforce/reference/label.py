"""Labels for many frames: parallel, cached by content, never lost."""

from __future__ import annotations

from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.execution.pools import parsl_pool, thread_pool
from flatforce.core.progress import Progress, silent
from flatforce.data.frames import Labels, attach_labels, describe
from flatforce.reference.config import LabelConfig, label_key
from flatforce.reference.potentials import check_potentials
from flatforce.reference.tasks import (
    allow_tasks,
    read_outcome,
    run_task,
    stands,
    stopped_on_error,
    write_task,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from ase import Atoms

    from flatforce.core.execution.pools import Submit
    from flatforce.reference.config import Settings

DFT_POOL = "dft"
"""The executor that labels frames."""


@dataclass(frozen=True)
class Labelled:
    """Outcome of a labelling run."""

    frames: list[Atoms]
    """Those with labels, in the order given."""
    failures: list[tuple[str, str]]
    """Name and reason of each frame without."""
    computed: int
    """How many were computed now; the others came from the cache."""
    hindered: int = 0
    """Failures of the machine among them, not of the frame: the next run tries these again."""
    seconds: float = 0.0
    """s that the labels took, those from the cache included."""


def label(
    structures: Sequence[Atoms],
    config: LabelConfig,
    *,
    cache: Path,
    settings: Sequence[Settings] | None = None,
    retry_failed: bool = False,
    progress: Progress = silent,
) -> Labelled:
    """Compute labels, one process and one cache file a frame.

    Parameters
    ----------
    structures
        What to label; `info` is kept.
    config
        The code, its settings, and how many frames at a time.
    cache
        Folder of finished labels, keyed by structure and settings; a second run does no work.
    settings
        One for each structure, in place of the one of `config`.
    retry_failed
        Whether frames that failed before are tried again.
    progress
        Told after each frame.

    Returns
    -------
    Labelled frames and failures.
    """
    campaign = Campaign.of(structures, config, cache=cache, settings=settings, retry_failed=retry_failed)
    total, todo = len(campaign.known), campaign.todo
    done = total - len(todo)
    progress(done, total, f"{done} in the cache")
    try:
        with campaign.pool() as submit, stopped_on_error():
            futures = {submit(run_task, str(campaign.task(key))): key for key in todo}
            for future in as_completed(futures):
                key = futures[future]
                campaign.settle(key, future.exception())
                done += 1
                progress(done, total, f"{describe(todo[key])}: {campaign.known[key]['status']}")
    finally:
        allow_tasks()
    return campaign.collect()


@dataclass(frozen=True)
class Campaign:
    """The frames of a run, what is known of them, and what is left to do."""

    structures: Sequence[Atoms]
    """All frames, in the order given."""
    keys: list[str]
    """Key of each; equal frames share one."""
    config: LabelConfig
    """Settings."""
    cache: Path
    """Folder of outcomes."""
    settings: dict[str, Settings]
    """What decides the numbers of each key."""
    known: dict[str, Any]
    """Outcome of each key, None if not yet known."""
    todo: dict[str, Atoms]
    """What is left."""
    hindered: list[tuple[str, str]]
    """Name and reason of frames that the machine kept from a label before; they are tried again."""

    @classmethod
    def of(
        cls,
        structures: Sequence[Atoms],
        config: LabelConfig,
        *,
        cache: Path,
        settings: Sequence[Settings] | None = None,
        retry_failed: bool = False,
    ) -> Self:
        """See what the cache knows.

        Parameters
        ----------
        structures
            What to label.
        config
            Settings.
        cache
            Folder of outcomes; made if absent.
        settings
            One for each structure, in place of the one of `config`.
        retry_failed
            Whether a failure counts as unknown.

        Returns
        -------
        The campaign.

        Raises
        ------
        DataError
            If a structure has positions or a cell that are not finite.
        """
        for atoms in structures:
            if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
                raise DataError(
                    f"{describe(atoms)} has positions or a cell that are not numbers.",
                    fix="mend it or take it out; nothing was computed or written",
                )
        cache = cache.resolve()
        cache.mkdir(parents=True, exist_ok=True)
        chosen = settings if settings is not None else [config.settings] * len(structures)
        keys = [label_key(atoms, one) for atoms, one in zip(structures, chosen, strict=True)]
        check_potentials(structures, chosen, config.machine, cache=cache)
        known = {key: read_outcome(cache / f"{key}.json") for key in keys}
        hindered = []
        for key, atoms in dict(zip(keys, structures, strict=True)).items():
            outcome = known[key]
            if outcome is None or outcome["status"] == "done":
                continue
            lasts = stands(outcome, timeout=config.timeout)
            if retry_failed or not lasts:
                (cache / f"{key}.json").unlink()
                known[key] = None
            if not lasts:
                hindered.append((describe(atoms), outcome["reason"]))
        todo = {key: a for key, a in zip(keys, structures, strict=True) if known[key] is None}
        return cls(
            structures, keys, config, cache, dict(zip(keys, chosen, strict=True)), known, todo, hindered
        )

    def task(self, key: str) -> Path:
        """Write the task of a frame.

        Parameters
        ----------
        key
            Of the frame.

        Returns
        -------
        Its file.
        """
        config = self.config.model_copy(update={"settings": self.settings[key]})
        return write_task(key, self.todo[key], config, cache=self.cache)

    def pool(self) -> AbstractContextManager[Submit]:
        """Open the workers that the settings ask for.

        Returns
        -------
        A context that yields what takes tasks.
        """
        executors = self.config.executors
        if not executors or not self.todo:
            return thread_pool(self.config.workers)
        return parsl_pool(executors, DFT_POOL, folder=self.cache / "parsl")

    def settle(self, key: str, error: BaseException | None) -> None:
        """Read what became of a task.

        Parameters
        ----------
        key
            Of the frame.
        error
            What its worker raised; such a failure is told but not cached.
        """
        found = read_outcome(self.cache / f"{key}.json")
        reason = "its worker left no outcome" if error is None else f"{type(error).__name__}: {error}"
        self.known[key] = found or {"status": "failed", "reason": reason, "lasting": False}

    def collect(self) -> Labelled:
        """Attach what is known.

        Returns
        -------
        Labelled frames and failures; frames of which nothing is known are in neither.
        """
        frames, failures, hindered, seconds = [], [], 0, 0.0
        for atoms, key in zip(self.structures, self.keys, strict=True):
            outcome = self.known[key]
            if outcome is not None and outcome["status"] == "done":
                seconds += float(outcome["wall_time"])
                frames.append(_labelled(atoms, outcome, key, self.settings[key].engine))
            elif outcome is not None:
                failures.append((describe(atoms), outcome["reason"]))
                hindered += not outcome.get("lasting", True)
        return Labelled(frames, failures, computed=len(self.todo), hindered=hindered, seconds=seconds)


def _labelled(atoms: Atoms, outcome: dict[str, Any], key: str, engine: str) -> Atoms:
    stress = None if outcome["stress"] is None else np.array(outcome["stress"])
    frame = attach_labels(atoms, Labels(outcome["energy"], np.array(outcome["forces"]), stress))
    if outcome["pulay_stress"] is not None:
        frame.info["pulay_stress"] = outcome["pulay_stress"]
    frame.info["label_source"] = f"{engine} {outcome['versions'].get(engine, '')}".strip()
    frame.info["label_key"] = key
    return frame
