"""Settings of a screening; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from flatforce.core.config import Config
from flatforce.core.execution.config import Executor
from flatforce.properties.relax_config import RelaxConfig

ELEMENT = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]


class CandidateConfig(Config):
    """Sheets that are generated: each prototype with each pair of elements."""

    prototypes: list[Literal["2H", "1T", "honeycomb"]] = Field(min_length=1)
    """Prototypes: trigonal prismatic (2H) or octahedral (1T) MX2, and two elements on a honeycomb."""
    metals: list[ELEMENT] = Field(min_length=1)
    """Elements M, or those of one sublattice of a honeycomb."""
    chalcogens: list[ELEMENT] = Field(min_length=1)
    """Elements X, or those of the other sublattice."""
    scales: list[PositiveFloat] = [0.92, 0.96, 1.0, 1.04, 1.08]
    """Factors of the lattice constant that is estimated from covalent radii; the relaxation starts from the one with the lowest
    energy."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.scales:
            raise ValueError("scales holds no factor; give [1.0] to take the estimate as it is")
        return self


RELAX_DEFAULTS: Final[dict[str, Any]] = {
    "max_force": 0.01,
    "max_stress": 0.05,
    "max_steps": 300,
    "optimizer": "BFGS",
}
"""Settings of a relaxation that differ from those of `relax`: forces of 0.01 eV/Å leave less than 1 meV/atom."""


class ScreenConfig(Config):
    """Settings of a screening."""

    relax: RelaxConfig = RelaxConfig(**RELAX_DEFAULTS)
    """Settings of each relaxation; keys that are left out keep the defaults of a screening."""
    max_energy_above_hull: NonNegativeFloat = 0.1
    """Energy above the convex hull, in eV/atom, below which a sheet counts as a candidate for synthesis: `n_below` counts them."""
    duplicate_distance: PositiveFloat = 0.05
    """Largest difference, in Å, of the distances of atoms to their six nearest neighbours in two relaxed sheets that count as the same."""
    duplicate_energy: PositiveFloat = 0.002
    """Largest difference of the energies of two relaxed sheets that count as the same, in eV/atom."""
    candidates: CandidateConfig | None = None
    """Sheets that are generated, in addition to those in files."""
    chunk: PositiveInt = 200
    """Number of sheets that one task relaxes; a task is what a worker takes up, and what is stored when it is finished."""
    executors: dict[str, Executor] = {}
    """Pools of workers, as for labels; this process relaxes all sheets if there is none."""

    @field_validator("relax", mode="before")
    @classmethod
    def _keep_defaults(cls, relax: Any) -> Any:
        """Give keys that a user leaves out the defaults of a screening, not those of `relax`."""
        return {**RELAX_DEFAULTS, **relax} if isinstance(relax, dict) else relax
