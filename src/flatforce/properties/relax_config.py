"""Settings of a relaxation; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config


class RelaxConfig(Config):
    """Settings of a relaxation."""

    max_force: PositiveFloat = 0.001
    """Convergence criterion: the largest force on any atom, in eV/Å."""
    max_stress: PositiveFloat = 0.01
    """Convergence criterion: the largest component of the membrane stress, in N/m; it counts only where the cell may
    change."""
    max_steps: PositiveInt = 1000
    """Number of optimiser steps after which a relaxation that has not converged ends."""
    optimizer: Literal["FIRE", "LBFGS", "BFGS"] = "FIRE"
    """Name of the ASE optimiser that takes the steps. BFGS starts from the second derivatives of springs between neighbours and needs
    the fewest steps for small cells; its memory grows with the square of the number of atoms."""
    relax_cell: bool = True
    """Whether the two in-plane lattice vectors are relaxed together with the positions."""
    keep_symmetry: bool = False
    """Whether the space group of the initial structure is preserved."""
