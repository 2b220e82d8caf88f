"""Active learning, round by round; each part of a round is on disk before the next one begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from flatforce.active.assess import (
    MORE_FOLDS,
    MORE_FRAMES,
    assess,
    reason_to_stop,
    warn_small_calibration_set,
    warn_small_test_set,
)
from flatforce.active.learning_round import (
    ALL_LABELS_FAILED,
    Acquisition,
    LearningRound,
    describe_exhaustion,
)
from flatforce.active.round_state import RoundState
from flatforce.active.samplers import TRAJECTORIES
from flatforce.core.claims import claim
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.identity import Identity
from flatforce.core.recording import record_outcome
from flatforce.core.results import read_record
from flatforce.data.splits import split_trajectory_warnings
from flatforce.studies.checks import parent_problems, raise_together
from flatforce.studies.learn.candidates import CANDIDATES, find_candidates, read_trajectory_summaries
from flatforce.studies.learn.checks import learn_problems
from flatforce.studies.learn.frames import read_run_frames
from flatforce.studies.learn.labels import LABELLED, errors_on_new_labels, label_selected, read_new_labels
from flatforce.studies.learn.selection import SELECTED, SELECTION, select_frames
from flatforce.studies.learn.training import CALIBRATION, TRAIN, train_round
from flatforce.studies.session import Reporter, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.active.run_frames import RunFrames

REVISION: Final = 2
"""Raised when the method changes its numbers: since the second, coverage is that of the atoms inside the calibration set."""

MACHINE_SETTINGS: Final = {"device", "monitor", "checkpoint_seconds"}
"""Settings of a training that do not change its result."""

EXCLUDED_SETTINGS: Final[Any] = {
    "stop": True,
    "label": {"workers", "machine", "threads", "launcher", "timeout", "executors", "converge"},
    "train": MACHINE_SETTINGS,
    "extra_members": {"__all__": MACHINE_SETTINGS},
}
"""Settings that may change from one call to the next: when a run ends, and how the machine is used."""


ROUND_FILES: Final = (CANDIDATES, TRAJECTORIES, SELECTED, SELECTION, LABELLED, TRAIN, CALIBRATION)
"""Files that a round writes beside its record and its committees."""


def learn(config: LearnConfig, folder: Path, *, report: Reporter = unreported) -> list[dict[str, Any]]:
    """Run active learning until a criterion ends it.

    A killed run continues where it was; a run that ended continues if `stop` now allows more rounds.

    Parameters
    ----------
    config
        Settings.
    folder
        Result folder. It receives `round-00`, `round-01`, …, each with the committee, the candidates, the selected and the labelled
        frames and `result.json`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json` of every round; the last one says why the run ended.
    """
    if not (folder / "round-00" / "result.json").is_file():
        raise_together([*parent_problems(folder), *learn_problems(config)], subject="The run")
    run = _Run(config, folder, read_run_frames(config), report)
    batches, n_labels = [list(run.frames.labelled.initial)], 0
    records: list[dict[str, Any]] = []
    while True:
        previous = [record["metrics"] for record in records]
        round_ = _Round(run, run.folder / f"round-{len(records):02d}", batches, previous, n_labels)
        record = round_.run_or_read()
        records.append(record)
        if record["details"]["stop_reason"]:
            return records
        batches = [*batches, read_new_labels(round_.folder)]
        n_labels += int(record["metrics"]["n_selected"])


@dataclass(frozen=True)
class _Run:
    """What all rounds of a run share."""

    config: LearnConfig
    folder: Path
    frames: RunFrames
    report: Reporter


@dataclass(frozen=True)
class _Round:
    """One round of a run."""

    run: _Run
    folder: Path
    batches: list[list[Atoms]]
    """Labelled frames: the initial ones, then those of each earlier round."""
    previous: list[dict[str, float]]
    """Metrics of the earlier rounds."""
    n_labels: int
    """Number of labels that the earlier rounds requested."""

    @property
    def number(self) -> int:
        """Number of the round, from 0."""
        return len(self.previous)

    @property
    def labelled_frames(self) -> list[Atoms]:
        """All labelled frames known in the round."""
        return [frame for batch in self.batches for frame in batch]

    def identity(self) -> Identity:
        """Identify the round by the settings of the run and the hashes of its frames."""
        config = self.run.config
        train = hash_value(sorted(hash_structure(frame) for frame in self.labelled_frames))
        return Identity(
            LearningRound.kind,
            config.model_dump(mode="json", exclude=EXCLUDED_SETTINGS),
            {**self.run.frames.hashes, "train": train},
            non_default=config.model_dump(mode="json", exclude=EXCLUDED_SETTINGS, exclude_defaults=True),
            revision=REVISION,
        )

    def run_or_read(self) -> dict[str, Any]:
        """Run the round, or read its record if it is finished and need not continue."""
        identity, retry_failed = self.identity(), False
        with claim(self.folder, identity, writes=ROUND_FILES, may_restart=False) as claimed:
            if claimed.finished:
                stored = read_record(self.folder)
                details = stored["details"]
                retry_failed = details["stop_reason"] == ALL_LABELS_FAILED
                may_continue = retry_failed or details["met_criterion"]
                if not may_continue or self._meets_criterion(stored["metrics"]):
                    return stored
            return record_outcome(
                self.folder,
                identity,
                lambda: self.compute(retry_failed=retry_failed),
                seed=self.run.config.seed,
            )

    def _meets_criterion(self, metrics: dict[str, float]) -> bool:
        stop = self.run.config.stop
        return bool(reason_to_stop([*self.previous, metrics], stop, n_labels=self.n_labels))

    def compute(self, *, retry_failed: bool) -> LearningRound:
        """Train, assess, and unless a criterion ends the run, select and label frames.

        Parameters
        ----------
        retry_failed
            Whether labels that failed before are computed again.

        Returns
        -------
        The assessed force field of the round, and the frames that were labelled with it.
        """
        config, frames, title = self.run.config, self.run.frames, f"round {self.number}"
        with self.run.report(f"{title}: train") as progress:
            training = train_round(config, self.batches, self.folder, progress)
        assessment = assess(training.model, training.folds, frames.labelled.test, seed=config.seed)
        training_set = self.labelled_frames
        outcome = LearningRound(
            assessment=assessment,
            n_train=len(training_set),
            n_labels=self.n_labels,
            stop=config.stop,
            training_time=training.training_time,
            previous=self.previous,
            warnings=[
                *training.warnings,
                *warn_small_test_set(assessment.n_test, config.stop),
                *warn_small_calibration_set(
                    assessment.uncertainty,
                    n_frames=assessment.n_calibration,
                    fix=MORE_FOLDS if config.calibration_folds == 1 else MORE_FRAMES,
                ),
                *split_trajectory_warnings(training_set, frames.labelled.test),
            ],
        )
        if outcome.met_criterion:
            return outcome
        state = RoundState(
            config, frames, training_set, self.number, self.n_labels, training.model, assessment.uncertainty
        )
        acquisition = self._acquire(state, title, retry_failed=retry_failed)
        exhaustion = ""
        if not acquisition.n_candidates:
            exhaustion = describe_exhaustion(config, acquisition.trajectories or ())
        return replace(outcome, acquisition=acquisition, exhaustion=exhaustion)

    def _acquire(self, state: RoundState, title: str, *, retry_failed: bool) -> Acquisition:
        """Select frames and label them."""
        config, folder = state.config, self.folder
        with self.run.report(f"{title}: select") as progress:
            candidates = find_candidates(state, folder, progress)
        trajectories = read_trajectory_summaries(config, folder)
        if not candidates:
            return Acquisition(trajectories=trajectories)
        selection = select_frames(state, candidates, folder)
        with self.run.report(f"{title}: label") as progress:
            labelling = label_selected(
                config, selection.frames, folder, retry_failed=retry_failed, progress=progress
            )
        errors = errors_on_new_labels(state.model, folder)
        return Acquisition(
            n_candidates=len(candidates),
            selected=[replace(frame, force_error=errors.get(frame.name)) for frame in selection.records],
            failures=labelling.failures,
            label_time=labelling.label_time,
            max_force_uncertainty=selection.max_force_uncertainty,
            trajectories=trajectories,
        )
