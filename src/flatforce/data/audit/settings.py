"""Whether frames were computed alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

DECISIVE: Final = ("code", "functional", "cutoff", "dispersion", "soc")
"""Settings that shift energies or forces by more than a force field's error. k grids and spin differ by material."""


def setting_groups(frames: Sequence[Atoms]) -> Counter[tuple[str, ...]]:
    """Count frames by their decisive settings.

    Parameters
    ----------
    frames
        Frames with `dft_…` in `info`; what is not said counts as `?`.

    Returns
    -------
    Settings, in the order of `DECISIVE` → frames.
    """
    return Counter(tuple(_text(frame.info.get(f"dft_{name}")) for name in DECISIVE) for frame in frames)


def conflicts(groups: Counter[tuple[str, ...]]) -> list[str]:
    """Say which settings take more than one value; what is not said conflicts with nothing.

    Parameters
    ----------
    groups
        As counted.

    Returns
    -------
    One text a setting.
    """
    said = []
    for k, name in enumerate(DECISIVE):
        values: Counter[str] = Counter()
        for group, count in groups.items():
            if group[k] != "?":
                values[group[k]] += count
        if len(values) > 1:
            said.append(f"{name}: " + ", ".join(f"{value} ({n} frames)" for value, n in values.most_common()))
    return said


def _text(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:g}" if isinstance(value, float) else str(value)
