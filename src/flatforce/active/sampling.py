"""Settings of the samplers."""

from __future__ import annotations

from typing import Any

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.active.dynamics import Dynamics
from flatforce.core.config import Config


class Rattles(Config):
    """Every atom moved at random."""

    amplitudes: list[PositiveFloat] = Field([0.02, 0.05, 0.1], min_length=1)
    """Å, standard deviation of each component."""
    count: PositiveInt = 5
    """Of each sheet at each amplitude."""


class Strains(Config):
    """Cells strained at random in the plane, and rattled a little."""

    largest: PositiveFloat = 0.03
    """Of each strain component."""
    rattle: NonNegativeFloat = 0.02
    """Å."""
    count: PositiveInt = 5
    """Of each sheet."""


class ThermalModes(Config):
    """Harmonic thermal displacements, from the model's own force constants (phonopy)."""

    temperatures: list[PositiveFloat] = Field([300.0], min_length=1)
    """K."""
    count: PositiveInt = 5
    """Of each sheet at each temperature."""


class RandomDefects(Config):
    """Defects, alone and in pairs at random distances, in supercells of a primitive sheet, rattled."""

    primitive: str
    """File of the primitive cell."""
    defects: list[str] = Field(min_length=1)
    """Such as v_Se:top; see `flatforce defect build --help`."""
    size: PositiveInt = 3
    """Primitive cells along both vectors."""
    pairs: bool = True
    """Whether any two, of the same kind or not, stand together in one cell as well, at sites drawn at random."""
    rattle: PositiveFloat = 0.03
    """Å."""
    count: PositiveInt = 2
    """Of each."""


class Relaxations(Config):
    """Steps of the model's own relaxations, from rattled starts."""

    rattle: PositiveFloat = 0.15
    """Å."""
    count: PositiveInt = 1
    """Of each sheet."""
    every: PositiveInt = 10
    """Steps between frames that are proposed."""


class Sampling(Config):
    """Which samplers propose; a part that is left out proposes nothing. Without any part there is dynamics."""

    rattles: Rattles | None = None
    """Random displacements."""
    strains: Strains | None = None
    """Random cells."""
    modes: ThermalModes | None = None
    """Displacements along modes."""
    defects: RandomDefects | None = None
    """Point defects."""
    relaxations: Relaxations | None = None
    """Relaxation paths."""
    dynamics: Dynamics | None = None
    """Molecular dynamics."""

    @model_validator(mode="before")
    @classmethod
    def _any(cls, values: Any) -> Any:
        return values or {"dynamics": {}}
