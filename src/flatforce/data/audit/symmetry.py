"""Whether forces have the symmetry of their frame: a k grid without it puts errors into labels that no model can fit.

A Monkhorst–Pack grid of even size without Γ lacks the threefold axis of a hexagonal cell. Insulators hardly notice; the
half-filled levels of a W vacancy turned it into 0.1 eV/Å.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.data.frames import describe, get_labels
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

SYMPREC: Final = 2e-3
"""Å. Frames that are symmetric to this have forces that are symmetric to about 0.03 eV/Å: blocks reach 13 eV/Å²."""

LIMIT: Final = 0.05
"""eV/Å. A larger asymmetry is told."""

LOOKED_AT: Final = 200
"""Frames of a set that are looked at, drawn evenly: frames of one run share their k grid."""


def force_asymmetry(frame: Atoms) -> float:
    """Compare forces with their mean over the symmetry of the frame.

    Parameters
    ----------
    frame
        A labelled sheet.

    Returns
    -------
    eV/Å, largest component of the difference; 0 for a frame without symmetry.
    """
    try:
        symmetry = find_symmetry(frame, symprec=SYMPREC)
    except GeometryError:
        return 0.0
    forces, turns = get_labels(frame).forces, symmetry.cartesian_rotations(frame.cell.array)
    mean = np.zeros_like(forces)
    for turn, images in zip(turns, symmetry.permutations, strict=True):
        mean[images] += forces @ turn.T / len(turns)
    return float(np.abs(forces - mean).max())


def asymmetry_notes(frames: Sequence[Atoms]) -> list[str]:
    """Say which forces break the symmetry of their frame.

    Parameters
    ----------
    frames
        Labelled sheets.

    Returns
    -------
    One sentence, or none.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(LOOKED_AT, len(frames))).astype(int))
    found = {int(i): force_asymmetry(frames[i]) for i in chosen}
    broken = {i: size for i, size in found.items() if size > LIMIT}
    if not broken:
        return []
    worst = max(broken, key=lambda i: broken[i])
    how_far = f"worst {describe(frames[worst])} by {1e3 * broken[worst]:.0f} meV/Å"
    cause = "a k grid without the symmetry of the lattice?"
    return [f"forces break the symmetry of {len(broken)} frame(s), {how_far}: {cause}"]
