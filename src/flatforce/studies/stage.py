"""One stage: inputs and settings in, a finished result folder out; a finished folder is read back, not computed again."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from flatforce.core.claims import SCRATCH, announce_files, check_folder, claim, is_finished
from flatforce.core.errors import ConfigError, FlatforceError
from flatforce.core.hashing import hash_source
from flatforce.core.identity import Identity
from flatforce.core.recording import record_outcome
from flatforce.core.results import read_record
from flatforce.studies.checks import collected, raise_together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ase import Atoms

    from flatforce.core.config import Config
    from flatforce.core.outcome import Outcome
    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.studies.session import Session

Source: TypeAlias = "Path | Atoms"
"""A structure: its file, or itself."""


@dataclass(frozen=True)
class Context:
    """What a stage computes with."""

    session: Session
    folder: Path
    """Result folder."""
    scratch: Path
    """Folder for parts that a run cut short takes up again; its name holds the key of the stage."""
    progress: Progress

    @property
    def potential(self) -> Potential:
        """The force field; loaded when first asked for."""
        return self.session.potential

    def structure(self, source: Source) -> Atoms:
        """Read a structure once in a session.

        Parameters
        ----------
        source
            Its file, or itself.

        Returns
        -------
        A copy of the structure in the file; a structure that was given is returned itself.
        """
        return self.session.structure(source)


@dataclass(frozen=True)
class Stage:
    """Base of all stages. A subclass is a frozen dataclass that declares its kind and implements `inputs` and `compute`.

    The field `config` holds the settings. Every other field whose name is not in `inputs()` and that is a plain value counts as
    a further setting, such as the name of a defect.
    """

    kind: ClassVar[str]
    """Kind of result."""
    revision: ClassVar[int] = 1
    """Raised when the method changes its numbers."""
    excluded: ClassVar[tuple[str, ...]] = ()
    """Settings that do not change the result, as `name` or `section.name`."""
    sections: ClassVar[tuple[str, ...] | None] = None
    """Top-level settings that the stage reads, where its configuration is that of a whole study; all if None."""
    needs_model: ClassVar[bool] = True
    """Whether the result depends on the force field of the session."""
    files: ClassVar[tuple[str, ...]] = ()
    """Files that the stage writes beside `result.json` and `arrays.npz`; a folder that holds one of other origin is refused."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return name → file, structure, or hash of what the stage reads; None is left out."""
        return {}

    def settings(self) -> dict[str, Any]:
        """Return the settings that are not in `config`."""
        skipped = {"config", *self.inputs()}
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in skipped}

    def compute(self, context: Context) -> Outcome:
        """Compute the result.

        Parameters
        ----------
        context
            Force field, structures, scratch folder, progress.

        Returns
        -------
        The outcome, which the stage writes.
        """
        raise NotImplementedError

    def extends(self, record: dict[str, Any], identity: Identity) -> bool:
        """Tell whether a finished folder with other settings or inputs may be taken up again.

        Parameters
        ----------
        record
            Its `result.json`.
        identity
            That of this stage.

        Returns
        -------
        False for most stages.
        """
        del record, identity
        return False

    def problems(self, session: Session) -> Iterable[FlatforceError]:
        """Check what can be checked before anything is computed.

        Parameters
        ----------
        session
            Force field and structures.

        Yields
        ------
        What would make the stage fail.
        """
        if self.needs_model:
            yield from collected(lambda: session.potential)
        inputs: dict[str, Source | str | None] = {}
        yield from collected(lambda: inputs.update(self.inputs()))
        for source in inputs.values():
            if isinstance(source, Path) and source.suffix != ".json" and not source.is_file():
                yield ConfigError(f"There is no file {source}.", fix="check its path")

    def identity(self, session: Session) -> Identity:
        """Identify the stage; nothing but hashes of files is read.

        Parameters
        ----------
        session
            Names the force field.

        Returns
        -------
        Kind, settings, hashes of inputs, revision.
        """
        hashes = {name: hash_source(one) for name, one in self.inputs().items() if one is not None}
        if self.needs_model:
            hashes["model"] = session.model_hash
        config: Config | None = getattr(self, "config", None)
        identity = Identity.of(
            self.kind,
            config,
            hashes,
            excluded=self.excluded,
            sections=self.sections,
            more=self.settings(),
        )
        return replace(identity, revision=self.revision)

    def is_finished(self, session: Session, folder: Path) -> bool:
        """Tell whether the folder holds this very stage, finished.

        Parameters
        ----------
        session
            Names the force field.
        folder
            Result folder.

        Returns
        -------
        False if something is left to do; a folder that holds another result raises an error.
        """
        if not folder.is_dir() or not (folder / "result.json").is_file():
            return False
        identity = self.identity(session)
        return is_finished(folder, identity, extends=partial(self.extends, identity=identity))

    def run(self, session: Session, folder: Path) -> dict[str, Any]:
        """Compute the stage, or read its finished folder.

        Parameters
        ----------
        session
            What the stages of a command share.
        folder
            Result folder.

        Returns
        -------
        Content of `result.json` as plain values.
        """
        try:
            identity = self.identity(session)
        except FlatforceError as error:  # a file is missing: name everything else that is wrong with it
            raise_together([error, *self.problems(session)], subject=f"`{self.kind}`")
            raise
        if self.is_finished(session, folder):
            return read_record(folder)
        check_folder(folder, self.kind, self.files)
        raise_together(self.problems(session), subject=f"`{self.kind}`")
        extends = partial(self.extends, identity=identity)
        with claim(folder, identity, writes=self.files, extends=extends, writes_at_end=True) as claimed:
            if claimed.finished:  # by another process, since it was asked above
                return read_record(folder)
            identity = replace(identity, subject=self.subject(session))

            def compute() -> Outcome:
                with session.report(self.title(folder)) as progress:
                    if claimed.restarted:
                        progress(
                            0,
                            0,
                            f"{folder} holds an unfinished run that is not continued: {claimed.restarted}",
                        )
                    outcome = self.compute(
                        Context(session, folder, folder / SCRATCH / identity.key, progress)
                    )
                announce_files(folder)
                return outcome

            return record_outcome(folder, identity, compute, seed=identity.settings.get("seed"))

    def subject(self, session: Session) -> dict[str, Any]:
        """Name the force field and the structure, for readers of the record.

        Parameters
        ----------
        session
            Force field and structures.

        Returns
        -------
        `model` and what its card says, and the chemical formula as `structure`; only what the stage has.
        """
        from flatforce.studies.subject import describe_model

        known = describe_model(session.spec) if self.needs_model else {}
        structure = self.inputs().get("structure")
        if structure is not None and not isinstance(structure, str):
            known["structure"] = str(session.structure(structure).symbols.formula.format("metal"))
        return known

    def title(self, folder: Path) -> str:
        """Return what the progress display says.

        Parameters
        ----------
        folder
            Result folder.

        Returns
        -------
        Text that stands before the progress; the kind of result unless a subclass says more.
        """
        del folder
        return self.kind
