"""Result of an import: frames, what was refused, and what the audit found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.outcome import Outcome
from flatforce.data.audit.settings import count_settings, find_conflicts
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.data.audit.stress import StressCheck
    from flatforce.data.readers.content import Refusal


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
        "n_materials": "",
    }

    frames: list[Atoms]
    """Labelled frames, vacuum along axis 2."""
    refused: list[Refusal] = field(default_factory=list)
    """Steps and files that were not accepted, each with its reason."""
    sources: list[FileSummary] = field(default_factory=list)
    """Summary of each file."""

    @property
    def reasons(self) -> Counter[str]:
        """Reason → number of steps or files refused for it."""
        return Counter(refusal.reason.split(":")[0].split(" (")[0] for refusal in self.refused)

    @property
    def conflicts(self) -> list[str]:
        """DFT settings that should be the same in all frames, but are not."""
        return find_conflicts(count_settings(self.frames))

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of frames, files and materials."""
        verified = [
            source.n_frames
            for source in self.sources
            if source.stress_check is not None and source.stress_check.convention is not None
        ]
        return {
            "n_frames": float(len(self.frames)),
            "n_refused": float(len(self.refused)),
            "n_files": float(len(self.sources)),
            "n_with_stress": float(sum(get_labels(frame).stress is not None for frame in self.frames)),
            "n_stress_verified": float(sum(verified)),
            "n_materials": float(len({frame.info["material"] for frame in self.frames})),
        }

    @property
    def notes(self) -> list[str]:
        """Settings in which frames differ that should not."""
        return [f"frames of different settings: {conflict}" for conflict in self.conflicts]

    @property
    def details(self) -> dict[str, Any]:
        """Steps and files refused, and notes about files."""
        refused = [
            {"source": refusal.source, "step": refusal.step, "reason": refusal.reason}
            for refusal in self.refused
        ]
        notes = {source.source: source.notes for source in self.sources if source.notes}
        return {"refused": refused, "notes": notes}
