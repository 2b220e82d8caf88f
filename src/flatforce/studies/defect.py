"""Phonons of a defect: one supercell, and a series of sizes up to the dilute limit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ResultError
from flatforce.studies.checks import (
    collected,
    memory_problems,
    parent_problems,
    raise_together,
    structure_problems,
    supercell_problems,
)
from flatforce.studies.comparison import ComparisonStage
from flatforce.studies.embedded import DiluteStage, EmbeddedStage
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig
    from flatforce.properties.phonons.defects.finite_size import FiniteSize
    from flatforce.properties.phonons.defects.result import DefectPhonons
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class DefectPhononStage(Stage):
    """Computes the phonons of a defect in one supercell, and those of the pristine supercell beside it."""

    kind: ClassVar[str] = "defect phonons"
    revision: ClassVar[int] = 2

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


@dataclass(frozen=True)
class DefectSeries:
    """A defect in supercells of several sizes, `NxM/` each, compared in `finite_size/`."""

    structure: Source
    """Relaxed primitive cell."""
    defect: str
    """Notation of the defect."""
    configs: Sequence[DefectPhononConfig]
    """Settings, one for each supercell."""
    embedding: EmbedConfig | None = None
    """Embedding of the largest relaxed cell into a larger one."""
    dilution: DiluteConfig | None = None
    """Limit of an infinite sheet, computed from the embedding."""

    @property
    def largest(self) -> DefectPhononConfig:
        """Settings of the largest supercell."""
        return max(self.configs, key=lambda config: config.supercell[0] * config.supercell[1])

    def cells(self) -> dict[str, DefectPhononStage]:
        """Return name of the folder → stage of each supercell."""
        return {
            size_name(config): DefectPhononStage(self.structure, self.defect, config)
            for config in self.configs
        }

    def problems(self, session: Session, folder: Path) -> list[FlatforceError]:
        """Check every stage that is not finished, before the first one starts.

        Parameters
        ----------
        session
            Force field and structures.
        folder
            Parent of the result folders.

        Returns
        -------
        What is wrong, as errors that were not raised; empty if all is well.
        """
        from flatforce.structures.defect_notation import check_transferable

        errors = parent_problems(folder)
        if len(self.configs) > 1 or self.embedding is not None:
            errors += collected(lambda: check_transferable(self.defect))
        for name, stage in self.cells().items():
            errors += collected(partial(stage.is_finished, session, folder / name))
            if not (folder / name / "result.json").is_file():
                errors += stage.problems(session)
        errors += collected(lambda: self._check_embedding(session, folder))
        return errors

    def _embedded(self, embedding: EmbedConfig, folder: Path) -> EmbeddedStage:
        return EmbeddedStage(self.structure, self.defect, self.largest, embedding, folder)

    def _check_embedding(self, session: Session, folder: Path) -> None:
        config = self.embedding
        if config is None:
            return
        name = embedded_name(config)
        if (folder / name / "result.json").is_file():
            if not (folder / size_name(self.largest) / "result.json").is_file():
                raise ResultError(
                    f"{folder / name} holds another result.",
                    why=f"it was made from a supercell other than {size_name(self.largest)}, which is not computed yet",
                    fix="choose another folder with -o, or delete that one",
                )
            self._embedded(config, folder).is_finished(session, folder / name)
            return
        if structure_problems(session, self.structure):
            return  # reported with the supercells
        from flatforce.properties.phonons.force_constants.embedding import check_embeddable
        from flatforce.properties.phonons.memory import check_embedding_memory, check_green_function

        n, m = self.largest.supercell
        primitive = session.structure(self.structure)
        check_embeddable(session.potential, primitive, config, cells=n * m)
        check_embedding_memory(primitive, config, interaction_range=session.potential.interaction_range)
        if self.dilution is not None:
            check_green_function(len(primitive), self.dilution)

    def run(self, session: Session, folder: Path) -> dict[str, dict[str, Any]]:
        """Compute the series; finished folders are read back.

        Parameters
        ----------
        session
            What the stages share.
        folder
            Parent of the result folders.

        Returns
        -------
        Name of each folder → content of its `result.json`; `finite_size` where there are two sizes or more.
        """
        raise_together(self.problems(session, folder), subject=f"The phonons of {self.defect}")
        records = {name: stage.run(session, folder / name) for name, stage in self.cells().items()}
        if self.embedding is not None:
            name = embedded_name(self.embedding)
            records[name] = self._embedded(self.embedding, folder).run(session, folder / name)
            if self.dilution is not None:
                records["dilute"] = DiluteStage.of(folder / name, self.dilution).run(
                    session, folder / "dilute"
                )
        if len(records) > 1:
            keys = {name: record["key"] for name, record in records.items()}
            comparison = FiniteSizeStage(self.defect, keys, folder)
            records["finite_size"] = comparison.run(session, folder / "finite_size")
        return records


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
