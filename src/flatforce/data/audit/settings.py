"""Whether all frames of a dataset were computed with the same DFT settings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

DECISIVE: Final = ("code", "xc", "cutoff", "dispersion", "soc")
"""Settings that change energies or forces by more than the error of a force field. k grids and spin differ between
materials."""

UNKNOWN: Final = "?"
"""Value of a setting that a frame does not state."""


def count_settings(frames: Sequence[Atoms]) -> Counter[tuple[str, ...]]:
    """Count frames by their decisive settings.

    Parameters
    ----------
    frames
        Frames with `dft_…` in `info`; a missing setting counts as `UNKNOWN`.

    Returns
    -------
    Values of the settings, in the order of `DECISIVE` → number of frames.
    """
    return Counter(tuple(_as_text(frame.info.get(f"dft_{name}")) for name in DECISIVE) for frame in frames)


def find_conflicts(counts: Counter[tuple[str, ...]]) -> list[str]:
    """List the settings that have more than one value; a missing value conflicts with nothing.

    Parameters
    ----------
    counts
        Number of frames by settings, from `count_settings`.

    Returns
    -------
    One text for each conflicting setting, with the number of frames of each value.
    """
    conflicts = []
    for k, name in enumerate(DECISIVE):
        values: Counter[str] = Counter()
        for settings, count in counts.items():
            if settings[k] != UNKNOWN:
                values[settings[k]] += count
        if len(values) > 1:
            listing = ", ".join(f"{value} ({count} frames)" for value, count in values.most_common())
            conflicts.append(f"{name}: {listing}")
    return conflicts


def _as_text(value: object) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:g}" if isinstance(value, float) else str(value)
