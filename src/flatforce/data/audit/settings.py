"""Whether all frames of a dataset were computed with the same DFT settings."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from flatforce.data.frames import ISOLATED, config_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

DECISIVE: Final = ("code", "xc", "cutoff", "dispersion", "soc", "charge")
"""Settings that change energies or forces by more than the error of a force field. k grids differ between materials."""

BY_ELEMENT: Final = ("hubbard", "potentials")
"""Settings that must be the same for each element, wherever it occurs."""

BY_SYSTEM: Final = ("spin",)
"""Settings that must be the same for all frames of the same elements: magnetic sheets need spins, others do without."""

UNKNOWN: Final = "?"
"""Value of a setting that a frame does not state."""

LABELS: Final = {"potentials": "potential", "hubbard": "Hubbard U"}
"""Setting → its name in messages, where it differs."""


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


def find_conflicts(frames: Sequence[Atoms]) -> list[str]:
    """List the settings that have more than one value; a missing value conflicts with nothing.

    Parameters
    ----------
    frames
        Frames with `dft_…` in `info`.

    Returns
    -------
    One text for each conflicting setting, with the number of frames of each value.
    """
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for frame in frames:
        for subject, value in _statements(frame):
            if value != UNKNOWN:
                values[subject][value] += 1
    conflicts = []
    for subject, counts in values.items():
        if len(counts) > 1:
            listing = ", ".join(f"{value} ({count} frames)" for value, count in counts.most_common())
            conflicts.append(f"{subject}: {listing}")
    return conflicts


def describe_settings(frames: Sequence[Atoms]) -> dict[str, dict[str, Any]]:
    """Say which settings were compared, and which could not be.

    Parameters
    ----------
    frames
        Frames with `dft_…` in `info`.

    Returns
    -------
    Setting → `values` with the number of frames of each, and `n_unknown`, the frames whose file does not state it.
    """
    described = {}
    for name in (*DECISIVE, *BY_ELEMENT, *BY_SYSTEM):
        counts = Counter(_as_text(frame.info.get(f"dft_{name}")) for frame in frames)
        n_unknown = counts.pop(UNKNOWN, 0)
        described[name] = {"values": dict(counts), "n_unknown": n_unknown}
    return described


def _statements(frame: Atoms) -> Iterator[tuple[str, str]]:
    """Yield what a setting is about, such as the potential of an element, and its value."""
    for name in DECISIVE:
        yield LABELS.get(name, name), _as_text(frame.info.get(f"dft_{name}"))
    for name in BY_ELEMENT:
        for entry in _as_text(frame.info.get(f"dft_{name}")).split("; "):
            element, _, value = entry.partition("=")
            yield f"{LABELS[name]} of {element}", value or UNKNOWN
    for name in BY_SYSTEM:
        if config_type(frame) != ISOLATED:
            system = "-".join(sorted(set(frame.get_chemical_symbols())))
            yield f"{name} of {system}", _as_text(frame.info.get(f"dft_{name}"))


def _as_text(value: object) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:g}" if isinstance(value, float) else str(value)
