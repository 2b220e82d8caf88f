"""The cell that a backend evaluates: a sheet, periodic along three axes, with enough vacuum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flatforce.structures.sheet import as_slab, cell_height, thickness

if TYPE_CHECKING:
    from ase import Atoms

VACUUM_MARGIN: Final = 1.0
"""Å of vacuum beyond the cutoff, so that atoms that move during a relaxation do not begin to interact with an image."""


def pad_vacuum(frame: Atoms, cutoff: float) -> Atoms:
    """Make a sheet periodic along three axes, with more vacuum than the cutoff of a force field.

    Parameters
    ----------
    frame
        A sheet of any periodicity and vacuum.
    cutoff
        Å, cutoff of the force field.

    Returns
    -------
    A copy with three periodic axes. A cell that is already high enough keeps its height.

    Examples
    --------
    >>> from flatforce.structures.prototypes import monolayer
    >>> sheet = monolayer(("W", "Se"), prototype="2H", a=3.317, thickness=3.36, height=5.0)
    >>> round(float(pad_vacuum(sheet, 5.0).cell[2, 2]), 2)
    9.32
    """
    min_gap = cutoff + VACUUM_MARGIN
    height, extent = cell_height(frame), thickness(frame)
    gap = height - extent if height > 0 else 0.0
    return as_slab(frame, gap=max(gap, min_gap))
