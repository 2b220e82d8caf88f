"""A series of supercells with a defect, up to an embedding and the dilute limit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.claims import check_folder
from flatforce.core.errors import ResultError
from flatforce.studies.checks import collected, parent_problems, raise_together, structure_problems
from flatforce.studies.defect import DefectPhononStage, FiniteSizeStage, embedded_name, size_name
from flatforce.studies.embedded import DiluteStage, EmbeddedStage
from flatforce.studies.stage import Source, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig
    from flatforce.studies.session import Session


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
        for name, kind in self._stages().items():
            errors += collected(partial(check_folder, folder / name, kind.kind, kind.files))
        return errors

    def _stages(self) -> dict[str, type[Stage]]:
        """Name of each folder → class of the stage that writes it."""
        stages: dict[str, type[Stage]] = dict.fromkeys(self.cells(), DefectPhononStage)
        if self.embedding is not None:
            stages[embedded_name(self.embedding)] = EmbeddedStage
            if self.dilution is not None:
                stages["dilute"] = DiluteStage
        return stages | ({"finite_size": FiniteSizeStage} if len(stages) > 1 else {})

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
