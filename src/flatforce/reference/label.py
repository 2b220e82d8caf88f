"""Labels for many frames: parallel, cached by content, never lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.io.jsonio import encode

from flatforce.core.progress import Progress, silent
from flatforce.core.results import write_text
from flatforce.data.frames import Labels, attach_labels, describe
from flatforce.reference.config import LabelConfig, label_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


@dataclass(frozen=True)
class Labelled:
    """Outcome of a labelling run."""

    frames: list[Atoms]
    """Those with labels, in the order given."""
    failures: list[tuple[str, str]]
    """Name and reason of each frame without."""
    computed: int
    """How many were computed now; the others came from the cache."""


def label(
    structures: Sequence[Atoms],
    config: LabelConfig,
    *,
    cache: Path,
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
    retry_failed
        Whether frames that failed before are tried again.
    progress
        Told after each frame.

    Returns
    -------
    Labelled frames and failures.
    """
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    keys = [label_key(atoms, config.settings) for atoms in structures]
    known = {key: _read_outcome(cache, key) for key in set(keys)}
    todo = {
        key: atoms
        for key, atoms in zip(keys, structures, strict=True)
        if known[key] is None or (retry_failed and known[key]["status"] == "failed")  # type: ignore[index]  # not None here
    }
    done = len(set(keys)) - len(todo)
    progress(done, len(known), f"{done} in the cache")
    running = _Running()
    with ThreadPoolExecutor(config.workers) as pool:
        futures = {
            pool.submit(running.compute, key, atoms, config, cache): atoms for key, atoms in todo.items()
        }
        try:
            for future in as_completed(futures):
                key, outcome = future.result()
                known[key] = outcome
                done += 1
                progress(done, len(known), f"{describe(futures[future])}: {outcome['status']}")
        except BaseException:
            running.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return _collect(structures, keys, known, config, len(todo))


def _collect(
    structures: Sequence[Atoms],
    keys: Sequence[str],
    known: dict[str, Any],
    config: LabelConfig,
    computed: int,
) -> Labelled:
    frames, failures = [], []
    for atoms, key in zip(structures, keys, strict=True):
        outcome = known[key]
        if outcome["status"] != "done":
            failures.append((describe(atoms), outcome["reason"]))
            continue
        stress = None if outcome["stress"] is None else np.array(outcome["stress"])
        frame = attach_labels(atoms, Labels(outcome["energy"], np.array(outcome["forces"]), stress))
        if outcome["pulay_stress"] is not None:
            frame.info["pulay_stress"] = outcome["pulay_stress"]
        engine = config.settings.engine
        frame.info["label_source"] = f"{engine} {outcome['versions'].get(engine, '')}".strip()
        frame.info["label_key"] = key
        frames.append(frame)
    return Labelled(frames=frames, failures=failures, computed=computed)


def _read_outcome(cache: Path, key: str) -> dict[str, Any] | None:
    path = cache / f"{key}.json"
    if not path.is_file():
        return None
    try:
        outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return None
    return outcome if "status" in outcome else None


class _Running:
    """The worker processes under way, so that an interrupt can end them."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen[bytes]] = set()
        self.lock = threading.Lock()
        self.stopped = False

    def compute(self, key: str, atoms: Atoms, config: LabelConfig, cache: Path) -> tuple[str, dict[str, Any]]:
        task = cache / "tasks" / f"{key}.json"
        log = cache / "logs" / f"{key}.txt"
        log.parent.mkdir(exist_ok=True)
        outcome = cache / f"{key}.json"
        outcome.unlink(missing_ok=True)
        bare = atoms.copy()
        bare.info, bare.calc = {}, None
        bare.set_constraint()
        for name in set(bare.arrays) - {"numbers", "positions"}:
            del bare.arrays[name]
        content = {
            "structure": json.loads(encode(bare)),
            "settings": config.settings.model_dump(mode="json"),
            "machine": config.machine.model_dump(mode="json"),
            "outcome": str(outcome),
            "log": str(log),
        }
        write_text(task, json.dumps(content))
        reason = self._run(task, config, log)
        task.unlink(missing_ok=True)
        found = _read_outcome(cache, key)
        if found is None:
            found = {"status": "failed", "reason": reason}
            if not self.stopped:
                write_text(outcome, json.dumps(found))
        return key, found

    def _run(self, task: Path, config: LabelConfig, log: Path) -> str:
        command = [*config.launcher, sys.executable, "-m", "flatforce.reference.worker", str(task)]
        environment = os.environ | {"OMP_NUM_THREADS": str(config.threads)}
        if config.launcher:
            environment["GPAW_MPI_BACKEND"] = (
                "cgpaw"  # GPAW under plain python computes on one rank otherwise
            )
        errors = log.with_suffix(".err")
        with errors.open("wb") as stream:
            with self.lock:
                if self.stopped:
                    return "stopped"
                process = subprocess.Popen(
                    command, env=environment, stdin=subprocess.PIPE, stdout=stream, stderr=stream
                )
                self.processes.add(process)
            try:
                code = process.wait(config.timeout)
                reason = f"the worker ended with status {code}; see {errors}"
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                reason = f"no result after {config.timeout:.0f} s"
            finally:
                with self.lock:
                    self.processes.discard(process)
                if process.stdin:
                    process.stdin.close()
        return reason

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for process in self.processes:
                process.kill()
