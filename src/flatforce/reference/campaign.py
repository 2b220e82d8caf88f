"""Frames of a labelling run: what the cache holds of them, and what is left to compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.execution.pools import parsl_pool, thread_pool
from flatforce.core.outcome import Outcome
from flatforce.data.audit.correction import PULAY_STRESS
from flatforce.data.audit.sheets import crystal_notes
from flatforce.data.audit.symmetry import asymmetry_warnings
from flatforce.data.frames import Labels, attach_labels, describe
from flatforce.data.label_origin import DISPERSION_KEY
from flatforce.reference.keys import label_key
from flatforce.reference.potentials import check_potentials
from flatforce.reference.tasks import is_final, read_task_result, write_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from ase import Atoms

    from flatforce.core.execution.pools import Submit
    from flatforce.reference.config import LabelConfig, Settings

DFT_POOL = "dft"
"""Name of the executor that computes labels."""


@dataclass(frozen=True, repr=False)
class LabelResult(Outcome):
    """Result of a labelling run."""

    kind: ClassVar[str] = "label"
    units = {"n_labelled": "frames", "n_failed": "frames", "n_computed": "frames"}

    frames: list[Atoms]
    """Labelled frames, in the order of the structures."""
    failures: list[tuple[str, str]]
    """Name and reason of each structure without labels."""
    n_computed: int
    """Number of frames computed by this run; the others came from the cache."""
    n_transient: int = 0
    """Number of failures caused by the machine and not by the frame; the next run retries them."""
    wall_time: float = 0.0
    """Time that all labels took, those from the cache included, in s."""

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of frames."""
        return {
            "n_labelled": float(len(self.frames)),
            "n_failed": float(len(self.failures)),
            "n_computed": float(self.n_computed),
        }

    @property
    def problems(self) -> list[str]:
        """Structures without labels, each with its reason."""
        return [f"{name}: {reason}" for name, reason in self.failures]

    @property
    def notes(self) -> list[str]:
        """Crystals, and forces that break the symmetry of their frame."""
        return crystal_notes(self.frames) + asymmetry_warnings(self.frames) if self.frames else []


@dataclass(frozen=True)
class Campaign:
    """Frames of a labelling run, and what the cache holds of them."""

    structures: Sequence[Atoms]
    """All structures, in the order given."""
    keys: list[str]
    """Key of each structure; equal structures share a key."""
    config: LabelConfig
    """Settings of the run."""
    cache: Path
    """Folder of results."""
    settings: dict[str, Settings]
    """Key → code and settings that determine the label."""
    results: dict[str, dict[str, Any] | None]
    """Key → result of its task; None where nothing is cached."""
    missing: dict[str, Atoms]
    """Key → structure that is left to compute."""
    retried: list[tuple[str, str]]
    """Name and reason of structures for which the machine failed in an earlier run; they are computed again."""

    @classmethod
    def from_cache(
        cls,
        structures: Sequence[Atoms],
        config: LabelConfig,
        *,
        cache: Path,
        settings: Sequence[Settings] | None = None,
        retry_failed: bool = False,
    ) -> Self:
        """Compare structures with a cache.

        Parameters
        ----------
        structures
            Structures to label.
        config
            Settings of the run.
        cache
            Folder of results; it is created if missing.
        settings
            Code and settings of each structure, in place of those of `config`.
        retry_failed
            Whether frames that failed before are computed again.

        Returns
        -------
        The structures, and what is left to compute.
        """
        _check_finite(structures)
        cache = cache.resolve()
        cache.mkdir(parents=True, exist_ok=True)
        each_settings = settings if settings is not None else [config.settings] * len(structures)
        keys = [label_key(*pair) for pair in zip(structures, each_settings, strict=True)]
        check_potentials(structures, each_settings, config.machine, cache=cache)
        results = {key: read_task_result(cache / f"{key}.json") for key in keys}
        retried = []
        for key, atoms in dict(zip(keys, structures, strict=True)).items():
            result = results[key]
            if result is None or result["status"] == "done":
                continue
            is_permanent = is_final(result, timeout=config.timeout)
            if retry_failed or not is_permanent:
                (cache / f"{key}.json").unlink()
                results[key] = None
            if not is_permanent:
                retried.append((describe(atoms), result["reason"]))
        missing = {key: a for key, a in zip(keys, structures, strict=True) if results[key] is None}
        settings_by_key = dict(zip(keys, each_settings, strict=True))
        return cls(structures, keys, config, cache, settings_by_key, results, missing, retried)

    def write_task(self, key: str) -> Path:
        """Write the task of a frame.

        Parameters
        ----------
        key
            Key of the frame.

        Returns
        -------
        Path of the task file, from which a worker computes the frame.
        """
        config = self.config.model_copy(update={"settings": self.settings[key]})
        return write_task(key, self.missing[key], config, cache=self.cache)

    def open_pool(self) -> AbstractContextManager[Submit]:
        """Open the workers that the settings request.

        Returns
        -------
        A context that yields the function that submits a task.
        """
        executors = self.config.executors
        if not executors or not self.missing:
            return thread_pool(self.config.workers)
        return parsl_pool(executors, DFT_POOL, folder=self.cache / "parsl")

    def record_result(self, key: str, error: BaseException | None) -> None:
        """Read the result of a task that has ended.

        Parameters
        ----------
        key
            Key of the frame.
        error
            Exception of its worker; such a failure is reported but not cached.
        """
        result = read_task_result(self.cache / f"{key}.json")
        reason = "its worker wrote no result" if error is None else f"{type(error).__name__}: {error}"
        self.results[key] = result or {"status": "failed", "reason": reason, "permanent": False}

    def collect(self) -> LabelResult:
        """Attach the labels that are known.

        Returns
        -------
        Labelled frames and failures; frames that have not been computed are in neither.
        """
        frames: list[Atoms] = []
        failures: list[tuple[str, str]] = []
        n_transient, wall_time = 0, 0.0
        for atoms, key in zip(self.structures, self.keys, strict=True):
            result = self.results[key]
            if result is None:
                continue
            if result["status"] == "done":
                wall_time += float(result["wall_time"])
                frames.append(_attach_result(atoms, result, key, self.settings[key]))
            else:
                failures.append((describe(atoms), result["reason"]))
                n_transient += not result.get("permanent", True)
        return LabelResult(frames, failures, len(self.missing), n_transient, wall_time)


def _check_finite(structures: Sequence[Atoms]) -> None:
    for atoms in structures:
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise DataError(
                f"{describe(atoms)} has positions or a cell that are not finite numbers.",
                fix="correct or remove it and run the command again; nothing was computed or written",
            )


def _attach_result(atoms: Atoms, result: dict[str, Any], key: str, settings: Settings) -> Atoms:
    stress = None if result["stress"] is None else np.array(result["stress"])
    frame = attach_labels(atoms, Labels(result["energy"], np.array(result["forces"]), stress))
    if result["pulay_stress"] is not None:
        frame.info[PULAY_STRESS] = result["pulay_stress"]
    engine = settings.engine
    frame.info["label_source"] = f"{engine} {result['versions'].get(engine, '')}".strip()
    frame.info["label_key"] = key
    correction = getattr(settings, "dispersion", "none")
    if correction != "none":
        frame.info[DISPERSION_KEY] = correction
    return frame
