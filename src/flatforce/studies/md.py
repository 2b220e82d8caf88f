"""Molecular dynamics of a sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.studies.checks import structure_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.dynamics.config import MdConfig
    from flatforce.properties.dynamics.result import MolecularDynamics
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class MdStage(Stage):
    """Runs molecular dynamics; `trajectories.hdf5` and `last.extxyz` stand in the folder."""

    kind: ClassVar[str] = "molecular dynamics"
    files: ClassVar[tuple[str, ...]] = ("trajectories.hdf5", "last.extxyz")

    structure: Source
    config: MdConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check the species, the atom of the local spectrum, and that a threshold has a committee."""
        errors = structure_problems(session, self.structure)
        yield from errors
        if errors:
            return
        n_atoms = len(session.structure(self.structure)) * self.config.supercell[0] * self.config.supercell[1]
        if self.config.near_atom is not None and self.config.near_atom >= n_atoms:
            yield ConfigError(
                f"near_atom is {self.config.near_atom}, and the sheet has {n_atoms} atoms, counted from 0.",
                fix="give the index of an atom of the supercell",
            )
        if self.config.uncertainty_threshold is not None and not session.spec.startswith("committee:"):
            yield ConfigError(
                "uncertainty_threshold needs a committee.",
                why=f"{session.spec} gives no standard deviation of its forces",
                fix="give committee:a.model,b.model,c.model as the model, or leave the threshold out",
            )

    def compute(self, context: Context) -> MolecularDynamics:
        """Run the trajectories, and analyse them."""
        from flatforce.models.slab import pad_vacuum
        from flatforce.properties.dynamics.analysis import analyse
        from flatforce.properties.dynamics.distances import distance_notes
        from flatforce.properties.dynamics.run import run_dynamics

        atoms = context.structure(self.structure)
        trajectories = run_dynamics(
            context.potential, atoms, self.config, scratch=context.scratch, progress=context.progress
        )
        result = analyse(trajectories, atoms, self.config)
        sheet = pad_vacuum(atoms, context.potential.cutoff).repeat((*self.config.supercell, 1))
        notes = distance_notes(context.potential.spec, trajectories.samples, sheet)
        return replace(result, outside=notes)
