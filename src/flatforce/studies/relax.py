"""Relaxation of a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from flatforce.studies.checks import structure_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.relax_config import RelaxConfig
    from flatforce.properties.relaxation import Relaxation
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class RelaxStage(Stage):
    """Relaxes a sheet; `relaxed.extxyz` and `trajectory.extxyz` stand in the folder."""

    kind: ClassVar[str] = "relax"
    files: ClassVar[tuple[str, ...]] = ("relaxed.extxyz", "trajectory.extxyz")

    structure: Source
    config: RelaxConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the model knows the species of the structure."""
        yield from structure_problems(session, self.structure)

    def compute(self, context: Context) -> Relaxation:
        """Relax positions and, where the settings allow it, the cell in its plane."""
        from flatforce.properties.relax import relax

        atoms = context.structure(self.structure)
        return relax(
            context.potential,
            atoms,
            self.config,
            checkpoint=context.scratch / "relaxation.checkpoint",
            progress=context.progress,
        )
