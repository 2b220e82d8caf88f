"""All rules of a curation, in order, each with the frames that it removed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flatforce.core.errors import DataError
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.data.audit.energies import energy_deviations
from flatforce.data.config import OutlierConfig
from flatforce.data.curation.diversity import descriptors, farthest_points
from flatforce.data.curation.duplicates import find_near_duplicates
from flatforce.data.curation.outliers import outlier_reason
from flatforce.data.curation.steps import is_relaxation, select_steps
from flatforce.data.frames import get_labels
from flatforce.data.splits import find_trajectories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.data.config import CurationConfig


MAX_SILENT: Final = 0.1
"""Fraction of the frames above which a rule that removed them is reported with its key."""

REMEDIES: Final = {
    "outliers": "the limit that it names to null, such as `outliers: {max_force: null}`",
    "steps": "min_energy_step: null",
    "duplicates": "duplicates: null, or a smaller tolerance",
}
"""Rule → what switches it off."""


@dataclass(frozen=True, repr=False)
class Curation(Outcome):
    """Curated frames, and how many each rule removed."""

    kind: ClassVar[str] = "curation"
    units = {
        "n_frames": "frames",
        "n_removed_outliers": "frames",
        "n_removed_steps": "frames",
        "n_removed_duplicates": "frames",
        "n_removed_redundant": "frames",
    }

    frames: list[Atoms]
    """Frames that passed all rules, in their original order."""
    removed: dict[str, Counter[str]] = field(default_factory=dict)
    """Rule → reason → number of frames removed."""

    @property
    def metrics(self) -> dict[str, float]:
        """Number of frames left, and number removed by each rule."""
        by_rule = {
            f"n_removed_{rule}": float(sum(reasons.values())) for rule, reasons in self.removed.items()
        }
        return {"n_frames": float(len(self.frames)), **by_rule}

    @property
    def notes(self) -> list[str]:
        """Rules that removed more than a tenth of the frames, with the key that changes them."""
        total = len(self.frames) + sum(sum(reasons.values()) for reasons in self.removed.values())
        notes = []
        for rule, reasons in self.removed.items():
            for reason, count in reasons.items():
                if rule != "redundant" and count > MAX_SILENT * total:
                    notes.append(
                        f"{count} of {total} frames were removed because of: {reason}. To keep them, set {REMEDIES[rule]}"
                    )
        return notes

    @property
    def details(self) -> dict[str, Any]:
        """Number of frames removed, by rule and reason."""
        return {"removed": {rule: dict(reasons) for rule, reasons in self.removed.items()}}


def curate(frames: Sequence[Atoms], config: CurationConfig, *, progress: Progress = silent) -> Curation:
    """Apply the rules of a curation.

    Parameters
    ----------
    frames
        Labelled frames.
    config
        Rules.
    progress
        Called after each rule.

    Returns
    -------
    The frames left, in their original order, and what each rule removed.

    Raises
    ------
    DataError
        If no frame is left.
    """
    remaining = list(frames)
    removed: dict[str, Counter[str]] = {}
    rules = {
        "outliers": (config.outliers is not None, _find_outliers),
        "steps": (config.min_energy_step is not None, _find_small_steps),
        "duplicates": (config.duplicates is not None, _find_duplicates),
        "redundant": (config.keep is not None, _find_redundant),
    }
    for k, (name, (enabled, rule)) in enumerate(rules.items()):
        if enabled and remaining:
            reasons = rule(remaining, config)
            removed[name] = Counter(reasons.values())
            remaining = [frame for index, frame in enumerate(remaining) if index not in reasons]
        progress(k + 1, len(rules), f"{name}: {len(remaining)} frames left")
    curation = Curation(remaining, removed)
    if not remaining:
        raise DataError(
            "The rules leave no frame.",
            why="\n       ".join(curation.notes),
            fix="change the settings that are named; `flatforce settings data curate` lists them",
        )
    return curation


def _find_outliers(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    limits = config.outliers or OutlierConfig()
    deviations = energy_deviations(frames)
    reasons = (
        (index, outlier_reason(frame, limits, energy_deviation=deviations[index]))
        for index, frame in enumerate(frames)
    )
    return {index: reason for index, reason in reasons if reason is not None}


def _find_small_steps(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for trajectory in find_trajectories(frames):
        energies = [get_labels(frames[i], need_forces=False).energy / len(frames[i]) for i in trajectory]
        if not is_relaxation(energies):
            continue
        selected = select_steps(energies, min_energy_step=config.min_energy_step or 0.0)
        small = set(range(len(trajectory))) - set(selected.tolist())
        reasons |= {trajectory[k]: "energy changes by less than min_energy_step" for k in sorted(small)}
    return reasons


def _find_duplicates(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    originals = find_near_duplicates(frames, tolerance=config.duplicates or 0.0)
    return dict.fromkeys(originals, "near-duplicate of an earlier frame")


def _find_redundant(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    count = config.keep or len(frames)
    selected, _ = farthest_points(descriptors(frames), count, first=0)
    redundant = set(range(len(frames))) - set(selected.tolist())
    return dict.fromkeys(sorted(redundant), "closest to frames already selected")
