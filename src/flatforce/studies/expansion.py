"""Thermal expansion of a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from flatforce.studies.checks import structure_problems, supercell_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.expansion.config import ExpansionConfig
    from flatforce.properties.expansion.result import Expansion
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class ExpansionStage(Stage):
    """Differentiates the phonons of a sheet by its area; `expansion.csv` stands in the folder."""

    kind: ClassVar[str] = "thermal expansion"
    files: ClassVar[tuple[str, ...]] = ("expansion.csv",)

    structure: Source
    """Relaxed primitive cell."""
    config: ExpansionConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check species and supercell."""
        yield from structure_problems(session, self.structure)
        yield from supercell_problems(session, self.structure, self.config.supercell)

    def compute(self, context: Context) -> Expansion:
        """Compute force constants at three areas."""
        from flatforce.properties.expansion.run import thermal_expansion

        return thermal_expansion(
            context.potential,
            context.structure(self.structure),
            self.config,
            scratch=context.scratch,
            progress=context.progress,
        )
