"""Result of an import: frames, what was refused, and what the audit found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flatforce.core.outcome import Outcome
from flatforce.data.audit.energies import energy_warnings
from flatforce.data.audit.settings import describe_settings, find_conflicts
from flatforce.data.frames import ISOLATED, config_type, get_labels

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.data.audit.stress import StressCheck
    from flatforce.data.readers.content import Refusal


MAX_LISTED: Final = 5
"""Number of file names that a note lists."""


@dataclass(frozen=True)
class FileSummary:
    """Summary of one file of an import."""

    source: str
    """Path of the file below the root of the import."""
    kind: str
    """Format of the file, a key of `READERS`."""
    n_frames: int
    """Number of frames accepted."""
    n_refused: int
    """Number of steps refused."""
    stress_check: StressCheck | None
    """Check of the stress of this file and those of the same settings; None if nothing was checked."""
    notes: list[str]
    """What a user should know about the file though nothing was refused."""


@dataclass(frozen=True, repr=False)
class Import(Outcome):
    """Audited frames, and everything that the audit found."""

    kind: ClassVar[str] = "import"
    units = {
        "n_frames": "",
        "n_refused": "",
        "n_files": "",
        "n_with_stress": "",
        "n_stress_verified": "",
        "n_isolated": "",
        "n_materials": "",
    }

    frames: list[Atoms]
    """Labelled frames, vacuum along axis 2."""
    refused: list[Refusal] = field(default_factory=list)
    """Steps and files that were not accepted, each with its reason."""
    sources: list[FileSummary] = field(default_factory=list)
    """Summary of each file."""
    unknown: list[str] = field(default_factory=list)
    """Files in the searched folders that are of no known kind, and were not read."""

    @property
    def reasons(self) -> Counter[str]:
        """Reason → number of steps or files refused for it."""
        return Counter(refusal.reason.split(":")[0].split(" (")[0] for refusal in self.refused)

    @property
    def conflicts(self) -> list[str]:
        """DFT settings that should be the same in all frames, but are not."""
        return find_conflicts(self.frames)

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of frames, files and materials."""
        verified = [
            source.stress_check.n_verified for source in self.sources if source.stress_check is not None
        ]
        return {
            "n_frames": float(len(self.frames)),
            "n_refused": float(len(self.refused)),
            "n_files": float(len(self.sources)),
            "n_with_stress": float(sum(get_labels(frame).stress is not None for frame in self.frames)),
            "n_stress_verified": float(sum(verified)),
            "n_isolated": float(sum(config_type(frame) == ISOLATED for frame in self.frames)),
            "n_materials": float(
                len({frame.info["material"] for frame in self.frames if config_type(frame) != ISOLATED})
            ),
        }

    @property
    def notes(self) -> list[str]:
        """Settings in which frames differ that should not."""
        notes = [f"frames of different settings: {conflict}" for conflict in self.conflicts]
        unknown = [
            name
            for name, entry in describe_settings(self.frames).items()
            if entry["n_unknown"] == len(self.frames)
        ]
        if unknown:
            notes.append(
                f"settings that the files do not state, and that were not compared: {', '.join(unknown)}"
            )
        notes += energy_warnings(self.frames)
        if self.unknown:
            names = ", ".join(sorted({Path(name).name for name in self.unknown})[:MAX_LISTED])
            notes.append(f"{len(self.unknown)} files of other kinds were not read: {names}, …")
        return notes

    @property
    def details(self) -> dict[str, Any]:
        """Steps and files refused, and notes about files."""
        refused = [
            {"source": refusal.source, "step": refusal.step, "reason": refusal.reason}
            for refusal in self.refused
        ]
        notes = {source.source: source.notes for source in self.sources if source.notes}
        return {
            "refused": refused,
            "notes": notes,
            "unknown_files": self.unknown,
            "settings": describe_settings(self.frames),
        }
