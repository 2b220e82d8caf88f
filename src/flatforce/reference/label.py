"""Labels for many frames: computed in parallel, cached by content."""

from __future__ import annotations

from concurrent.futures import as_completed
from typing import TYPE_CHECKING

from flatforce.core.progress import Progress, silent
from flatforce.data.frames import describe
from flatforce.reference.campaign import Campaign
from flatforce.reference.leftovers import share_tasks
from flatforce.reference.tasks import allow_tasks, kill_on_error, run_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.reference.campaign import LabelResult
    from flatforce.reference.config import LabelConfig, Settings


def label(
    structures: Sequence[Atoms],
    config: LabelConfig,
    *,
    cache: Path,
    settings: Sequence[Settings] | None = None,
    retry_failed: bool = False,
    progress: Progress = silent,
) -> LabelResult:
    """Compute labels, with one process and one cache file for each frame.

    Parameters
    ----------
    structures
        Structures to label; their `info` is kept.
    config
        Code, its settings, and the number of frames at the same time.
    cache
        Folder of finished labels, by structure and settings; a second run computes nothing.
    settings
        Code and settings of each structure, in place of those of `config`.
    retry_failed
        Whether frames that failed before are computed again.
    progress
        Called after each frame.

    Returns
    -------
    The labelled frames in the order of `structures`, and the reason of each failure.
    """
    campaign = Campaign.from_cache(
        structures, config, cache=cache, settings=settings, retry_failed=retry_failed
    )
    total = len(campaign.results)
    n_done = total - len(campaign.missing)
    progress(n_done, total, f"{n_done} from the cache")
    try:
        with share_tasks(campaign.cache), campaign.open_pool() as submit, kill_on_error():
            futures = {submit(run_task, str(campaign.write_task(key))): key for key in campaign.missing}
            for future in as_completed(futures):
                key = futures[future]
                campaign.record_result(key, future.exception())
                n_done += 1
                result = campaign.results[key] or {}
                progress(n_done, total, f"{describe(campaign.missing[key])}: {result.get('status')}")
    finally:
        allow_tasks()
    return campaign.collect()
