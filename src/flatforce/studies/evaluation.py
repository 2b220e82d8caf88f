"""Errors of a force field against labels, and statistics of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.data.bundled import dataset_path
from flatforce.studies.splits import held_out_by
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from flatforce.core.outcome import Outcome


@dataclass(frozen=True)
class EvaluateStage(Stage):
    """Compares a force field with labels."""

    kind: ClassVar[str] = "evaluate"
    revision: ClassVar[int] = 2

    frames: str
    """File of labelled frames, or name of a bundled dataset."""
    split: Path | None = None
    """`split.json` of a training run: only the frames that it held out are evaluated."""
    energy_only: bool = False
    """Whether frames need no forces."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return frames and split."""
        return {"frames": dataset_path(self.frames), "split": self.split}

    def settings(self) -> dict[str, Any]:
        """Return the name of the frames, and whether they were held out."""
        return {"frames": dataset_path(self.frames).name, "held_out": self.split is not None}

    def compute(self, context: Context) -> Outcome:
        """Predict all frames and compare."""
        from flatforce.data.frame_files import read_labelled
        from flatforce.data.frames import without_isolated
        from flatforce.models.training_set import trained_on
        from flatforce.properties.evaluate import evaluate

        path = dataset_path(self.frames)
        frames = read_labelled(path, need_forces=not self.energy_only)
        labelled = without_isolated(frames)
        n_isolated = len(frames) - len(labelled)
        if self.split is not None:
            labelled = held_out_by(self.split, labelled, path)
        is_training = trained_on(context.session.spec, labelled)
        return evaluate(
            context.potential,
            labelled,
            is_training=is_training,
            n_isolated=n_isolated,
            checkpoint=context.scratch / "predictions.checkpoint",
            progress=context.progress,
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
