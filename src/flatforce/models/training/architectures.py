"""Architectures of the models that can be trained."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, NonNegativeInt, PositiveFloat, PositiveInt, Tag

from flatforce.core.config import Config

IRREPS = r"^\s*[1-9]\d*x\d+[eo](\s*\+\s*[1-9]\d*x\d+[eo])*\s*$"
"""Pattern of irreducible representations in the notation of e3nn, such as 32x0e + 32x1o."""


MAX_DEGREE = 11
"""Largest degree of which e3nn knows the Wigner matrices."""


def _check_irreps(irreps: str) -> str:
    """Require scalars, from which the energy is read out, and degrees that e3nn knows."""
    degrees = [(int(term[1]), term[2]) for term in re.finditer(r"x(\d+)([eo])", irreps)]
    if (0, "e") not in degrees:
        raise ValueError("the energy is read out of scalars: write for instance 16x0e + 16x1o")
    if max(degree for degree, _ in degrees) > MAX_DEGREE:
        raise ValueError(f"the largest degree is {MAX_DEGREE}")
    return irreps


Irreps = Annotated[str, Field(pattern=IRREPS), AfterValidator(_check_irreps)]


class MaceArchitecture(Config):
    """Architecture of a MACE model."""

    kind: Literal["mace"] = "mace"
    """Kind of architecture that these settings describe: MACE."""
    hidden_irreps: Irreps = "32x0e + 32x1o"
    """Irreducible representations of the node features in the notation of e3nn, such as 32x0e + 32x1o."""
    r_max: PositiveFloat = 5.0
    """Cutoff of the neighbour graph in Å."""
    num_interactions: PositiveInt = 2
    """Number of message-passing layers; the interaction range is this number times `r_max`."""
    correlation: PositiveInt = 3
    """Body order of a message minus one."""
    max_ell: PositiveInt = Field(3, le=MAX_DEGREE)
    """Largest degree of the spherical harmonics of an edge."""
    num_radial_basis: PositiveInt = 8
    """Number of Bessel functions that expand an edge length."""
    num_cutoff_basis: PositiveInt = 5
    """Order of the polynomial that takes the edges smoothly to zero at the cutoff."""
    readout_irreps: Irreps = "16x0e"
    """Irreducible representations of the hidden layer of the last readout."""


class M3GNetArchitecture(Config):
    """Architecture of an M3GNet model of MatGL."""

    kind: Literal["m3gnet"]
    """Kind of architecture that these settings describe: M3GNet, as MatGL implements it."""
    r_max: PositiveFloat = 5.0
    """Cutoff of the neighbour graph in Å."""
    threebody_cutoff: PositiveFloat = 4.0
    """Cutoff in Å of the two bonds that form an angle."""
    units: PositiveInt = 64
    """Number of features of a node and of an edge."""
    num_interactions: PositiveInt = 3
    """Number of message-passing layers; the interaction range is this number times `r_max`."""


class TensorNetArchitecture(Config):
    """Architecture of a TensorNet model of MatGL."""

    kind: Literal["tensornet"]
    """Kind of architecture that these settings describe: TensorNet, as MatGL implements it."""
    r_max: PositiveFloat = 5.0
    """Cutoff of the neighbour graph in Å."""
    units: PositiveInt = 64
    """Number of features (channels) of each node."""
    num_interactions: PositiveInt = 2
    """Number of message-passing layers; the interaction range is one more than this number, times `r_max`."""
    num_radial_basis: PositiveInt = 32
    """Number of Gaussians that expand an edge length."""


class NequIPArchitecture(Config):
    """Architecture of a NequIP model."""

    kind: Literal["nequip"]
    """Kind of architecture that these settings describe: NequIP."""
    r_max: PositiveFloat = 5.0
    """Cutoff of the neighbour graph in Å."""
    num_features: PositiveInt = 32
    """Number of node features for each degree and parity."""
    l_max: NonNegativeInt = 1
    """Largest degree of the node features and of the spherical harmonics."""
    parity: bool = True
    """Whether the model has features of odd parity; without them it breaks the mirror symmetry of a sheet."""
    num_interactions: PositiveInt = 3
    """Number of message-passing layers; the interaction range is this number times `r_max`."""
    num_radial_basis: PositiveInt = 8
    """Number of Bessel functions that expand an edge length."""


def _kind(value: Any) -> str:
    return str(value.get("kind", "mace") if isinstance(value, dict) else getattr(value, "kind", ""))


Architecture = Annotated[
    Annotated[MaceArchitecture, Tag("mace")]
    | Annotated[M3GNetArchitecture, Tag("m3gnet")]
    | Annotated[TensorNetArchitecture, Tag("tensornet")]
    | Annotated[NequIPArchitecture, Tag("nequip")],
    Discriminator(_kind),
]
"""Architecture of a new model, distinguished by `kind`; MACE if no `kind` is given."""
