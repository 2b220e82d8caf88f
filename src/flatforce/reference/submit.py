"""Labels by a job array: submitted, left alone, collected later."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flatforce.core.execution.array_jobs import is_queued, submit_array
from flatforce.core.execution.config import chosen
from flatforce.core.files import write_text
from flatforce.reference.label import DFT_POOL, Campaign, Labelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.reference.config import LabelConfig


@dataclass(frozen=True)
class Submitted:
    """What is known and what has been handed to the queue."""

    labelled: Labelled
    """What earlier jobs have left in the cache."""
    job: str | None
    """Number of the new job; None if nothing was left to submit."""
    submitted: int
    """Frames of that job."""
    pending: int
    """Frames of earlier jobs that still wait or run."""
    hindered: list[tuple[str, str]]
    """Name and reason of frames that the machine kept from a label before; they are in the new job."""


def submit_labels(
    structures: Sequence[Atoms], config: LabelConfig, *, cache: Path, retry_failed: bool = False
) -> Submitted:
    """Hand every frame that is neither labelled nor queued to the queue as one job array.

    Parameters
    ----------
    structures
        What to label.
    config
        Settings, with an executor of kind slurm or pbs.
    cache
        Folder of outcomes, on a file system that the nodes share.
    retry_failed
        Whether frames that failed before are tried again.

    Returns
    -------
    What is known, and the job.
    """
    executor = chosen(config.executors, DFT_POOL)
    campaign = Campaign.of(structures, config, cache=cache, retry_failed=retry_failed)
    record = campaign.cache / "queued.json"
    jobs = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    alive = {job for job in set(jobs.values()) if is_queued(job, executor)}
    pending = [key for key in campaign.todo if jobs.get(key) in alive]
    new = [key for key in campaign.todo if key not in pending]
    job = None
    if new:
        tasks = [campaign.task(key) for key in new]
        command = [sys.executable, "-m", "flatforce.reference.tasks"]
        job = submit_array(tasks, command, executor, folder=campaign.cache / "jobs")
        write_text(record, json.dumps({key: jobs[key] for key in pending} | dict.fromkeys(new, job)))
    return Submitted(campaign.collect(), job, len(new), len(pending), campaign.hindered)
