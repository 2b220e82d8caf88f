"""Shapes of the models that can be trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, NonNegativeInt, PositiveFloat, PositiveInt, Tag

from flatforce.core.config import Config

IRREPS = r"^\s*\d+x\d+[eo](\s*\+\s*\d+x\d+[eo])*\s*$"
"""As 32x0e + 32x1o."""


class MaceArchitecture(Config):
    """Shape of a MACE model."""

    kind: Literal["mace"] = "mace"
    """Which model."""
    hidden_irreps: str = Field("32x0e + 32x1o", pattern=IRREPS)
    """Features of a node, in e3nn's notation."""
    r_max: PositiveFloat = 5.0
    """Å. Cutoff of an edge."""
    num_interactions: PositiveInt = 2
    """Message-passing layers."""
    correlation: PositiveInt = 3
    """Body order of a message less one."""
    max_ell: PositiveInt = Field(3, le=11)
    """Highest spherical harmonic of an edge."""
    num_radial_basis: PositiveInt = 8
    """Bessel functions."""
    num_cutoff_basis: PositiveInt = 5
    """Order of the polynomial cutoff."""
    readout_irreps: str = Field("16x0e", pattern=IRREPS)
    """Hidden layer of the last readout."""


class M3GNetArchitecture(Config):
    """Shape of MatGL's M3GNet."""

    kind: Literal["m3gnet"]
    """Which model."""
    r_max: PositiveFloat = 5.0
    """Å. Cutoff of an edge."""
    threebody_cutoff: PositiveFloat = 4.0
    """Å. Cutoff of the bonds of an angle."""
    units: PositiveInt = 64
    """Features of a node and an edge."""
    num_interactions: PositiveInt = 3
    """Message-passing layers."""


class TensorNetArchitecture(Config):
    """Shape of MatGL's TensorNet."""

    kind: Literal["tensornet"]
    """Which model."""
    r_max: PositiveFloat = 5.0
    """Å. Cutoff of an edge."""
    units: PositiveInt = 64
    """Features of a node."""
    num_interactions: PositiveInt = 2
    """Message-passing layers."""
    num_radial_basis: PositiveInt = 32
    """Gaussians of a bond length."""


class NequIPArchitecture(Config):
    """Shape of a NequIP model."""

    kind: Literal["nequip"]
    """Which model."""
    r_max: PositiveFloat = 5.0
    """Å. Cutoff of an edge."""
    num_features: PositiveInt = 32
    """Features of a node for each order and parity."""
    l_max: NonNegativeInt = 1
    """Highest order of a feature and of a spherical harmonic."""
    parity: bool = True
    """Whether features of odd parity take part; without them a model does not know a mirror."""
    num_interactions: PositiveInt = 3
    """Message-passing layers."""
    num_radial_basis: PositiveInt = 8
    """Bessel functions."""


def _kind(value: Any) -> str:
    return str(value.get("kind", "mace") if isinstance(value, dict) else getattr(value, "kind", ""))


Architecture = Annotated[
    Annotated[MaceArchitecture, Tag("mace")]
    | Annotated[M3GNetArchitecture, Tag("m3gnet")]
    | Annotated[TensorNetArchitecture, Tag("tensornet")]
    | Annotated[NequIPArchitecture, Tag("nequip")],
    Discriminator(_kind),
]
"""MACE where no `kind` is given."""
