"""Screening of many sheets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_file, hash_value
from flatforce.studies.checks import collected
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.properties.screening.candidates import Candidate
    from flatforce.properties.screening.config import ScreenConfig
    from flatforce.properties.screening.result import Screening
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class ScreenStage(Stage):
    """Relaxes and ranks many sheets; `ranking.csv` and `relaxed.extxyz` stand in the folder."""

    kind: ClassVar[str] = "screening"
    files: ClassVar[tuple[str, ...]] = ("ranking.csv", "relaxed.extxyz", "candidates.extxyz")
    excluded: ClassVar[tuple[str, ...]] = ("executors", "chunk")

    structures: Path | None
    """File or folder of sheets; None where all of them are generated."""
    config: ScreenConfig
    references: Path | None = None
    """File of competing phases, with or without labels."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structures, a folder as the hash of its files, and the references."""
        structures: Path | str | None = self.structures
        if self.structures is not None and self.structures.is_dir():
            structures = _hash_folder(self.structures)
        return {"structures": structures, "references": self.references}

    def file_problems(self) -> list[FlatforceError]:
        """Check what needs no force field.

        Returns
        -------
        What is wrong with the files, as errors that were not raised, and that there is nothing to screen.
        """
        errors: list[FlatforceError] = []
        if self.structures is None and self.config.candidates is None:
            errors.append(
                ConfigError(
                    "There is nothing to screen.",
                    fix="give a file or a folder of structures, or `candidates` in the settings (-c)",
                )
            )
        return errors + collected(lambda: self.sheets, lambda: self.competing)

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that there is something to screen, and that references have labels or can be relaxed."""
        errors = collected(lambda: session.potential)
        yield from errors
        files = self.file_problems()
        yield from files
        if not errors and not files:
            yield from collected(partial(self._check_references, session))

    @cached_property
    def sheets(self) -> list[Candidate]:
        """All sheets in the file or folder, and the files that could not be read."""
        from flatforce.properties.screening.candidates import read_candidates

        return [] if self.structures is None else read_candidates(self.structures)

    @cached_property
    def competing(self) -> list[Atoms]:
        """All frames of the file of references; none without a file."""
        from flatforce.data.frame_files import read_frames

        return [] if self.references is None else read_frames(self.references)

    def _check_references(self, session: Session) -> None:
        from flatforce.properties.screening.references import check_reference

        for frame in self.competing:
            check_reference(frame, session.potential)

    def compute(self, context: Context) -> Screening:
        """Relax all sheets, compare them with one another and with the references."""
        from flatforce.properties.screening.run import screen

        return screen(
            context.potential,
            self.sheets,
            self.config,
            folder=context.scratch,
            references=self.competing,
            progress=context.progress,
        )


def _hash_folder(folder: Path) -> str:
    """Hash the names and the content of all files of a folder."""
    from flatforce.properties.screening.candidates import structure_files

    return hash_value(
        [[file.relative_to(folder).as_posix(), hash_file(file)] for file in structure_files(folder)]
    )
