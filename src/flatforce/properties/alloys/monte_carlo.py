"""Monte Carlo of a cluster expansion by mchammer: order parameters, and where order is lost, with an error bar."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import GeometryError
from flatforce.structures.orderings import import_icet

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.structures.alloys import AlloyLattice

BOLTZMANN = 8.617333262e-5
"""eV/K, CODATA 2018."""

STARS = {
    "gamma": ((0.0, 0.0),),
    "K": ((1 / 3, 1 / 3),),
    "M": ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5)),
}
"""Wave vectors of order in units of the reciprocal vectors of a hexagonal parent with γ = 120°: segregation, √3 × √3,
stripes. K′ is minus K and adds nothing to a real field."""

NO_FIELD = 1e-12
"""⟨ψ²⟩ below is round-off: a pure sheet, whose cumulant is 0 / 0."""

COMPONENTS = {"gamma": 1, "K": 2, "M": 3}
"""Real ones of the order parameter: one of each wave vector, two at K, where it is complex."""

HEXAGONAL = 1e-3
"""Relative round-off of a hexagonal cell from a file."""


class MonteCarlo(Config):
    """What is sampled."""

    ensemble: Literal["canonical", "semi-grand"] = "canonical"
    """Whether the composition is kept, or follows a difference of chemical potentials."""
    share: float | None = Field(None, gt=0.0, lt=1.0)
    """Of the last species of a binary, in the canonical ensemble."""
    chemical_potential: float = 0.0
    """eV, of the last species of a binary minus that of the first, in the semi-grand ensemble."""
    temperatures: list[PositiveFloat] = Field(min_length=1)
    """K."""
    sizes: list[PositiveInt] = Field([12, 24], min_length=1)
    """Cells of n × n primitive ones; where order is lost is found from the two largest."""
    sweeps: PositiveInt = 2000
    """Trial steps per site that are averaged over."""
    equilibration: PositiveInt = 500
    """Trial steps per site before."""
    seeds: PositiveInt = 4
    """Independent runs of each temperature and size; their spread is the error bar."""
    order: Literal["gamma", "K", "M"] = "K"
    """Wave vector of the order that is watched."""
    shells: PositiveInt = 3
    """Shells of Warren–Cowley parameters."""
    seed: int = 0
    """The first one."""
    workers: PositiveInt = 1
    """Processes."""

    @model_validator(mode="after")
    def _consistent(self) -> MonteCarlo:
        if self.ensemble == "canonical" and self.share is None:
            raise ValueError("the canonical ensemble needs a share")
        if self.ensemble == "canonical" and self.order == "gamma":
            raise ValueError(
                "order: gamma is the composition, which the canonical ensemble keeps: use semi-grand"
            )
        for name, values in (("temperatures", self.temperatures), ("sizes", self.sizes)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} holds the same value twice")
        step = {"gamma": 1, "K": 3, "M": 2}[self.order]
        if any(size % step for size in self.sizes):
            raise ValueError(f"order: {self.order} fits cells whose size is a multiple of {step}")
        return self


@dataclass(frozen=True)
class Point:
    """One run."""

    size: int
    temperature: float
    """K."""
    seed: int
    energy: float
    """meV per site, mean."""
    heat_capacity: float
    """Boltzmann constants per site: variance of the energy, less Δμ N in the semi-grand ensemble."""
    share: float
    """Mean, of the last species."""
    second: float
    """⟨ψ²⟩ of the order parameter, ψ² = |Σ s exp(iq·r)|²/n² summed over the star, s = ±1."""
    fourth: float
    """⟨ψ⁴⟩."""
    warren_cowley: tuple[float, ...]
    """By shell."""
    acceptance: float

    @property
    def binder(self) -> float:
        """1 − ⟨ψ⁴⟩ / 3⟨ψ²⟩²; NaN of a pure sheet."""
        return 1 - self.fourth / (3 * self.second**2) if self.second > NO_FIELD else float("nan")


def check_cell(lattice: AlloyLattice, size: int, cutoff: float) -> None:
    """Refuse a cell in which a cluster meets its own image.

    Parameters
    ----------
    lattice
        The alloy.
    size
        Primitive cells along both vectors.
    cutoff
        Å, longest distance within a cluster.

    Raises
    ------
    GeometryError
        If it is smaller than twice the cutoff.
    """
    first, second = lattice.parent.cell.array[:2]
    width = size * abs(np.cross(first, second)[2]) / max(np.linalg.norm(first), np.linalg.norm(second))
    if width < 2 * cutoff:
        least = int(np.ceil(size * 2 * cutoff / width))
        raise GeometryError(
            f"A cell of {size} × {size} is too small for clusters of {cutoff:.1f} Å.",
            why=f"it is {width:.1f} Å wide; a site would meet its own image",
            fix=f"use sizes of at least {least}",
        )


def sample(
    lattice: AlloyLattice, expansion: Any, config: MonteCarlo, *, size: int, temperature: float, seed: int
) -> Point:
    """Run one temperature.

    Parameters
    ----------
    lattice
        The alloy, a binary.
    expansion
        icet's ClusterExpansion in eV per site.
    config
        Settings.
    size
        Of the cell.
    temperature
        K.
    seed
        Of the run.

    Returns
    -------
    Averages.
    """
    import_icet()
    from mchammer.calculators import ClusterExpansionCalculator
    from mchammer.ensembles import CanonicalEnsemble, SemiGrandCanonicalEnsemble
    from mchammer.observers import ShortRangeOrderObserver, StructureFactorObserver

    first, last = lattice.species
    check_cell(lattice, size, max(expansion.cutoffs))
    cell = expansion.primitive_structure.repeat((size, size, 1))
    mixing = np.flatnonzero(lattice.mixing(cell))
    cell.symbols[mixing] = _start(config, (first, last), len(mixing), seed)
    # the default scaling, all atoms, would make an MX2 three times too stiff
    calculator = ClusterExpansionCalculator(cell, expansion, scaling=len(mixing))
    shared = {
        "structure": cell,
        "calculator": calculator,
        "temperature": temperature,
        "boltzmann_constant": BOLTZMANN,
        "random_seed": seed,
        "ensemble_data_write_interval": len(mixing),
    }
    if config.ensemble == "canonical":
        run = CanonicalEnsemble(**shared)
    else:
        potentials = {first: 0.0, last: config.chemical_potential}
        run = SemiGrandCanonicalEnsemble(**shared, chemical_potentials=potentials)
    shell = _shell_radius(lattice, config.shells)
    check_cell(lattice, size, shell)
    order = ShortRangeOrderObserver(
        _pair_space(lattice, expansion, shell), cell, shell, interval=10 * len(mixing)
    )
    run.attach_observer(order, tag="sro")
    waves = _star(config.order, expansion.primitive_structure)
    factor = StructureFactorObserver(
        cell,
        [(*wave, 0.0) for wave in waves],
        form_factors={**dict.fromkeys(lattice.inert, 1.0), first: 1.0, last: -1.0},
        symbol_pairs=[(first, first), (first, last), (last, last)],
        interval=len(mixing),
    )
    run.attach_observer(factor, tag="waves")
    run.run((config.equilibration + config.sweeps) * len(mixing))
    return _averages(run, config, lattice, size=size, temperature=temperature, seed=seed)


def _star(order: str, primitive: Atoms) -> FloatArray:
    """Return wave vectors (1/Å) in the cell that is sampled: icet may have turned the parent's."""
    a, b = (float(one) for one in primitive.cell.lengths()[:2])
    gamma = float(primitive.cell.angles()[2])
    if abs(a / b - 1) > HEXAGONAL or abs(gamma - 120) > 180 / np.pi * HEXAGONAL:
        raise GeometryError(
            "Order is watched at wave vectors of a hexagonal sheet, which this parent is not.",
            why=f"its vectors are {a:.3f} and {b:.3f} Å long with {gamma:.1f}° between them",
            fix="sample hexagonal parents",
        )
    inverse = np.linalg.inv(primitive.cell.array[:2, :2])
    return np.asarray(2 * np.pi * np.array(STARS[order]) @ inverse.T)


