"""What the stages of an alloy study have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.studies.stage import Source, Stage

if TYPE_CHECKING:
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

    @property
    def lattice(self) -> AlloyLattice:
        """Lattice of the alloy."""
        from flatforce.structures.alloys import alloy_lattice

        return alloy_lattice(self.config.alloy)
