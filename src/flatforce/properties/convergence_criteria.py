"""Whether the convergence criteria of a relaxation tell a structure from a distorted copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.properties.relax_config import RelaxConfig

STRAIN: Final = 0.01
"""Biaxial strain of the copy: it puts 0.3 N/m on a sheet as soft as C11 + C12 = 30 N/m."""

DISPLACEMENT: Final = 0.02
"""Å, standard deviation of the displacements of the copy: bonds as soft as 1 eV/Å² return it with forces of 0.02 eV/Å."""


def criteria_discriminate(potential: Potential, atoms: Atoms, config: RelaxConfig) -> bool:
    """Tell whether a strained and rattled copy of a structure exceeds a convergence criterion.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A structure that meets the criteria.
    config
        Settings of the relaxation.

    Returns
    -------
    False if the copy meets the criteria as well: they are too large, or the force field does not depend on the structure. True where
    nothing can be relaxed.
    """
    if len(atoms) == 1 and not config.relax_cell:
        return True
    strain = STRAIN if config.relax_cell else 0.0
    strained = apply_strain(atoms, xx=strain, yy=strain)
    distorted = rattle_positions(strained, amplitude=DISPLACEMENT, rng=np.random.default_rng(0))
    (prediction,) = potential.evaluate([distorted], stress=config.relax_cell)
    if np.linalg.norm(prediction.forces, axis=1).max() >= config.max_force:
        return True
    stress = prediction.membrane_stress
    return config.relax_cell and stress is not None and bool(np.abs(stress).max() >= config.max_stress)
