"""Settings of an alloy's lattice; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from flatforce.core.config import Config


class AlloyConfig(Config):
    """A parent sheet and the species that mix on one of its sublattices."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """Name of the alloy, such as MoWS2."""
    species: list[str] = Field(min_length=2)
    """Chemical symbols of the species that mix. In a binary A, B the composition x is the concentration of B."""
    prototype: Literal["2H", "1T", "honeycomb"] | None = None
    """Structure type of the parent sheet: `2H` and `1T` are MX2, `honeycomb` has two atoms in a plane; null where
    `file` is given."""
    symbols: tuple[str, str] | None = None
    """Chemical symbols of the parent: (M, X) of an MX2, or those of the two sublattices of a honeycomb."""
    a: PositiveFloat | None = None
    """Lattice constant of the parent, in Å."""
    thickness: float = 0.0
    """Out-of-plane X–X distance of an MX2, in Å; 0 for a honeycomb."""
    file: str | None = None
    """File with the primitive cell of the parent, in any format that ASE reads, instead of a prototype."""
    site: str
    """Chemical symbol in the parent whose sites the species share."""

    @model_validator(mode="after")
    def _check(self) -> AlloyConfig:
        if len(set(self.species)) < len(self.species):
            raise ValueError("a species is given twice")
        if (self.file is None) == (self.prototype is None):
            raise ValueError("give either a prototype, with symbols and a, or a file")
        if self.prototype is not None and (self.symbols is None or self.a is None):
            raise ValueError("a prototype needs symbols and a")
        if self.prototype in {"2H", "1T"} and self.thickness <= 0:
            raise ValueError("an MX2 needs a thickness")
        return self
