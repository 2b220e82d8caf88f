"""Settings of the quasi-harmonic thermal expansion; importing them costs no more than pydantic."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.properties.phonons.config import Engine


class ExpansionConfig(Config):
    """Quasi-harmonic thermal expansion of a pristine sheet."""

    supercell: tuple[PositiveInt, PositiveInt] = (8, 8)
    """Repetitions of the primitive cell for the force constants."""
    strain: PositiveFloat = Field(0.004, le=0.05)
    """Biaxial strain, 0.01 is one per cent, by which the sheet is stretched and compressed to differentiate its vibrations."""
    mesh: PositiveInt = 48
    """Number of q points along each reciprocal lattice vector. It sets the longest flexural wave, about 140 Å by
    default; waves that are longer contribute what `rest_alpha_300K` says."""
    engine: Engine = "auto"
    """How force constants are computed, as in the phonons."""
    displacement: PositiveFloat = 0.005
    """Length of the finite displacements in Å, where no rows are computed."""
    max_force: PositiveFloat = 0.0005
    """Convergence criterion of the ions in a strained cell: the largest force on any atom, in eV/Å."""
    max_steps: PositiveInt = 1000
    """Number of optimiser steps after which a relaxation that has not converged ends."""
    t_max: PositiveFloat = Field(1000.0, ge=300.0)
    """Highest temperature in K; results are given every 10 K from 0 K."""