def _averages(
    run: Any, config: MonteCarlo, lattice: AlloyLattice, *, size: int, temperature: float, seed: int
) -> Point:
    sites = int(lattice.mixing(lattice.parent).sum()) * size**2
    with warnings.catch_warnings():  # pandas 3.1 speaks of an argument that mchammer 4.0 uses
        warnings.simplefilter("ignore")
        table = run.data_container.data
    table = table[table["mctrial"] > config.equilibration * sites]
    energy = np.asarray(table["potential"], dtype=float)
    last = lattice.species[1]
    waves = [name for name in table.columns if name.startswith("total_q")]
    psi2 = (
        np.asarray(table[waves], dtype=float).sum(axis=1) / sites
    )  # mchammer divides |Σ s exp(iqr)|² by the sites
    share, free = float(config.share or 0.0), energy
    if config.ensemble == "semi-grand":
        counts = np.asarray(table[f"{last}_count"], dtype=float)
        share, free = float(counts.mean()) / sites, energy - config.chemical_potential * counts
    shells = sorted(name for name in table.columns if name.startswith("sro_"))
    return Point(
        size,
        temperature,
        seed,
        1e3 * float(energy.mean()) / sites,
        float(free.var()) / (BOLTZMANN * temperature) ** 2 / sites,
        share,
        float(psi2.mean()),
        float((psi2**2).mean()),
        tuple(_mean_known(table[name]) for name in shells),
        _mean_known(table["acceptance_ratio"]),
    )


def _mean_known(column: Any) -> float:
    """Average what was measured; a pure sheet has no short-range order."""
    values = np.asarray(column, dtype=float)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _start(config: MonteCarlo, species: tuple[str, str], sites: int, seed: int) -> list[str]:
    """Lay species out at random; half and half where the composition is free."""
    wanted = 0.5 if config.ensemble == "semi-grand" or config.share is None else config.share
    count = round(wanted * sites)
    fixed = config.ensemble == "canonical"
    if fixed and (config.share is None or abs(count - wanted * sites) > 1e-6 * sites):
        raise GeometryError(
            f"A share of {wanted:.6g} is no whole number of {sites} sites.",
            fix="give `share` and sizes that fit it: multiples of 3 for thirds",
        )
    laid = [species[1]] * count + [species[0]] * (sites - count)
    return [str(one) for one in np.random.default_rng(seed).permutation(laid)]


def _shell_radius(lattice: AlloyLattice, shells: int) -> float:
    """Return a radius just beyond some shells of the sublattice."""
    width = 2 * shells + 3
    sites = lattice.parent[lattice.mixing(lattice.parent)].repeat((width, width, 1))
    centre = len(sites) // 2
    distances = np.linalg.norm(sites.positions - sites.positions[centre], axis=1)
    inside = np.unique(np.round(distances[distances > 1e-3], 4))
    return float(inside[shells - 1] + inside[shells]) / 2


def _pair_space(lattice: AlloyLattice, expansion: Any, radius: float) -> Any:
    icet = import_icet()
    return icet.ClusterSpace(expansion.primitive_structure, [radius], lattice.allowed)


def plain(point: Point) -> dict[str, Any]:
    """Write a run as plain values.

    Parameters
    ----------
    point
        A run.

    Returns
    -------
    What JSON holds.
    """
    return asdict(point)
