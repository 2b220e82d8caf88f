"""Imaginary modes followed downhill, to tell a saddle point of the energy from noise of the force constants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.properties.phonons.spectra.modes import IMAGINARY
from flatforce.properties.relax import relax

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.phonons.defects.result import DefectPhonons
    from flatforce.properties.relax_config import RelaxConfig

INITIAL_DISPLACEMENT: Final = 0.15
"""Å, largest initial displacement of an atom: beyond the flat top of a shallow double well, but too small for a bond to
become anharmonic."""

MIN_ENERGY_GAIN: Final = 1e-3
"""eV. A relaxation that gains less has returned to the same minimum: residual forces of 0.001 eV/Å over 1 Å."""


@dataclass(frozen=True)
class FollowedMode:
    """Where an imaginary mode leads."""

    frequency: float
    """THz, imaginary as a negative number."""
    energy_gain: float
    """eV per supercell, energy before minus energy after."""
    saddle: bool
    """Whether the structure was a saddle point rather than a minimum."""
    max_displacement: float
    """Å, largest displacement of an atom."""
    relaxed: Atoms
    """The lower of the two structures found."""
    converged: bool
    """Whether all relaxations have converged."""

    @property
    def description(self) -> str:
        """What was found, as one sentence for the user."""
        if not self.converged:
            return f"the mode at {self.frequency:.3f} THz was followed, but a relaxation did not converge"
        if self.saddle:
            return (
                f"the mode at {self.frequency:.3f} THz leads downhill by {1e3 * self.energy_gain:.1f} meV: "
                "followed.extxyz holds the lower structure"
            )
        return (
            f"the mode at {self.frequency:.3f} THz leads back to the same structure: "
            "it is noise of the force constants"
        )


def follow_lowest_mode(
    potential: Potential, phonons: DefectPhonons, config: RelaxConfig, *, progress: Progress = silent
) -> DefectPhonons:
    """Follow the lowest mode of a defect cell at Γ, if it is imaginary.

    Parameters
    ----------
    potential
        The force field.
    phonons
        Phonons of a defect cell.
    config
        Settings of the relaxations.
    progress
        Called after each step.

    Returns
    -------
    The phonons, with `followed` set where the lowest mode is imaginary.
    """
    lowest = int(phonons.gamma.frequencies[0].argmin())
    frequency = float(phonons.gamma.frequencies[0][lowest])
    if frequency >= IMAGINARY:
        return phonons
    vector = phonons.gamma.vectors[0].real[:, lowest].reshape(-1, 3)
    followed = follow_mode(potential, phonons.relaxed, vector, frequency, config, progress=progress)
    return replace(phonons, followed=followed)


def follow_mode(
    potential: Potential,
    cell: Atoms,
    vector: FloatArray,
    frequency: float,
    config: RelaxConfig,
    *,
    progress: Progress = silent,
) -> FollowedMode:
    """Displace a structure along a mode, in both directions, and relax it.

    Parameters
    ----------
    potential
        The force field.
    cell
        A relaxed supercell.
    vector
        (N, 3) eigenvector of the dynamical matrix.
    frequency
        THz, frequency of the mode.
    config
        Settings of the relaxations.
    progress
        Called after each step.

    Returns
    -------
    The lower of the two structures found, and how it compares with the initial one.
    """
    shift = vector / np.sqrt(cell.get_masses())[:, None]
    shift *= INITIAL_DISPLACEMENT / np.linalg.norm(shift, axis=1).max()
    # what residual forces remain must not count as a gain, and the structure must not slide to the minimum meanwhile
    symmetric = config.model_copy(update={"keep_symmetry": True})
    initial = relax(potential, cell, symmetric, progress=progress)
    ends = []
    for sign in (1, -1):
        displaced = cell.copy()
        displaced.positions += sign * shift
        ends.append(relax(potential, displaced, config, progress=progress))
    lower = min(ends, key=lambda end: end.energy)
    energy_gain = initial.energy - lower.energy
    displacements = np.linalg.norm(lower.atoms.positions - initial.atoms.positions, axis=1)
    return FollowedMode(
        frequency=frequency,
        energy_gain=energy_gain,
        saddle=energy_gain > MIN_ENERGY_GAIN,
        max_displacement=float(displacements.max()),
        relaxed=lower.atoms,
        converged=all(relaxation.converged for relaxation in (initial, *ends)),
    )
