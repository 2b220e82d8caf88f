"""Labels by a job array: submitted without a driver that waits, and collected later."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from flatforce.core.execution.array_jobs import is_queued, submit_array
from flatforce.core.execution.config import select_executor
from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome
from flatforce.reference.campaign import DFT_POOL, Campaign, LabelResult
from flatforce.reference.leftovers import QUEUED, share_tasks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.reference.config import LabelConfig


@dataclass(frozen=True, repr=False)
class Submission(Outcome):
    """Labels that earlier jobs have computed, and the new job."""

    kind: ClassVar[str] = "label"
    units = {
        "n_labelled": "frames",
        "n_failed": "frames",
        "n_submitted": "frames",
        "n_pending": "frames",
    }

    result: LabelResult
    """Labels and failures of earlier jobs."""
    job: str | None
    """Number of the new job; None if nothing was left to submit."""
    n_submitted: int
    """Number of frames of the new job."""
    n_pending: int
    """Number of frames of earlier jobs that still wait or run."""
    retried: list[tuple[str, str]]
    """Name and reason of structures for which the machine failed in an earlier job; they are in the new job."""

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of frames."""
        return {
            "n_labelled": float(len(self.result.frames)),
            "n_failed": float(len(self.result.failures)),
            "n_submitted": float(self.n_submitted),
            "n_pending": float(self.n_pending),
        }

    @property
    def problems(self) -> list[str]:
        """Structures without labels, each with its reason."""
        return self.result.problems

    @property
    def notes(self) -> list[str]:
        """Forces that break the symmetry of their frame."""
        return self.result.notes


def submit_labels(
    structures: Sequence[Atoms], config: LabelConfig, *, cache: Path, retry_failed: bool = False
) -> Submission:
    """Submit every frame that is neither labelled nor queued, as one job array.

    Parameters
    ----------
    structures
        Structures to label.
    config
        Settings, with an executor of kind slurm or pbs.
    cache
        Folder of results, on a file system that all nodes share.
    retry_failed
        Whether frames that failed before are computed again.

    Returns
    -------
    What earlier jobs have computed, and the new job.
    """
    executor = select_executor(config.executors, DFT_POOL)
    campaign = Campaign.from_cache(structures, config, cache=cache, retry_failed=retry_failed)
    record = campaign.cache / QUEUED
    jobs = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    queued_jobs = {job for job in set(jobs.values()) if is_queued(job, executor)}
    pending = [key for key in campaign.missing if jobs.get(key) in queued_jobs]
    unqueued = [key for key in campaign.missing if key not in pending]
    job = None
    with share_tasks(campaign.cache):
        if unqueued:
            tasks = [campaign.write_task(key) for key in unqueued]
            command = [sys.executable, "-m", "flatforce.reference.tasks"]
            job = submit_array(tasks, command, executor, folder=campaign.cache / "jobs")
            still_queued = {key: queued for key, queued in jobs.items() if queued in queued_jobs}
            write_text(record, json.dumps(still_queued | dict.fromkeys(unqueued, job)))
    return Submission(campaign.collect(), job, len(unqueued), len(pending), campaign.retried)
