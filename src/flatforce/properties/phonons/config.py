"""Settings of phonon calculations; importing them costs no more than pydantic."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, TypeAlias

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from flatforce.core.config import Config
from flatforce.properties.relax_config import RelaxConfig

Engine: TypeAlias = Literal["auto", "rows", "displacements"]
"""`rows` from the neighbourhood of each atom, `displacements` of the whole cell, or `auto`."""


class PolarConfig(Config):
    """Dielectric data of a polar sheet, from DFT."""

    born: list[list[list[float]]]
    """Born effective charge tensor of each atom, in e, in the order of the structure; the first index is the direction of
    the displacement, the second that of the electric field."""

    @field_validator("born")
    @classmethod
    def _check_tensors(cls, born: list[list[list[float]]]) -> list[list[list[float]]]:
        if any(len(tensor) != 3 or any(len(row) != 3 for row in tensor) for tensor in born):
            raise ValueError("a Born effective charge is a 3 × 3 tensor")
        return born

    screening_length: NonNegativeFloat
    """Screening length r_eff = 2π α of the sheet in Å, with the in-plane polarisability per area α; it is about ε_∥ t / 2 for
    a slab of thickness t."""


class PhononConfig(Config):
    """Settings of the phonons of a pristine sheet."""

    supercell: tuple[PositiveInt, PositiveInt] = (6, 6)
    """Repetitions n, m of the primitive cell along the two in-plane lattice vectors."""
    engine: Engine = "auto"
    """How force constants are computed: `rows` takes the row of one atom from the atoms within the interaction range,
    `displacements` displaces atoms of the whole supercell, `auto` takes rows wherever the interaction range is known."""
    displacement: PositiveFloat = 0.005
    """Length of the finite displacements in Å. The default leaves a truncation error of 2e-4 eV/Å², above the noise of
    float64."""
    sum_rules: bool = True
    """Whether the translational and rotational sum rules and, on a sheet without stress, the Huang conditions are
    enforced."""
    polar: PolarConfig | None = None
    """Born charges and screening length of a polar sheet; with them, the longitudinal optical bands get their slope at Γ."""
    points_per_segment: PositiveInt = 51
    """Number of q points on each segment of the band path."""
    mesh: PositiveInt = 48
    """Number of q points along each reciprocal lattice vector for DOS and thermal properties. A cell longer than 4 Å gets
    proportionally fewer, since its Brillouin zone is folded."""
    broadening: PositiveFloat = 0.08
    """Standard deviation in THz of the Gaussian that broadens each mode in the DOS."""
    t_max: NonNegativeFloat = Field(1000.0, ge=10.0)
    """Highest temperature of the thermal properties in K; they are computed every 10 K from 0 K."""


class DefectPhononConfig(Config):
    """Settings of the phonons of a defect in a supercell."""

    supercell: tuple[PositiveInt, PositiveInt] = (6, 6)
    """Repetitions n, m of the primitive cell along the two in-plane lattice vectors."""
    relaxation: RelaxConfig = RelaxConfig(relax_cell=False)
    """Settings of the relaxation of the defect cell; by default the cell stays that of the pristine supercell."""
    engine: Engine = "auto"
    """How force constants are computed: `rows` takes the row of one atom from the atoms within the interaction range,
    `displacements` displaces atoms of the whole supercell, `auto` takes rows wherever the interaction range is known."""
    displacement: PositiveFloat = 0.005
    """Length of the finite displacements in Å."""
    sum_rules: bool = True
    """Whether the translational and rotational sum rules are enforced on the pristine and the defect cell."""
    masses: dict[str, PositiveFloat] = {}
    """Mass of each species in amu, for isotopes; species that are not listed have their natural mean mass."""
    shells: list[PositiveFloat] = [4.0, 7.0]
    """Outer radii in Å of the shells of sites around the defect, in the pristine geometry; the sites beyond the last radius
    form one more shell."""

    @field_validator("shells")
    @classmethod
    def _check_radii(cls, radii: list[float]) -> list[float]:
        if not radii or any(inner >= outer for inner, outer in pairwise(radii)):
            raise ValueError("the radii of the shells must grow, and at least one is needed")
        return radii

    mesh: PositiveInt = 72
    """Number of q points along each reciprocal lattice vector of the primitive cell; an n × m supercell takes mesh / n and
    mesh / m of them, rounded up."""
    points_per_segment: PositiveInt = 15
    """Number of q points on each segment of the supercell's band path."""
    max_band_atoms: PositiveInt = 600
    """Number of atoms of the largest cell whose bands are computed; larger cells have too many folded bands to be readable,
    at a minute per q point."""
    broadening: PositiveFloat = 0.08
    """Standard deviation in THz of the Gaussian that broadens each mode in the DOS."""


class EmbedConfig(Config):
    """Settings of the embedding of a relaxed defect into a large supercell."""

    supercell: tuple[PositiveInt, PositiveInt] = (60, 60)
    """Repetitions n, n of the primitive cell in the large supercell, equal along both lattice vectors; a single number n
    means n × n."""

    @field_validator("supercell", mode="before")
    @classmethod
    def _square(cls, supercell: Any) -> Any:
        return (supercell, supercell) if isinstance(supercell, int) else supercell

    @field_validator("supercell")
    @classmethod
    def _check_square(cls, supercell: tuple[int, int]) -> tuple[int, int]:
        if supercell[0] != supercell[1]:
            raise ValueError("the supercell of an embedding has equal repetitions along both lattice vectors")
        return supercell

    radius: PositiveFloat = 15.0
    """In-plane distance from the defect in Å within which atoms get exact rows of force constants. For v_Se in WSe2, 15 Å
    leaves a truncation error of 0.06 eV/Å²."""
    n_check_rows: NonNegativeInt = 6
    """Number of exact rows just beyond the radius, from which the truncation error is estimated."""
    sum_rules: bool = True
    """Whether the translational and rotational sum rules are enforced, on the pristine host and wherever the defect breaks
    them."""


class DiluteConfig(Config):
    """Settings of the dilute limit: one defect in an infinite sheet."""

    mesh: PositiveInt = 128
    """Number of q points along each reciprocal lattice vector of the primitive cell. For v_Se in WSe2 at a broadening of
    0.08 THz, the local DOS of 96 and 192 points agree to 3e-6."""
    tolerance: PositiveFloat = 1e-3
    """Smallest change of a force constant, in eV/Å², for which a site belongs to the perturbed region. For v_Se in WSe2, a
    tenth of the default changes the local DOS by 3e-4."""


class UnfoldConfig(Config):
    """Settings of the unfolding of a defect's bands to the primitive cell."""

    points: PositiveInt = 30
    """Largest number of k points on the band path; only those commensurate with the supercell are taken."""
    broadening: PositiveFloat = 0.08
    """Standard deviation in THz of the Gaussian that broadens each Lanczos node."""


class LineShapeConfig(Config):
    """Settings of the emission line shape of a defect."""

    temperature: NonNegativeFloat = 10.0
    """Temperature in K at which the modes are occupied."""
    width: PositiveFloat = 2.0
    """Full width at half maximum of the zero-phonon line in meV."""
    below: PositiveFloat = 400.0
    """How far below the zero-phonon line the line shape is computed, in meV."""
    above: PositiveFloat = 100.0
    """How far above the zero-phonon line the line shape is computed, in meV."""
    steps: PositiveInt = 200
    """Number of steps of the Lanczos chain."""
    remove_mean: bool = True
    """Whether the mean force, which is numerical noise of the calculation, is subtracted from the forces."""
