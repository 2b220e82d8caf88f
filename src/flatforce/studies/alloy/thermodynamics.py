"""What follows a cluster expansion: ground states and Monte Carlo."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_value
from flatforce.studies.alloy.stage import AlloyStage
from flatforce.studies.checks import collected
from flatforce.studies.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.core.identity import Identity
    from flatforce.core.outcome import Outcome
    from flatforce.studies.stage import Context, Source

EXTENDABLE: Final = ("temperatures", "sizes", "n_runs")
"""Settings of a Monte Carlo that decide which runs are made: a finished folder may be extended by more of them."""


@dataclass(frozen=True)
class FitStage(AlloyStage):
    """Base of the stages that start from a fitted cluster expansion."""

    fit: Path
    """Result folder of the cluster expansion."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return parent and fit."""
        from flatforce.studies.alloy.files import fit_hash

        return {**super().inputs(), "fit": fit_hash(self.fit)}


@dataclass(frozen=True)
class ConvexHullStage(FitStage):
    """Searches all orderings up to a size for ground states; the folder holds `hull.csv`, `ground_states.extxyz`."""

    kind: ClassVar[str] = "alloy hull"
    files: ClassVar[tuple[str, ...]] = ("hull.csv", "ground_states.extxyz")
    sections: ClassVar[tuple[str, ...] | None] = ("alloy", "expansion", "hull")

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the orderings fit into memory."""
        yield from super().problems(session)
        yield from self.enumeration_problems(self.config.hull.max_cells)

    def compute(self, context: Context) -> Outcome:
        """Predict all orderings, with resampled fits for the standard deviations."""
        from flatforce.properties.alloys.convex_hull import find_ground_states
        from flatforce.structures.orderings import enumerate_orderings
        from flatforce.studies.alloy.files import read_fit

        del context
        lattice, hull = self.lattice, self.config.hull
        orderings = enumerate_orderings(lattice, max_cells=hull.max_cells)
        return find_ground_states(lattice, read_fit(lattice, self.config, self.fit), orderings, hull)


@dataclass(frozen=True)
class MonteCarloStage(FitStage):
    """Samples a cluster expansion by Monte Carlo; the folder holds `points.csv`.

    Every finished run is cached, so that an interrupted stage is resumed, and a finished one is extended by further
    temperatures, sizes or runs.
    """

    kind: ClassVar[str] = "alloy monte carlo"
    files: ClassVar[tuple[str, ...]] = ("points.csv",)
    sections: ClassVar[tuple[str, ...] | None] = ("alloy", "monte_carlo")
    excluded: ClassVar[tuple[str, ...]] = ("monte_carlo.workers",)

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the study describes a Monte Carlo, and that the alloy is a binary."""
        yield from super().problems(session)
        yield from collected(self._check)

    def _check(self) -> None:
        if self.config.monte_carlo is None or len(self.config.alloy.species) != 2:
            raise ConfigError(
                "Monte Carlo needs `monte_carlo` and a binary alloy.",
                fix="add monte_carlo: {concentration: 0.3333333, temperatures: [100, 150, 200], sizes: [12, 24]}",
            )

    def extends(self, record: dict[str, Any], identity: Identity) -> bool:
        """Tell whether the finished folder is of the same Monte Carlo with fewer temperatures, sizes or runs."""
        stored, settings = copy.deepcopy(record["config"]), copy.deepcopy(identity.settings)
        if record["kind"] != self.kind or record["inputs"] != identity.inputs:
            return False
        for name in EXTENDABLE:
            before, now = stored["monte_carlo"].pop(name), settings["monte_carlo"].pop(name)
            if not (set(before) <= set(now) if isinstance(before, list) else before <= now):
                return False
        return bool(stored == settings)

    def compute(self, context: Context) -> Outcome:
        """Run every temperature, size and seed that is not cached."""
        from flatforce.properties.alloys.sampling import run_monte_carlo

        identity, monte_carlo = self.identity(context.session), self.config.monte_carlo
        assert monte_carlo is not None  # noqa: S101  # checked before
        return run_monte_carlo(
            self.config.alloy,
            self.fit / "expansion.ce",
            monte_carlo,
            cache=context.folder / "runs" / hash_value([identity.inputs, identity.settings["alloy"]]),
            progress=context.progress,
        )
