"""Paths of minimum energy: between two structures, and all first hops of a defect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.studies.checks import (
    VERIFY_MACHINE,
    collected,
    parent_problems,
    raise_together,
    structure_problems,
)
from flatforce.studies.comparison import ComparisonStage
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.barriers.config import HopsConfig, NebConfig
    from flatforce.properties.barriers.hop_table import HopTable
    from flatforce.properties.barriers.hops import Hop
    from flatforce.properties.barriers.result import MinimumEnergyPath
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class NebStage(Stage):
    """Finds a path between two structures; `images.extxyz` and `saddle.extxyz` stand in the folder."""

    kind: ClassVar[str] = "neb"
    files: ClassVar[tuple[str, ...]] = (
        "images.extxyz",
        "saddle.extxyz",
        "outside.extxyz",
        "verified.extxyz",
    )
    excluded: ClassVar[tuple[str, ...]] = VERIFY_MACHINE

    structure: Source
    """Start of the path."""
    end: Source
    """End of the path."""
    config: NebConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return both ends."""
        return {"structure": self.structure, "end": self.end}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check the species, that the atoms of both ends match, and that labels can be computed."""
        from flatforce.properties.barriers.matching import match_ends
        from flatforce.studies.learn.checks import label_problems

        errors = structure_problems(session, self.structure) + structure_problems(session, self.end)
        if not errors:
            start, end = session.structure(self.structure), session.structure(self.end)
            errors = collected(lambda: match_ends(start, end, keep_order=self.config.keep_order))
        yield from errors
        if self.config.verify is not None:
            yield from label_problems(self.config.verify)

    def title(self, folder: Path) -> str:
        """Return the name of the folder, which tells hops apart."""
        return f"{self.kind} {folder.name}"

    def compute(self, context: Context) -> MinimumEnergyPath:
        """Relax the ends, find the path, and judge it."""
        from flatforce.properties.barriers.run import minimum_energy_path

        return minimum_energy_path(
            context.potential,
            context.structure(self.structure),
            context.structure(self.end),
            self.config,
            scratch=context.scratch,
            progress=context.progress,
        )


@dataclass(frozen=True)
class HopTableStage(ComparisonStage):
    """Puts the barriers of all hops side by side; `hops.csv` stands in the folder."""

    kind: ClassVar[str] = "hops"
    needs_model: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ("hops.csv",)

    defect: str
    keys: dict[str, str]
    """Name of the folder of each hop → key of its result."""
    hops: dict[str, Hop]
    """Name of each hop → the hop."""
    parent: Path
    """Folder of the hops."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the keys of the paths."""
        return {**self.keys}

    def settings(self) -> dict[str, Any]:
        """Return the defect."""
        return {"defect": self.defect}

    def compute(self, context: Context) -> HopTable:
        """Read the results of all hops."""
        from flatforce.core.results import read_record
        from flatforce.properties.barriers.hop_table import HopTable

        del context
        return HopTable(
            self.defect,
            {name: hop.description for name, hop in self.hops.items()},
            {name: hop.multiplicity for name, hop in self.hops.items()},
            {name: read_record(self.parent / name) for name in self.keys},
        )


@dataclass(frozen=True)
class HopSeries:
    """All distinct first hops of a defect, `hop_1/` and so on, and their table in `hops/`."""

    structure: Source
    """Relaxed primitive cell."""
    defect: str
    """Notation of the defect."""
    config: HopsConfig

    def run(self, session: Session, folder: Path) -> dict[str, dict[str, Any]]:
        """Compute each path; finished ones are read back.

        Parameters
        ----------
        session
            What the paths share.
        folder
            Parent of the result folders.

        Returns
        -------
        Name of each folder → content of its `result.json`; `hops` is the table.
        """
        from flatforce.properties.barriers.hops import find_hops

        subject = f"The hops of {self.defect}"
        raise_together(parent_problems(folder), subject=subject)
        found = find_hops(session.structure(self.structure), self.defect, self.config)
        hops = {f"hop_{k}": hop for k, hop in enumerate(found, start=1)}
        stages = {name: NebStage(hop.start, hop.end, self.config.path) for name, hop in hops.items()}
        errors: list[FlatforceError] = []
        for name, stage in stages.items():
            errors += collected(partial(stage.is_finished, session, folder / name))
            if not (folder / name / "result.json").is_file():
                errors += stage.problems(session)
        raise_together(errors, subject=subject)
        records = {name: stage.run(session, folder / name) for name, stage in stages.items()}
        keys = {name: record["key"] for name, record in records.items()}
        table = HopTableStage(self.defect, keys, hops, folder)
        return records | {"hops": table.run(session, folder / "hops")}
