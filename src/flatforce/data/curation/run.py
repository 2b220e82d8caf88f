"""All rules of a curation, in order, each with what it removed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.progress import Progress, silent
from flatforce.data.curation.diversity import descriptors, farthest_points
from flatforce.data.curation.duplicates import near_duplicates
from flatforce.data.curation.outliers import OutlierConfig, why_outlier
from flatforce.data.curation.steps import select_steps
from flatforce.data.frames import get_labels
from flatforce.data.splits import trajectories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


class CurationConfig(Config):
    """Rules of a curation; null leaves one out."""

    outliers: OutlierConfig | None = OutlierConfig()
    """Frames that no force field should learn from."""
    e_cut: float | None = 0.001
    """eV/atom. Energy by which a relaxation step must differ from the next to stay."""
    duplicates: PositiveFloat | None = 0.01
    """Å. Frames whose shortest distances all agree to this are copies."""
    keep: PositiveInt | None = None
    """Frames left by farthest-point sampling."""


@dataclass(frozen=True)
class Curation:
    """What is left, and what each rule removed."""

    frames: list[Atoms]
    removed: dict[str, Counter[str]] = field(default_factory=dict)
    """Rule → reason → frames."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        by_rule = {
            f"n_removed_{rule}": float(sum(reasons.values())) for rule, reasons in self.removed.items()
        }
        return {"n_frames": float(len(self.frames)), **by_rule}


def curate(frames: Sequence[Atoms], config: CurationConfig, *, progress: Progress = silent) -> Curation:
    """Apply the rules.

    Parameters
    ----------
    frames
        Labelled frames.
    config
        Rules.
    progress
        Told after each rule.

    Returns
    -------
    The frames left, in their order.
    """
    left = list(frames)
    removed: dict[str, Counter[str]] = {}
    rules = {
        "outliers": (config.outliers is not None, _outliers),
        "steps": (config.e_cut is not None, _steps),
        "duplicates": (config.duplicates is not None, _duplicates),
        "redundant": (config.keep is not None, _redundant),
    }
    for k, (name, (wanted, rule)) in enumerate(rules.items()):
        if wanted and left:
            reasons = rule(left, config)
            removed[name] = Counter(reasons.values())
            left = [frame for i, frame in enumerate(left) if i not in reasons]
        progress(k + 1, len(rules), f"{name}: {len(left)} frames left")
    return Curation(left, removed)


def _outliers(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    limits = config.outliers or OutlierConfig()
    reasons = ((i, why_outlier(frame, limits)) for i, frame in enumerate(frames))
    return {i: reason for i, reason in reasons if reason is not None}


def _steps(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    gone: dict[int, str] = {}
    for members in trajectories(frames):
        energies = [get_labels(frames[i], need_forces=False).energy / len(frames[i]) for i in members]
        kept = set(select_steps(energies, e_cut=config.e_cut or 0.0).tolist())
        gone |= {i: "energy changes by less than e_cut" for k, i in enumerate(members) if k not in kept}
    return gone


def _duplicates(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    found = near_duplicates(frames, tolerance=config.duplicates or 0.0)
    return dict.fromkeys(found, "near copy of an earlier frame")


def _redundant(frames: Sequence[Atoms], config: CurationConfig) -> dict[int, str]:
    count = config.keep or len(frames)
    chosen = set(farthest_points(descriptors(frames), count).tolist())
    return {i: "nearest to frames already chosen" for i in range(len(frames)) if i not in chosen}
