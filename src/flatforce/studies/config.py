"""Settings of a study: which data, which model, which properties."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.models.training.config import TrainConfig
from flatforce.properties.barriers.config import HopsConfig
from flatforce.properties.defect_energies.config import DefectEnergyConfig
from flatforce.properties.dynamics.config import MdConfig
from flatforce.properties.elasticity.config import ElasticConfig
from flatforce.properties.expansion.config import ExpansionConfig
from flatforce.properties.export.config import ExportConfig, Target
from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig, PhononConfig
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.screening.config import ScreenConfig


class Prototype(Config):
    """A monolayer built from its prototype."""

    prototype: Literal["2H", "1T", "honeycomb"] = "2H"
    """Structure type: `2H` and `1T` are MX2 with trigonal prismatic and octahedral coordination, `honeycomb` has two
    atoms in a plane."""
    elements: tuple[str, str]
    """Species (M, X), or those of the two sublattices of a honeycomb."""
    a: PositiveFloat
    """Lattice constant in Å from which the relaxation starts."""
    thickness: NonNegativeFloat = 0.0
    """Distance of the two X planes in Å; 0 for a honeycomb."""


class EvaluateConfig(Config):
    """Labelled frames on which the model is evaluated."""

    frames: str
    """File of labelled frames, or name of a bundled dataset."""
    held_out: bool = True
    """Whether only frames in the test set of the study's own training are evaluated."""


class DefectConfig(Config):
    """Phonons of one defect."""

    defect: str
    """Notation of the defect, such as `v_Se:top`; `flatforce defect build --help` describes it."""
    sizes: list[PositiveInt] = Field([6], min_length=1)
    """Numbers n of the n × n supercells in primitive cells; two or more are compared with one another."""
    phonons: DefectPhononConfig = DefectPhononConfig()
    """Settings of the phonons at every size; the key `supercell` in it is not used."""
    embed: EmbedConfig | None = None
    """Embedding of the largest relaxed cell into a larger supercell; left out if null."""
    dilute: DiluteConfig | None = None
    """Limit of an infinite sheet, computed from the embedding; left out if null."""
    hops: HopsConfig | None = None
    """Barriers of all distinct first hops of the defect; left out if null."""

    @model_validator(mode="after")
    def _dilute_needs_embedding(self) -> Self:
        if self.dilute is not None and self.embed is None:
            raise ValueError("`dilute` is computed from an embedding: add `embed`")
        return self

    def supercells(self) -> list[DefectPhononConfig]:
        """Return the settings of each size, smallest first."""
        return [self.phonons.model_copy(update={"supercell": (n, n)}) for n in sorted(set(self.sizes))]


class StudyScreenConfig(ScreenConfig):
    """Screening of many sheets with the force field of the study."""

    structures: str | None = None
    """File of sheets, or folder of files; null where `candidates` generates all of them."""
    references: str | None = None
    """File of competing phases, with or without labels; none if null."""


class StudyExportConfig(ExportConfig):
    """Exports to other programs, compared on the relaxed sheet."""

    to: list[Target] = Field(min_length=1)
    """Programs: `lammps`, `symmetrix` and `ase` read the force field, `phonopy` the force constants of `phonons`."""


class StudyConfig(Config):
    """A whole study: a model is trained or taken, evaluated, and used for phonons; a part is left out by leaving out its key."""

    structure: Prototype | str
    """Monolayer built from a prototype, or path of a file with the primitive cell in any format that ASE reads."""
    train: TrainConfig | None = None
    """Training of a force field; give either this or `model`."""
    model: str | None = None
    """Name of an existing force field, such as `mace:wse2-pbe`; give either this or `train`."""
    evaluate: EvaluateConfig | None = None
    """Evaluation of the errors against DFT; left out if null."""
    relax: RelaxConfig = RelaxConfig(keep_symmetry=True)
    """Relaxation of the primitive cell, which all later parts use."""
    phonons: PhononConfig | None = None
    """Phonons of the pristine sheet; left out if null."""
    elastic: ElasticConfig | None = None
    """Elastic constants and bending rigidity of the pristine sheet; left out if null."""
    expansion: ExpansionConfig | None = None
    """Thermal expansion of the pristine sheet; left out if null."""
    md: MdConfig | None = None
    """Molecular dynamics of the pristine sheet; left out if null."""
    defect_energies: DefectEnergyConfig | None = None
    """Formation energies of the defects that `defects` names; left out if null."""
    defects: list[DefectConfig] = []
    """Defects whose phonons are compared with those of the pristine sheet."""
    screen: StudyScreenConfig | None = None
    """Relaxation and ranking of many other sheets; left out if null."""
    export: StudyExportConfig | None = None
    """Files for other programs; left out if null."""

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.train is None) == (self.model is None):
            raise ValueError("give either `train` or `model`, not both and not neither")
        return self

    @model_validator(mode="after")
    def _phonopy_needs_phonons(self) -> Self:
        if self.export is not None and "phonopy" in self.export.to and self.phonons is None:
            raise ValueError("export to `phonopy` writes the force constants of `phonons`: add `phonons`")
        return self
