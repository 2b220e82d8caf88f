"""Orderings of an alloy: all distinct ones, random ones, special quasirandom structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.studies.alloy.stage import AlloyStage
from flatforce.studies.checks import collected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.core.outcome import Outcome
    from flatforce.studies.session import Session
    from flatforce.studies.stage import Context


@dataclass(frozen=True)
class OrderingsStage(AlloyStage):
    """Writes orderings: all symmetry-distinct ones up to a size, or random ones of one size."""

    kind: ClassVar[str] = "alloy orderings"
    sections: ClassVar[tuple[str, ...] | None] = ("alloy", "max_cells")

    random: tuple[int, int, int] | None = None
    """Number of random orderings and numbers of primitive cells along both lattice vectors; None for all distinct ones."""
    concentration: float | None = None
    """Concentration of the last species of a binary in the random orderings."""

    def settings(self) -> dict[str, Any]:
        """Return the numbers of the random orderings."""
        return {
            "random": None if self.random is None else list(self.random),
            "concentration": self.concentration,
        }

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that random orderings are defined."""
        yield from super().problems(session)
        yield from collected(self._check_random)
        if self.random is None:
            yield from self.enumeration_problems(self.config.max_cells)

    def _check_random(self) -> None:
        if self.random is None:
            return
        if self.random[0] < 1:
            raise ConfigError(
                f"The number of random orderings is {self.random[0]}.",
                fix="give --random COUNT N M with a positive COUNT",
            )
        binary = len(self.lattice.species) == 2
        if self.concentration is None or not binary or not 0 <= self.concentration <= 1:
            raise ConfigError(
                "Random orderings need a concentration.",
                fix="give --concentration X, between 0 and 1, of the last of two species",
            )

    def compute(self, context: Context) -> Outcome:
        """Enumerate the orderings, or draw them at random."""
        from flatforce.properties.alloys.orderings import Orderings
        from flatforce.structures.orderings import enumerate_orderings, random_orderings

        del context
        lattice = self.lattice
        if self.random is None:
            return Orderings(lattice, enumerate_orderings(lattice, max_cells=self.config.max_cells))
        x = self.concentration or 0.0
        concentrations = dict(zip(lattice.species, (1 - x, x), strict=True))
        count, n, m = self.random
        drawn = random_orderings(
            lattice, supercell=(n, m), concentrations=concentrations, count=count, seed=0
        )
        return Orderings(lattice, drawn)


@dataclass(frozen=True)
class SqsStage(AlloyStage):
    """Makes a special quasirandom structure, `sqs.extxyz`, which `flatforce relax` and `flatforce phonons` read."""

    kind: ClassVar[str] = "alloy sqs"
    sections: ClassVar[tuple[str, ...] | None] = ("alloy", "sqs")

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the study describes the structure."""
        yield from super().problems(session)
        if self.config.sqs is None:
            yield ConfigError("The study has no `sqs`.", fix="add sqs: {concentrations: {Mo: 0.5, W: 0.5}}")

    def compute(self, context: Context) -> Outcome:
        """Anneal the correlations of the clusters towards those of a random alloy."""
        from flatforce.properties.alloys.orderings import anneal_sqs

        del context
        assert self.config.sqs is not None  # noqa: S101  # checked before
        return anneal_sqs(self.lattice, self.config.sqs)
