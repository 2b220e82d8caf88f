"""Settings of a study: which data, which model, which properties."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.models.training.config import TrainConfig
from flatforce.properties.phonons.config import DefectPhononConfig
from flatforce.properties.phonons.config import DiluteConfig
from flatforce.properties.phonons.config import EmbedConfig
from flatforce.properties.phonons.config import PhononConfig
from flatforce.properties.relax_config import RelaxConfig


class Prototype(Config):
    """A monolayer made from its prototype."""

    prototype: Literal["2H", "1T", "honeycomb"] = "2H"
    """Kind of sheet."""
    elements: tuple[str, str]
    """(M, X), or the two sublattices of a honeycomb."""
    a: PositiveFloat
    """Å. Lattice constant to start the relaxation from."""
    thickness: NonNegativeFloat = 0.0
    """Å. X–X distance along the normal."""


class EvaluateConfig(Config):
    """Which labelled frames judge the model."""

    frames: str
    """File, or name of a bundled dataset."""
    held_out: bool = True
    """Only the frames that the study's own training left out."""


class DefectConfig(Config):
    """Phonons of one defect."""

    defect: str
    """Such as `v_Se:top`; see `flatforce defect build --help`."""
    sizes: list[PositiveInt] = [6]
    """n of the n × n supercells; two or more are compared."""
    phonons: DefectPhononConfig = DefectPhononConfig()
    """Settings for every size; its `supercell` is not used."""
    embed: EmbedConfig | None = None
    """Embedding of the largest size into a larger cell."""
    dilute: DiluteConfig | None = None
    """Limit of an infinite sheet, from the embedding."""

    @model_validator(mode="after")
    def _dilute_needs_embedding(self) -> Self:
        if self.dilute is not None and self.embed is None:
            raise ValueError("`dilute` is taken from an embedding: give `embed`")
        return self


class StudyConfig(Config):
    """A whole study; each part is left out by leaving out its key."""

    structure: Prototype | str
    """A prototype, or the file of a primitive cell."""
    train: TrainConfig | None = None
    """Train a force field …"""
    model: str | None = None
    """… or take one, such as `mace:wse2-pbe`."""
    evaluate: EvaluateConfig | None = None
    """Errors against DFT."""
    relax: RelaxConfig = RelaxConfig(keep_symmetry=True)
    """Relaxation of the primitive cell."""
    phonons: PhononConfig | None = None
    """Pristine phonons."""
    defects: list[DefectConfig] = []
    """Defect phonons."""

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.train is None) == (self.model is None):
            raise ValueError("give either `train` or `model`")
        return self
