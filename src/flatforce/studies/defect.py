"""Phonons of a defect: one supercell, and a series of sizes up to the dilute limit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.studies.checks import (
    memory_problems,
    structure_problems,
    supercell_problems,
)
from flatforce.studies.comparison import ComparisonStage
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.phonons.config import DefectPhononConfig, EmbedConfig
    from flatforce.properties.phonons.defects.finite_size import FiniteSize
    from flatforce.properties.phonons.defects.result import DefectPhonons
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class DefectPhononStage(Stage):
    """Computes the phonons of a defect in one supercell, and those of the pristine supercell beside it."""

    kind: ClassVar[str] = "defect phonons"
    revision: ClassVar[int] = 2
    files: ClassVar[tuple[str, ...]] = (
        "relaxed.extxyz",
        "sparse_force_constants.hdf5",
        "phonopy.yaml",
        "force_constants.hdf5",
        "followed.extxyz",
    )

    structure: Source
    defect: str
    config: DefectPhononConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the relaxed primitive cell."""
        return {"structure": self.structure}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check species, notation of the defect, and the size of the supercell against the cutoff."""
        yield from structure_problems(session, self.structure)
        yield from memory_problems(session, self.structure, self._check_memory) or supercell_problems(
            session, self.structure, self.config.supercell, defect=self.defect
        )

    def _check_memory(self, primitive: Atoms) -> None:
        from flatforce.properties.phonons.memory import check_defect_cell

        check_defect_cell(primitive, self.config)

    def title(self, folder: Path) -> str:
        """Return defect and supercell."""
        return f"{self.defect} {folder.name}"

    def compute(self, context: Context) -> DefectPhonons:
        """Relax the defect and compute its phonons; an imaginary mode is followed downhill."""
        from flatforce.models.slab import pad_vacuum
        from flatforce.properties.phonons.defects.supercell_phonons import defect_phonons

        sheet = pad_vacuum(context.structure(self.structure), context.potential.cutoff)
        return defect_phonons(
            context.potential,
            sheet,
            self.defect,
            self.config,
            scratch=context.scratch,
            progress=context.progress,
        )


@dataclass(frozen=True)
class FiniteSizeStage(ComparisonStage):
    """Compares the local DOS and the modes of the sizes of a series."""

    kind: ClassVar[str] = "finite size"
    revision: ClassVar[int] = 2
    needs_model: ClassVar[bool] = False

    defect: str
    keys: dict[str, str]
    """Name of each folder of the series → key of its result."""
    parent: Path
    """Folder of the series."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the keys of the compared results."""
        return {**self.keys}

    def settings(self) -> dict[str, Any]:
        """Return the defect."""
        return {"defect": self.defect}

    def compute(self, context: Context) -> FiniteSize:
        """Compare each size with the next."""
        from flatforce.core.results import read_arrays, read_record
        from flatforce.properties.phonons.defects.finite_size import compare_stored_sizes

        del context
        stored = {
            name: (read_record(self.parent / name), read_arrays(self.parent / name)) for name in self.keys
        }
        return compare_stored_sizes(stored)


def size_name(config: DefectPhononConfig) -> str:
    """Name the folder of a supercell.

    Parameters
    ----------
    config
        Settings of the supercell.

    Returns
    -------
    Name of the folder, such as `6x6`.
    """
    return f"{config.supercell[0]}x{config.supercell[1]}"


def embedded_name(config: EmbedConfig) -> str:
    """Name the folder of an embedding.

    Parameters
    ----------
    config
        Settings of the embedding.

    Returns
    -------
    Name of the folder, such as `embedded_60x60`.
    """
    return f"embedded_{config.supercell[0]}x{config.supercell[1]}"
