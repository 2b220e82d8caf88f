"""Settings of the samplers, which generate candidate structures."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from flatforce.active.dynamics_config import DynamicsConfig
from flatforce.core.config import Config
from flatforce.properties.barriers.config import NebConfig

DYNAMICS: Final = "dynamics"
"""Config type of the frames that molecular dynamics proposes."""


class RattlesConfig(Config):
    """Random displacements of all atoms."""

    amplitudes: list[PositiveFloat] = Field([0.02, 0.05, 0.1], min_length=1)
    """Standard deviations in Å of each Cartesian component of the displacements."""
    count: PositiveInt = 5
    """Number of frames for each sheet and amplitude."""


class StrainsConfig(Config):
    """Random in-plane strains, with small random displacements."""

    max_strain: PositiveFloat = 0.03
    """Largest magnitude of each in-plane strain component; 0.01 is one per cent."""
    rattle: NonNegativeFloat = 0.02
    """Standard deviation in Å of each Cartesian component of the displacements."""
    count: PositiveInt = 5
    """Number of randomly strained frames that are made of each sheet."""


class ThermalModesConfig(Config):
    """Harmonic thermal displacements, from the force constants of the force field (phonopy)."""

    temperatures: list[PositiveFloat] = Field([300.0], min_length=1)
    """Temperatures in K at which the modes are displaced."""
    count: PositiveInt = 5
    """Number of frames for each sheet and temperature."""


class RandomDefectsConfig(Config):
    """Point defects, alone and in pairs at random distances, in rattled supercells of a primitive sheet."""

    primitive: str
    """File of the primitive cell in which the defects are built."""
    defects: list[str] = Field(min_length=1)
    """Names of the defects, such as v_Se:top; see `flatforce defect build --help`."""
    supercell: tuple[PositiveInt, PositiveInt] = (3, 3)
    """Number of primitive cells along the two lattice vectors, such as [3, 3]; the single number 3 means 3 × 3."""
    pairs: bool = True
    """Whether each pair of the defects, of the same kind or not, is also built in one cell, at randomly drawn sites."""
    rattle: PositiveFloat = 0.03
    """Standard deviation in Å of each Cartesian component of the displacements."""
    count: PositiveInt = 2
    """Number of frames for each defect and each pair."""

    @field_validator("supercell", mode="before")
    @classmethod
    def _repeat_square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value


class RelaxationsConfig(Config):
    """Frames of relaxations with the force field, from rattled structures."""

    rattle: PositiveFloat = 0.15
    """Standard deviation in Å of each Cartesian component of the displacements before the relaxation."""
    count: PositiveInt = 1
    """Number of relaxations that start from each sheet, each rattled differently."""
    sampling_interval: PositiveInt = 10
    """Number of relaxation steps between two frames that are proposed."""


PATH_DEFAULTS: Final[dict[str, Any]] = {"frequencies": False, "max_steps": 200}
"""Settings of a path that differ from those of `neb`."""


class PathsConfig(Config):
    """Images of paths of minimum energy, such as the hop of a vacancy, found anew with the force field of each round."""

    ends: list[tuple[str, str]] = Field(min_length=1)
    """Files of the first and the last structure of each path, with the same atoms in the same cell."""
    path: NebConfig = NebConfig(**PATH_DEFAULTS)
    """Settings of each path; keys that are left out keep the defaults of the sampler. `frequencies` is not used."""

    @field_validator("path", mode="before")
    @classmethod
    def _keep_defaults(cls, path: Any) -> Any:
        return {**PATH_DEFAULTS, **path} if isinstance(path, dict) else path

    @model_validator(mode="after")
    def _no_labels(self) -> Self:
        if self.path.verify is not None:
            raise ValueError(
                "`verify` belongs to `flatforce neb`; here `label` says how selected images are labelled"
            )
        return self


class SamplingConfig(Config):
    """Which samplers propose candidates; a sampler that is left out proposes none. If none is named, dynamics is used."""

    rattles: RattlesConfig | None = None
    """Sampler of random displacements of all atoms; left out if null."""
    strains: StrainsConfig | None = None
    """Sampler of random in-plane strains with small random displacements; left out if null."""
    modes: ThermalModesConfig | None = None
    """Sampler of thermal displacements along the phonon modes of the force field; left out if null."""
    defects: RandomDefectsConfig | None = None
    """Sampler of point defects, and of pairs of them; left out if null."""
    relaxations: RelaxationsConfig | None = None
    """Sampler of the frames along relaxations with the force field; left out if null."""
    paths: PathsConfig | None = None
    """Sampler of the images of paths of minimum energy; left out if null."""
    dynamics: DynamicsConfig | None = None
    """Sampler of the frames of molecular dynamics; left out if null, unless no other sampler is named."""

    @property
    def on_the_fly(self) -> bool:
        """Whether dynamics continues from frames that it proposed, so that the members must be trained on them."""
        return self.dynamics is not None and self.dynamics.on_the_fly

    @model_validator(mode="before")
    @classmethod
    def _use_dynamics_by_default(cls, values: Any) -> Any:
        return values or {"dynamics": {}}
