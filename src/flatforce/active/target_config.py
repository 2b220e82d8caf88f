"""Settings of the property whose variance `strategy: property` reduces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config


class TargetConfig(Config):
    """A property of one relaxed cell."""

    kind: Literal["ldos", "modes", "formation_energy"] = "ldos"
    """The property: `ldos` is the local density of states of `atoms` at Γ of the cell, `modes` the frequencies of the
    `count` modes with the largest projection onto `atoms`, `formation_energy` the energy relative to `pristine`."""
    structure: str
    """File of the relaxed cell, such as a supercell with the defect."""
    atoms: list[int] = []
    """Indices (from 0) of the atoms near the defect; an empty list means all atoms."""
    window: tuple[float, float] = (0.0, 12.0)
    """Lower and upper end in THz of the spectrum and of the frequencies of the modes."""
    broadening: PositiveFloat = Field(0.2)
    """Standard deviation in THz of the Gaussian that broadens the spectrum."""
    count: PositiveInt = 6
    """Number of modes that count for `kind: modes`."""
    pristine: str | None = None
    """File of the pristine sheet, as a primitive cell or a supercell, for `kind: formation_energy`."""

    @model_validator(mode="after")
    def _check_pristine(self) -> TargetConfig:
        if self.kind == "formation_energy" and self.pristine is None:
            raise ValueError("kind: formation_energy needs `pristine`, the file of the pristine sheet")
        return self
