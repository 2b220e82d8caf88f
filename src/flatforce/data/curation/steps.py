"""Which steps of a relaxation to keep, by the energy difference to the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import IntArray


MIN_FALLING: Final = 0.65
"""Fraction of steps with a falling energy from which on a trajectory counts as a relaxation."""

MAX_RISE: Final = 0.1
"""Fraction of the range of energies by which the last step of a relaxation may be above the lowest one."""


def select_steps(energies: Sequence[float], *, min_energy_step: float) -> IntArray:
    """Select steps of one relaxation trajectory.

    Step i is kept if |E_i − E_{i+1}| > min_energy_step (e_cut in the literature). The first and the last step are always kept;
    if no step passes, the middle one is kept too. So min_energy_step → ∞ keeps the first, the middle and the last step, and
    a negative one keeps all.

    Parameters
    ----------
    energies
        (n,) eV/atom, in the order of the relaxation.
    min_energy_step
        Energy difference in eV/atom.

    Returns
    -------
    (m,) int, indices of the selected steps, increasing.
    """
    count = len(energies)
    differences = np.abs(np.diff(np.asarray(energies, dtype=float)))
    passing = np.flatnonzero(differences > min_energy_step)
    if passing.size == 0:
        passing = np.array([count // 2])
    selected: IntArray = np.unique(np.concatenate([[0], passing, [count - 1]])).astype(np.int64)
    return selected


def is_relaxation(energies: Sequence[float]) -> bool:
    """Tell a relaxation from molecular dynamics by its energies.

    Parameters
    ----------
    energies
        (n,) eV/atom, in the order of the steps.

    Returns
    -------
    True if most steps lower the energy, and the last is within a tenth of the range from the lowest; the potential energy of
    molecular dynamics rises as often as it falls.
    """
    values = np.asarray(energies, dtype=float)
    falling = float((np.diff(values) <= 0).mean()) if len(values) > 1 else 0.0
    return falling >= MIN_FALLING and values[-1] - values.min() <= MAX_RISE * np.ptp(values)
