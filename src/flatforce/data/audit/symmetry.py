"""Whether forces have the symmetry of their frame: a k grid without it puts errors into labels that no model can fit.

A Monkhorst–Pack grid of even size without Γ lacks the threefold axis of a hexagonal cell. Insulators are hardly affected; the
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
"""Å. Frames that are symmetric to this have forces that are symmetric to about 0.03 eV/Å: force constants reach 13 eV/Å²."""

MAX_ASYMMETRY: Final = 0.05
"""eV/Å. A larger asymmetry is reported."""

MAX_CHECKED: Final = 200
"""Largest number of frames of a dataset that are checked, drawn evenly: frames of one run share their k grid."""


def force_asymmetry(frame: Atoms) -> float:
    """Compare forces with their mean over the symmetry operations of the frame.

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
    forces, rotations = get_labels(frame).forces, symmetry.cartesian_rotations(frame.cell.array)
    mean = np.zeros_like(forces)
    for rotation, images in zip(rotations, symmetry.permutations, strict=True):
        mean[images] += forces @ rotation.T / len(rotations)
    return float(np.abs(forces - mean).max())


def asymmetry_warnings(frames: Sequence[Atoms]) -> list[str]:
    """Report forces that break the symmetry of their frame.

    Parameters
    ----------
    frames
        Labelled sheets.

    Returns
    -------
    One sentence; empty if all forces are symmetric.
    """
    indices = np.unique(np.linspace(0, len(frames) - 1, min(MAX_CHECKED, len(frames))).astype(int))
    asymmetries = {int(i): force_asymmetry(frames[i]) for i in indices}
    broken = {i: asymmetry for i, asymmetry in asymmetries.items() if asymmetry > MAX_ASYMMETRY}
    if not broken:
        return []
    worst = max(broken, key=lambda i: broken[i])
    extent = f"worst {describe(frames[worst])} by {1e3 * broken[worst]:.0f} meV/Å"
    cause = "the k grid may lack the symmetry of the lattice (use one that contains Γ)"
    return [f"forces break the symmetry of {len(broken)} frame(s), {extent}: {cause}"]
