"""Settings of imports, curations and splits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config


class ImportConfig(Config):
    """Which frames an import accepts, and what it corrects."""

    material: Literal["formula", "folder"] = "formula"
    """What names the material of a frame that has no `material` of its own: its reduced formula, or the folder of its file."""
    config_type: Literal["formula", "folder", "none"] = "formula"
    """What names the configuration type of a frame that has none of its own, by which errors are listed: its reduced formula,
    which tells a vacancy from the pristine sheet, or the folder of its file; `none` leaves it out."""
    bulk: bool = False
    """Whether structures that are not sheets are accepted. Their stress is not verified."""
    mixed: bool = False
    """Whether frames of different functional, cutoff, dispersion correction, spin–orbit coupling or code are accepted in one
    dataset."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted from the stress labels."""


class OutlierConfig(Config):
    """Limits beyond which a frame is removed, as for universal force fields of 2D materials; null lifts a limit."""

    min_energy: float | None = None
    """Lowest energy in eV/atom at which a frame is kept; null for no limit. Universal datasets of VASP use −20."""
    max_energy: float | None = None
    """Highest energy in eV/atom at which a frame is kept; null for no limit. Universal datasets of bound sheets use 0."""
    max_energy_deviation: PositiveFloat | None = 2.0
    """Largest deviation in eV/atom from a robust fit of the energies by the numbers of atoms of each element, at which a frame is
    kept; null for no limit. It finds a lone energy of 0, or one of another code."""
    max_force: PositiveFloat | None = 20.0
    """Largest norm in eV/Å of the force on any atom at which a frame is kept; null for no limit."""
    max_stress: PositiveFloat | None = 500.0
    """Largest absolute value in kbar of any stress component at which a frame is kept; null for no limit."""
    max_sites: PositiveInt | None = None
    """Largest number of atoms at which a frame is kept; null for no limit. Universal datasets of primitive cells use 20."""
    isolated: PositiveFloat | None = 5.0
    """Distance in Å within which every atom must have a neighbour; a frame with an isolated atom is removed, unless it is a single
    atom that serves as a reference."""


class CurationConfig(Config):
    """Rules of a curation, applied in this order; null leaves a rule out."""

    outliers: OutlierConfig | None = OutlierConfig()
    """Limits beyond which a frame is removed."""
    min_energy_step: float | None = 0.001
    """Energy difference in eV/atom to the next step of its relaxation above which a frame is kept. The literature writes
    e_cut. It applies to relaxations, whose energy falls; trajectories of molecular dynamics are kept whole."""
    duplicates: PositiveFloat | None = 0.01
    """Tolerance in Å: a frame whose shortest interatomic distances all agree with those of an earlier frame within it is
    removed."""
    keep: PositiveInt | None = None
    """Number of frames that farthest-point sampling on SOAP descriptors selects at the end."""


class SplitConfig(Config):
    """How frames are split by material: by `ratios`, unless `folds` or `leave_out` is given."""

    ratios: tuple[float, float, float] | None = Field((0.9, 0.05, 0.05))
    """Fractions of all frames in the training, validation and test set; they sum to 1."""
    folds: int | None = Field(None, ge=2)
    """Number k of subsets of a k-fold split."""
    leave_out: str | None = None
    """Element whose materials all go to the test set."""
    stratify: Literal["element", "composition", "none"] = "element"
    """Whether every element, or every reduced formula, is distributed over the subsets by the same fractions."""
    duplicates: PositiveFloat = 0.01
    """Tolerance in Å: materials that share a near-duplicate frame go to the same subset."""
    seed: int = 0
    """Seed of the random initial assignment and of the order in which materials are reassigned."""

    @model_validator(mode="after")
    def _consistent(self) -> SplitConfig:
        if self.ratios is not None and (min(self.ratios) < 0 or abs(sum(self.ratios) - 1) > 1e-9):
            raise ValueError("ratios must not be negative and must sum to 1")
        if self.folds is not None and self.leave_out is not None:
            raise ValueError("give folds or leave_out, not both")
        return self
