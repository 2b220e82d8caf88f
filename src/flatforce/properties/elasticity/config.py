"""Settings of elastic constants and bending rigidity; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config


class ElasticConfig(Config):
    """Settings of elastic constants and bending rigidity."""

    strain: PositiveFloat = Field(0.008, le=0.1)
    """Largest Lagrangian strain that is applied, 0.01 is one per cent; the sheet is strained by ± this value and by ± half of it, along x, along y
    and in shear."""
    nonlinear: bool = False
    """Whether the third-order constants C₁₁₁, C₁₁₂, C₂₂₂ and C₁₂₂ are computed as well, with strains up to four times
    `strain`."""
    max_force: PositiveFloat = 0.0002
    """Convergence criterion of the ions in a strained cell: the largest force on any atom, in eV/Å."""
    max_steps: PositiveInt = 1000
    """Number of optimiser steps after which a relaxation that has not converged ends."""
    bending: Literal["none", "phonons", "tubes", "both"] = "phonons"
    """How the bending rigidity is computed: `phonons` from the flexural (ZA) branch near Γ, `tubes` from the energies of
    relaxed tubes, `both`, or `none`."""
    supercell: tuple[PositiveInt, PositiveInt] = (8, 8)
    """Repetitions of the cell for the force constants that the flexural branch needs."""
    tube_radii: list[PositiveFloat] = Field([12.0, 16.0, 22.0], min_length=2)
    """Radii of the tubes in Å; each is rounded to a whole number of cells around the tube."""
