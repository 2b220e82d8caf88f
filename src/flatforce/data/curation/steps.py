"""Which steps of a relaxation to keep, by how much the energy falls from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import IntArray


def select_steps(energies: Sequence[float], *, e_cut: float) -> IntArray:
    """Choose steps of one trajectory.

    Step i stays when |E_i − E_{i+1}| > e_cut; the first and the last always stay; when no step passes, the middle one
    joins them. So e_cut → ∞ gives first, middle, last, and e_cut < 0 everything.

    Parameters
    ----------
    energies
        eV/atom, in the order of the relaxation.
    e_cut
        eV/atom.

    Returns
    -------
    (n) indices, increasing.
    """
    count = len(energies)
    falls = np.abs(np.diff(np.asarray(energies, dtype=float)))
    passing = np.flatnonzero(falls > e_cut)
    if passing.size == 0:
        passing = np.array([count // 2])
    chosen: IntArray = np.unique(np.concatenate([[0], passing, [count - 1]])).astype(np.int64)
    return chosen
