"""Settings of formation energies; importing them costs no more than pydantic."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.reference.config import LabelConfig


class DefectEnergyConfig(Config):
    """Formation and binding energies of defects."""

    sizes: list[PositiveInt] = Field([6], min_length=1)
    """Numbers n of the n × n supercells in primitive cells; two or more are extrapolated to an infinite sheet."""
    references: dict[str, float] = {}
    """Energies of competing phases by chemical formula, in eV per formula unit, such as {W: -11.2, Se: -3.5}, computed by the method
    of the labels of the force field. Every element that a defect adds or removes needs at least one phase; those of the model
    card are the default."""
    arrangements: PositiveInt = 1
    """Number of arrangements of a complex, from the nearest, that are computed where its notation names none."""
    temperatures: list[PositiveFloat] = [300.0, 900.0]
    """Temperatures in K of the equilibrium concentrations."""
    rattle: NonNegativeFloat = 0.005
    """Standard deviation in Å of the random displacements before a relaxation, since a symmetric structure may be a saddle point."""
    max_force: PositiveFloat = 0.005
    """Convergence criterion of the relaxations: the largest force on any atom, in eV/Å."""
    max_steps: PositiveInt = 500
    """Number of optimiser steps after which a relaxation that has not converged ends."""
    verify: LabelConfig | None = None
    """Settings of the labels with which the smallest supercells, relaxed by the force field, are computed as well; null computes none."""
    verify_steps: PositiveInt = 1
    """Largest number of labels of one defect: with more than one, it is relaxed further by labels."""
    verify_max_force: PositiveFloat = 0.03
    """Largest force on an atom at which a relaxation by labels ends, in eV/Å."""
    verify_tolerance: PositiveFloat = 0.1
    """Largest difference in eV between an energy by labels and one by the force field that is accepted."""
