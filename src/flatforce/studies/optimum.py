"""The strain at which a defect costs least, or most, found with few evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from flatforce.studies.checks import structure_problems, supercell_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.active.optimum_config import OptimumConfig
    from flatforce.core.errors import FlatforceError
    from flatforce.core.outcome import Outcome
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class StrainOptimumStage(Stage):
    """Searches the in-plane strain with the least or the largest formation energy of a defect.

    Every strain that was evaluated stands in `points/`, whatever the search was.
    """

    kind: ClassVar[str] = "strain optimum"

    structure: Source
    """Relaxed primitive cell; strain is measured from it."""
    defect: str
    config: OptimumConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check species, and that the defect can be built in the supercell; energies may be those of any size."""
        yield from structure_problems(session, self.structure)
        yield from supercell_problems(
            session, self.structure, self.config.supercell, defect=self.defect, force_constants=False
        )

    def compute(self, context: Context) -> Outcome:
        """Search by Bayesian optimisation."""
        from flatforce.active.strain_optimum import optimise_strain
        from flatforce.core.hashing import hash_value

        decisive = self.config.model_dump(mode="json", exclude={"search"}) | {"defect": self.defect}
        hashes = self.identity(context.session).inputs
        return optimise_strain(
            context.potential,
            context.structure(self.structure),
            self.defect,
            self.config,
            scratch=context.folder / "points" / hash_value([decisive, hashes]),
            progress=context.progress,
        )
