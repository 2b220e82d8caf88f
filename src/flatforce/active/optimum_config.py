"""Settings of a search for the strain with an extreme formation energy of a defect."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt

from flatforce.active.search_config import SearchConfig
from flatforce.core.config import Config


class OptimumConfig(Config):
    """Settings of a search for the in-plane strain at which the formation energy of a defect is extreme."""

    search: SearchConfig = SearchConfig()
    """Settings of the Bayesian optimisation. Its two coordinates are the strains along x and y; 0.01 is one per cent."""
    supercell: tuple[PositiveInt, PositiveInt] = (4, 4)
    """Number of primitive cells along both lattice vectors of the defect cell."""
    max_force: PositiveFloat = 0.005
    """Convergence criterion of each relaxation: the largest force on any atom, in eV/Å."""
    max_steps: PositiveInt = 500
    """Number of optimiser steps after which a relaxation that has not converged ends; its strain then has no energy."""
