"""Errors of a force field against labels, and statistics of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.data.bundled import dataset_path
from flatforce.data.split_files import split_path
from flatforce.models.spec import committee_members
from flatforce.studies.splits import held_out_by, without_training_frames
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.core.outcome import Outcome
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class EvaluateStage(Stage):
    """Compares a force field with labels."""

    kind: ClassVar[str] = "evaluate"
    revision: ClassVar[int] = 2

    frames: str
    """File of labelled frames, or name of a bundled dataset."""
    split: Path | None = None
    """`split.json` of a training run, or its folder: only the frames that it held out are evaluated."""
    energy_only: bool = False
    """Whether frames need no forces."""
    fold: int | None = None
    """Number of the fold that was held out, if the split has folds."""
    calibrate: str | None = None
    """Labelled frames, or name of a bundled dataset, by which the uncertainty of a committee is calibrated."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return frames, split, and frames that calibrate."""
        split = None if self.split is None else split_path(self.split)
        calibrate = None if self.calibrate is None else dataset_path(self.calibrate)
        return {"frames": dataset_path(self.frames), "split": split, "calibrate": calibrate}

    def settings(self) -> dict[str, Any]:
        """Return the name of the frames, whether they were held out, and in which fold."""
        settings: dict[str, Any] = {
            "frames": dataset_path(self.frames).name,
            "held_out": self.split is not None,
        }
        return settings if self.fold is None else settings | {"fold": self.fold}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check the force field, the files, and that a committee is to be calibrated."""
        yield from super().problems(session)
        if self.fold is not None and self.split is None:
            yield ConfigError("A fold is given without a split.", fix="add --split split.json")
        if self.calibrate is not None and len(committee_members(session.spec)) < 2:
            yield ConfigError(
                f"{session.spec} is not a committee, whose uncertainty could be calibrated.",
                fix="write committee:a.model,b.model,c.model, or leave out --calibrate",
            )
        if self.calibrate is not None and self.energy_only:
            yield ConfigError("Intervals of forces need forces.", fix="leave out --energy-only")

    def compute(self, context: Context) -> Outcome:
        """Predict all frames and compare."""
        from flatforce.data.frame_files import read_labelled, read_sheets
        from flatforce.data.frames import without_isolated
        from flatforce.models.resumable import evaluate_resumably
        from flatforce.models.training_set import trained_on
        from flatforce.properties.evaluate import evaluate_predictions

        path = dataset_path(self.frames)
        frames = read_labelled(path, need_forces=not self.energy_only)
        labelled = without_isolated(frames)
        n_isolated = len(frames) - len(labelled)
        if self.split is not None:
            labelled = held_out_by(self.split, labelled, path, fold=self.fold)
        is_training = trained_on(context.session.spec, labelled)
        predictions = evaluate_resumably(
            context.potential,
            labelled,
            checkpoint=context.scratch / "predictions.checkpoint",
            progress=context.progress,
        )
        if self.calibrate is None:
            return evaluate_predictions(
                context.session.spec, labelled, predictions, is_training=is_training, n_isolated=n_isolated
            )
        from flatforce.active.evaluation import evaluate_calibrated

        calibration_set = read_sheets(dataset_path(self.calibrate))
        return evaluate_calibrated(
            context.potential,
            labelled,
            predictions,
            without_training_frames(context.session.spec, calibration_set, or_validated=False),
            is_training=is_training,
            n_isolated=n_isolated,
        )


@dataclass(frozen=True)
class StatisticsStage(Stage):
    """Counts what a dataset holds."""

    kind: ClassVar[str] = "statistics"
    files: ClassVar[tuple[str, ...]] = ("report/index.html",)
    needs_model: ClassVar[bool] = False

    frames: str
    """File of labelled frames, or name of a bundled dataset."""
    with_map: bool = True
    """Whether the map of environments is computed; it needs dscribe."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the frames."""
        return {"frames": dataset_path(self.frames)}

    def settings(self) -> dict[str, Any]:
        """Return the name of the frames, and whether the map was computed."""
        return {"frames": dataset_path(self.frames).name, "with_map": self.with_map}

    def compute(self, context: Context) -> Outcome:
        """Count elements, space groups, labels and environments."""
        from flatforce.data.frame_files import read_labelled
        from flatforce.data.statistics import statistics

        labelled = read_labelled(dataset_path(self.frames))
        return statistics(labelled, with_map=self.with_map, progress=context.progress)
