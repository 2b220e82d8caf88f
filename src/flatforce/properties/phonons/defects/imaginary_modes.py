"""Imaginary modes followed downhill: is it a saddle of the energy, or noise of the force constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.properties.relax import relax

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.relax_config import RelaxConfig

PUSH: Final = 0.15
"""Å, largest displacement of an atom at the start: beyond the flat top of a shallow double well, short of a bond's anharmonicity."""

GAIN: Final = 1e-3
"""eV. A relaxation that gains less has found the same minimum again: what 0.001 eV/Å leaves over 1 Å."""


@dataclass(frozen=True)
class Followed:
    """Where an imaginary mode leads."""

    frequency: float
    """THz, imaginary as negative."""
    gain: float
    """eV of the supercell, energy before less energy after."""
    saddle: bool
    """Whether the structure was no minimum."""
    moved: float
    """Å, largest displacement of an atom."""
    relaxed: Atoms
    """The lower of the two ends."""
    converged: bool
    """Whether both ends, and the start, came to rest."""

    @property
    def text(self) -> str:
        """What is to be told."""
        if not self.converged:
            return f"the mode at {self.frequency:.3f} THz was followed, but a relaxation did not converge"
        if self.saddle:
            return (
                f"the mode at {self.frequency:.3f} THz leads downhill by {1e3 * self.gain:.1f} meV: "
                "followed.extxyz holds the lower structure"
            )
        return f"the mode at {self.frequency:.3f} THz leads back: noise of the force constants"


def follow(
    potential: Potential,
    cell: Atoms,
    vector: FloatArray,
    frequency: float,
    config: RelaxConfig,
    *,
    progress: Progress = silent,
) -> Followed:
    """Push a structure along a mode, both ways, and relax it.

    Parameters
    ----------
    potential
        The force field.
    cell
        A relaxed supercell.
    vector
        (N, 3) eigenvector of the dynamical matrix.
    frequency
        THz, of the mode.
    config
        Settings of the relaxation.
    progress
        Told after each step.

    Returns
    -------
    Where it leads.
    """
    shift = vector / np.sqrt(cell.get_masses())[:, None]
    shift *= PUSH / np.linalg.norm(shift, axis=1).max()
    still = config.model_copy(
        update={"keep_symmetry": True}
    )  # what rest is left is no gain, and it must not slide
    before = relax(potential, cell, still, progress=progress)
    ends = []
    for sign in (1, -1):
        pushed = cell.copy()
        pushed.positions += sign * shift
        ends.append(relax(potential, pushed, config, progress=progress))
    lower = min(ends, key=lambda end: end.energy)
    gain = before.energy - lower.energy
    moved = np.linalg.norm(lower.atoms.positions - before.atoms.positions, axis=1)
    converged = all(one.converged for one in (before, *ends))
    return Followed(frequency, gain, gain > GAIN, float(moved.max()), lower.atoms, converged)
