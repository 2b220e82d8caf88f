"""What the stages of one command share: a force field loaded once, structures read once, a progress display."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flatforce.core.errors import ConfigError, FlatforceError, GeometryError
from flatforce.core.hashing import hash_file
from flatforce.core.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.models.potential import Potential


class Reporter(Protocol):
    """Opens a progress display with a title, such as `core.progress.show_progress`."""

    def __call__(self, title: str) -> AbstractContextManager[Progress]:
        """Open the display.

        Parameters
        ----------
        title
            What the work is.

        Returns
        -------
        A context whose value is called after each step.
        """
        ...


def unreported(title: str) -> AbstractContextManager[Progress]:
    """Show nothing; the default of every stage.

    Parameters
    ----------
    title
        What the work is.

    Returns
    -------
    A context that gives a silent progress.
    """
    del title
    return nullcontext(silent)


class Session:
    """The force field and the structures of a command, loaded when first needed and then kept.

    Parameters
    ----------
    model
        Name of a force field, a force field that is loaded already, or None for stages that need none.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress displays.
    """

    def __init__(
        self, model: str | Potential | None = None, *, device: str = "auto", report: Reporter = unreported
    ) -> None:
        self._model, self.device, self.report = model, device, report
        self._structures: dict[Path, Atoms] = {}
        self._members: dict[str, Session] = {}

    @property
    def spec(self) -> str:
        """Name of the force field.

        Raises
        ------
        ConfigError
            If the session has none.
        """
        if self._model is None:
            raise ConfigError("This step needs a force field.", fix="give one, such as mace:wse2-pbe")
        return self._model if isinstance(self._model, str) else self._model.spec

    @cached_property
    def potential(self) -> Potential:
        """The force field, loaded once."""
        from flatforce.models import load

        spec = self.spec
        if self._model is None or isinstance(self._model, str):
            return load(spec, device=self.device)
        return self._model

    @cached_property
    def model_hash(self) -> str:
        """Hash of the files of the force field; one without files is known by its name."""
        return hash_model(self.spec)

    def structure(self, source: Path | Atoms) -> Atoms:
        """Read a structure; a file is read once.

        Parameters
        ----------
        source
            File of one structure, or the structure.

        Returns
        -------
        A copy of the structure in the file; a structure that was given is returned itself.

        Raises
        ------
        GeometryError
            If it is not an isolated sheet of bound atoms.
        """
        if not isinstance(source, Path):
            from flatforce.structures.isolated_sheet import check_isolated_sheet

            check_isolated_sheet(source)
            return source
        if source not in self._structures:
            from flatforce.data.frame_files import read_sheet

            self._structures[source] = read_sheet(source)
        return self._structures[source].copy()

    def defect_name(self, source: Path | Atoms, notation: str) -> str:
        """Return the canonical notation of a defect, so that two spellings of it are one result.

        Parameters
        ----------
        source
            The primitive cell; it is read only where the spelling is not the canonical one.
        notation
            Notation of the defect.

        Returns
        -------
        Canonical notation of the defect, such as `v_Se:top`.
        """
        from flatforce.structures.defect_notation import canonical_name
        from flatforce.studies.checks import raise_together, structure_problems

        with suppress(GeometryError):  # raised again below, with the species of the sheet in its message
            if canonical_name(notation) == notation:
                return notation
        try:
            return canonical_name(notation, species=set(self.structure(source).get_chemical_symbols()))
        except FlatforceError as error:
            others = [] if self._model is None else structure_problems(self, source)
            raise_together([error, *others], subject="The calculation")
            raise

    def member(self, spec: str) -> Session:
        """Return the session of one member of a committee; its force field is loaded once as well.

        Parameters
        ----------
        spec
            Name of the member.

        Returns
        -------
        A session that shares device and progress display.
        """
        if spec not in self._members:
            self._members[spec] = Session(spec, device=self.device, report=self.report)
        return self._members[spec]


def hash_model(spec: str) -> str:
    """Hash the files of a force field.

    Parameters
    ----------
    spec
        Name of a force field or committee.

    Returns
    -------
    Kind and hash of each member; a force field without files is known by its name.
    """
    from flatforce.models.spec import committee_members, kind_of, model_files

    texts = []
    for member in committee_members(spec):
        hashes = [hash_file(path) for path in model_files(member)]
        texts.append(f"{kind_of(member)}:{'+'.join(hashes)}" if hashes else member)
    return ",".join(texts)
