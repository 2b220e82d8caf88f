"""Phonons of a pristine sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from flatforce.studies.checks import memory_problems, structure_problems, supercell_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.phonons.config import PhononConfig
    from flatforce.properties.phonons.result import PristinePhonons
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class PhononStage(Stage):
    """Computes the phonons of a relaxed primitive cell; phonopy's own files stand in the folder."""

    kind: ClassVar[str] = "phonons"

    structure: Source
    config: PhononConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check the species of the structure, and the size of the supercell against the cutoff."""
        yield from structure_problems(session, self.structure)
        errors = memory_problems(session, self.structure, self._check_memory)
        yield from errors or supercell_problems(session, self.structure, self.config.supercell)

    def _check_memory(self, primitive: Atoms) -> None:
        from flatforce.properties.phonons.memory import check_pristine

        check_pristine(primitive, self.config)

    def compute(self, context: Context) -> PristinePhonons:
        """Compute force constants, bands, densities of states and thermal properties."""
        from flatforce.models.slab import pad_vacuum
        from flatforce.properties.phonons.pristine import pristine_phonons

        sheet = pad_vacuum(context.structure(self.structure), context.potential.cutoff)
        return pristine_phonons(
            context.potential, sheet, self.config, scratch=context.scratch, progress=context.progress
        )
