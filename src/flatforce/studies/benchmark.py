"""Benchmarks of force fields: frames in, a result folder out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ResultError
from flatforce.data.bundled import dataset_path
from flatforce.studies.checks import collected
from flatforce.studies.splits import held_out_by
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.core.outcome import Outcome
    from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class RelaxationBenchmarkStage(Stage):
    """Relaxes the materials of a dataset and compares with DFT; `materials.csv` stands in the folder."""

    kind: ClassVar[str] = "relaxation benchmark"
    files: ClassVar[tuple[str, ...]] = ("materials.csv",)

    frames: str
    """File of labelled relaxations, or name of a bundled dataset."""
    config: RelaxationBenchmarkConfig
    split: Path | None = None
    """`split.json` of a training run: only the materials that it held out are relaxed."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return frames, frames of the alignment, and split."""
        align = self.config.align
        return {
            "frames": dataset_path(self.frames),
            "align": None if align is None else dataset_path(align),
            "split": self.split,
        }

    def settings(self) -> dict[str, Any]:
        """Return the name of the frames, and whether they were held out."""
        return {"frames": dataset_path(self.frames).name, "held_out": self.split is not None}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check the force field and every file."""
        yield from collected(lambda: session.potential)
        for name in (self.frames, self.config.align):
            if name is not None:
                yield from collected(partial(dataset_path, name))
        if self.split is not None and not self.split.is_file():
            yield ResultError(f"There is no file {self.split}.", fix="check its path")

    def compute(self, context: Context) -> Outcome:
        """Relax every material side by side."""
        from flatforce.data.frame_files import read_sheets
        from flatforce.properties.benchmark.materials import collect_materials
        from flatforce.properties.benchmark.relaxation import score_relaxations

        path = dataset_path(self.frames)
        labelled = read_sheets(path, need_forces=False)
        if self.split is not None:
            labelled = held_out_by(self.split, labelled, path, whole_materials=True)
        align = self.config.align
        return score_relaxations(
            context.potential,
            collect_materials(labelled),
            self.config,
            align=[] if align is None else read_sheets(dataset_path(align), need_forces=False),
            scratch=context.scratch,
            progress=context.progress,
        )
