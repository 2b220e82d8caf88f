"""Files of an import once read: which of two reports of one run is taken, and which frames occur twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from flatforce.data.copies import find_copies
from flatforce.data.frames import ISOLATED, config_type
from flatforce.data.readers.content import STEP, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from flatforce.data.readers.registry import FoundFile

COPY: Final = "copy of a frame that was read before"
"""Beginning of the reason of a refusal."""


@dataclass(frozen=True)
class ImportedFile:
    """A file, what was accepted of it, and what was not."""

    file: FoundFile
    """The file."""
    frames: list[Atoms]
    """Labelled frames."""
    refused: list[Refusal]
    """Steps that were not accepted."""
    notes: list[str]
    """What a user should know though nothing was refused."""

    @property
    def source(self) -> str:
        """Path below the root of the import."""
        return self.file.source

    @property
    def kind(self) -> str:
        """Format of the file."""
        return self.file.kind

    @property
    def sheets(self) -> list[Atoms]:
        """Frames that are no isolated atoms."""
        return [frame for frame in self.frames if config_type(frame) != ISOLATED]

    def without(self, reasons: Mapping[int, str]) -> ImportedFile:
        """Refuse some of the frames.

        Parameters
        ----------
        reasons
            Index of a frame → why it is refused.

        Returns
        -------
        The file without these frames.
        """
        refused = [
            Refusal(reason, self.frames[index].info[STEP], self.source) for index, reason in reasons.items()
        ]
        frames = [frame for index, frame in enumerate(self.frames) if index not in reasons]
        return replace(self, frames=frames, refused=[*self.refused, *refused])

    def without_sheets(self, reasons: Mapping[int, str]) -> ImportedFile:
        """Refuse some of the sheets.

        Parameters
        ----------
        reasons
            Index in `sheets` → why the frame is refused.

        Returns
        -------
        The file without these frames.
        """
        positions = [k for k, frame in enumerate(self.frames) if config_type(frame) != ISOLATED]
        return self.without({positions[index]: reason for index, reason in reasons.items()})


def choose_reports(files: Sequence[ImportedFile]) -> list[ImportedFile]:
    """Take one of the two reports that VASP writes of a run.

    Parameters
    ----------
    files
        Files as read.

    Returns
    -------
    The files; of `vasprun.xml` and `OUTCAR` of one run the one with more frames, the former if they have equally many. A note
    names the other one.
    """
    runs: dict[object, list[int]] = {}
    for index, file in enumerate(files):
        runs.setdefault(file.file.run or index, []).append(index)
    taken = []
    for members in runs.values():
        ranking = sorted(
            members, key=lambda index: (-len(files[index].frames), files[index].kind != "vasprun")
        )
        first, *others = (files[index] for index in ranking)
        notes = [
            f"{other.source} reports the same run, with {len(other.frames)} frames: left out"
            for other in others
        ]
        taken.append(replace(first, notes=[*first.notes, *notes]))
    return taken


def remove_copies(files: Sequence[ImportedFile]) -> list[ImportedFile]:
    """Take each frame once, from the first file that holds it.

    Parameters
    ----------
    files
        Files as read.

    Returns
    -------
    The files without frames that repeat an earlier one, of the same or another file; these are listed among the refused.
    """
    places = [(k, index) for k, file in enumerate(files) for index in range(len(file.frames))]
    frames = [files[k].frames[index] for k, index in places]
    reasons: dict[int, dict[int, str]] = {}
    for copy, original in find_copies(frames).items():
        (k, index), (first, _) = places[copy], places[original]
        where = "in the same file" if first == k else f"in {files[first].source}"
        reasons.setdefault(k, {})[index] = f"{COPY}: {where}"
    return [file.without(reasons.get(k, {})) for k, file in enumerate(files)]
