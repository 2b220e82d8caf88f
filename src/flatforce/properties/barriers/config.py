"""Settings of paths of minimum energy; importing them costs no more than pydantic."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.reference.config import LabelConfig


class NebConfig(Config):
    """The path of minimum energy between two structures, by a climbing-image nudged elastic band."""

    images: PositiveInt = Field(7, ge=3)
    """Number of images between the two ends."""
    max_force: PositiveFloat = 0.03
    """Convergence criterion of the path in eV/Å: the largest force across it on any atom, and all of the force on the climbing
    image."""
    end_max_force: PositiveFloat = 0.005
    """Convergence criterion of the two ends, which are relaxed first in their cell: the largest force on any atom, in eV/Å."""
    max_steps: PositiveInt = 600
    """Number of optimiser steps after which a path that has not converged ends."""
    spring: PositiveFloat = 1.0
    """Spring constant between neighbouring images in eV/Å²."""
    lift: float = 0.0
    """Height in Å by which the atom that moves farthest is raised in the middle of the initial path, below if negative. A path that
    starts in a mirror plane stays in it, whether its saddle point is there or not."""
    keep_order: bool = False
    """Whether atom i of the start becomes atom i of the end, as for two atoms that change places. Otherwise atoms of one element are
    matched so that they move as little as possible."""
    dimer: bool = False
    """Whether the climbing image is refined to a saddle point by the dimer method."""
    frequencies: bool = True
    """Whether vibrations at the start and at the saddle point are computed, for the number of imaginary modes, the attempt frequency
    and rates."""
    vibration_radius: PositiveFloat | None = None
    """Distance in Å from the atom that moves farthest, at the saddle point, within which atoms vibrate; all atoms if null."""
    temperatures: list[PositiveFloat] = [300.0, 600.0, 900.0]
    """Temperatures in K at which rates are given."""
    uncertainty_threshold: NonNegativeFloat = 0.3
    """Standard deviation of a committee's force on an atom in eV/Å above which an image is not trusted; it counts for committees
    only."""
    verify: LabelConfig | None = None
    """Labels of the start, the saddle point and the end, computed with these settings; null computes none."""
    verify_tolerance: PositiveFloat = 0.1
    """Largest difference in eV between the barrier of the labels and that of the force field on the same structures that is
    accepted."""


class HopsConfig(Config):
    """All distinct first hops of a defect."""

    supercell: tuple[PositiveInt, PositiveInt] = (4, 4)
    """Repetitions of the primitive cell along the two in-plane lattice vectors."""
    distance: PositiveFloat | None = None
    """Longest hop in Å; 1.2 times the shortest one if null."""
    path: NebConfig = NebConfig()
    """Settings of each path."""
