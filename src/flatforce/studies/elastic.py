"""Elastic constants and bending rigidity of a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from flatforce.studies.checks import structure_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.elasticity.config import ElasticConfig
    from flatforce.properties.elasticity.result import Elasticity
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class ElasticStage(Stage):
    """Strains a sheet; `stress_strain.csv` stands in the folder."""

    kind: ClassVar[str] = "elastic"
    files: ClassVar[tuple[str, ...]] = ("stress_strain.csv",)

    structure: Source
    """Relaxed sheet: a primitive cell, a cell with defects, or an alloy."""
    config: ElasticConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the model knows the species of the structure."""
        yield from structure_problems(session, self.structure)

    def compute(self, context: Context) -> Elasticity:
        """Strain the sheet, and bend it."""
        from flatforce.properties.elasticity.run import elastic_constants

        return elastic_constants(
            context.potential,
            context.structure(self.structure),
            self.config,
            scratch=context.scratch,
            progress=context.progress,
        )
