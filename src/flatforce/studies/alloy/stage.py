"""What the stages of an alloy study have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.studies.checks import collected
from flatforce.studies.stage import Source, Stage

if TYPE_CHECKING:
    from flatforce.core.errors import FlatforceError
    from flatforce.structures.alloys import AlloyLattice
    from flatforce.studies.alloy.config import AlloyStudy


@dataclass(frozen=True)
class AlloyStage(Stage):
    """Base of the stages of an alloy study; each reads some sections of its YAML file."""

    needs_model: ClassVar[bool] = False
    sections: ClassVar[tuple[str, ...] | None] = ("alloy",)

    config: AlloyStudy

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the file of the parent, where the alloy has one."""
        name = self.config.alloy.file
        return {"parent": None if name is None else Path(name)}

    def settings(self) -> dict[str, Any]:
        """Return nothing beyond the configuration."""
        return {}

    def enumeration_problems(self, max_cells: int) -> list[FlatforceError]:
        """Check that all orderings up to a size fit into memory.

        Parameters
        ----------
        max_cells
            Number of primitive cells of the largest ordering.

        Returns
        -------
        What is wrong with the alloy or with the number of its orderings; empty if all is well.
        """
        from flatforce.structures.ordering_count import check_enumeration

        return collected(lambda: check_enumeration(self.lattice, max_cells=max_cells))

    @property
    def lattice(self) -> AlloyLattice:
        """Lattice of the alloy."""
        from flatforce.structures.alloys import alloy_lattice

        return alloy_lattice(self.config.alloy)
