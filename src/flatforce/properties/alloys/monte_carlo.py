"""Monte Carlo of a cluster expansion by mchammer: averages and order parameters at one temperature."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.properties.alloys.order_parameter import star_of
from flatforce.structures.orderings import CONCENTRATION_TOLERANCE, import_icet

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.config import MonteCarloConfig
    from flatforce.structures.alloys import AlloyLattice

BOLTZMANN = 8.617333262e-5
"""Boltzmann constant in eV/K, CODATA 2018."""

ORDER_TOLERANCE = 1e-12
"""⟨ψ²⟩ below is round-off: an end member, whose Binder cumulant is 0 / 0."""


@dataclass(frozen=True)
class MonteCarloPoint:
    """Averages of one run."""

    size: int
    """Size n of the cell of n × n primitive cells."""
    temperature: float
    """Temperature in K."""
    seed: int
    """Seed of the run."""
    energy: float
    """Mean energy in meV per site."""
    heat_capacity: float
    """Heat capacity in Boltzmann constants per site: variance of the energy, less Δμ N in the semi-grand ensemble."""
    concentration: float
    """Mean concentration of the last species."""
    psi2: float
    """⟨ψ²⟩ of the order parameter, ψ² = |Σ s exp(iq·r)|²/n² summed over the star, s = ±1."""
    psi4: float
    """⟨ψ⁴⟩ of the order parameter."""
    warren_cowley: tuple[float, ...]
    """Warren–Cowley parameter of each shell."""
    acceptance_ratio: float
    """Fraction of the trial steps that were accepted."""

    @property
    def binder_cumulant(self) -> float:
        """1 − ⟨ψ⁴⟩ / 3⟨ψ²⟩²; NaN of an end member."""
        return 1 - self.psi4 / (3 * self.psi2**2) if self.psi2 > ORDER_TOLERANCE else float("nan")


def check_cell(lattice: AlloyLattice, size: int, cutoff: float) -> None:
    """Refuse a cell in which a cluster overlaps its own periodic image.

    Parameters
    ----------
    lattice
        The alloy.
    size
        Number of primitive cells along both lattice vectors.
    cutoff
        Longest distance within a cluster, in Å.

    Raises
    ------
    GeometryError
        If the cell is narrower than twice the cutoff.
    """
    first, second = lattice.parent.cell.array[:2]
    width = size * abs(np.cross(first, second)[2]) / max(np.linalg.norm(first), np.linalg.norm(second))
    if width < 2 * cutoff:
        min_size = int(np.ceil(size * 2 * cutoff / width))
        raise GeometryError(
            f"A cell of {size} × {size} is too small for clusters of {cutoff:.1f} Å.",
            why=f"it is {width:.1f} Å wide; a site would interact with its own image",
            fix=f"set monte_carlo.sizes to at least {min_size}",
        )


def sample(
    lattice: AlloyLattice,
    expansion: Any,
    config: MonteCarloConfig,
    *,
    size: int,
    temperature: float,
    seed: int,
) -> MonteCarloPoint:
    """Run Monte Carlo at one temperature.

    Parameters
    ----------
    lattice
        The alloy, a binary.
    expansion
        icet's `ClusterExpansion` in eV per site.
    config
        Settings.
    size
        Number of primitive cells along both lattice vectors.
    temperature
        Temperature in K.
    seed
        Seed of the run.

    Returns
    -------
    Averages over the steps after equilibration, with energies in meV per site.
    """
    check_cell(lattice, size, max(expansion.cutoffs))
    cell = expansion.primitive_structure.repeat((size, size, 1))
    mixing = np.flatnonzero(lattice.mixing(cell))
    cell.symbols[mixing] = _random_species(config, lattice.species, len(mixing), seed)
    run = _make_ensemble(lattice, expansion, config, cell, temperature=temperature, seed=seed)
    _attach_observers(run, lattice, expansion, config, cell, size=size)
    run.run((config.equilibration + config.sweeps) * len(mixing))
    return _average(run, config, lattice, size=size, temperature=temperature, seed=seed)


def _make_ensemble(
    lattice: AlloyLattice,
    expansion: Any,
    config: MonteCarloConfig,
    cell: Atoms,
    *,
    temperature: float,
    seed: int,
) -> Any:
    import_icet()
    from mchammer.calculators import ClusterExpansionCalculator
    from mchammer.ensembles import CanonicalEnsemble, SemiGrandCanonicalEnsemble

    n_sites = int(lattice.mixing(cell).sum())
    # the default scaling, all atoms, would make an MX2 three times too stiff
    calculator = ClusterExpansionCalculator(cell, expansion, scaling=n_sites)
    settings = {
        "structure": cell,
        "calculator": calculator,
        "temperature": temperature,
        "boltzmann_constant": BOLTZMANN,
        "random_seed": seed,
        "ensemble_data_write_interval": n_sites,
    }
    if config.ensemble == "canonical":
        return CanonicalEnsemble(**settings)
    first, last = lattice.species
    chemical_potentials = {first: 0.0, last: config.chemical_potential}
    return SemiGrandCanonicalEnsemble(**settings, chemical_potentials=chemical_potentials)


def _attach_observers(
    run: Any, lattice: AlloyLattice, expansion: Any, config: MonteCarloConfig, cell: Atoms, *, size: int
) -> None:
    """Observe short-range order and the structure factor at the star of the wave vector."""
    from mchammer.observers import ShortRangeOrderObserver, StructureFactorObserver

    n_sites = int(lattice.mixing(cell).sum())
    radius = _shell_radius(lattice, config.shells)
    check_cell(lattice, size, radius)
    pair_space = import_icet().ClusterSpace(expansion.primitive_structure, [radius], lattice.allowed)
    short_range_order = ShortRangeOrderObserver(pair_space, cell, radius, interval=10 * n_sites)
    run.attach_observer(short_range_order, tag="sro")
    first, last = lattice.species
    structure_factor = StructureFactorObserver(
        cell,
        [(*wave, 0.0) for wave in star_of(config.wave_vector, expansion.primitive_structure)],
        form_factors={**dict.fromkeys(lattice.inert, 1.0), first: 1.0, last: -1.0},
        symbol_pairs=[(first, first), (first, last), (last, last)],
        interval=n_sites,
    )
    run.attach_observer(structure_factor, tag="waves")


def _average(
    run: Any, config: MonteCarloConfig, lattice: AlloyLattice, *, size: int, temperature: float, seed: int
) -> MonteCarloPoint:
    n_sites = int(lattice.mixing(lattice.parent).sum()) * size**2
    with warnings.catch_warnings():  # pandas 3.1 warns of an argument that mchammer 4.0 uses
        warnings.simplefilter("ignore")
        table = run.data_container.data
    table = table[table["mctrial"] > config.equilibration * n_sites]
    energy = np.asarray(table["potential"], dtype=float)
    waves = [name for name in table.columns if name.startswith("total_q")]
    # mchammer divides |Σ s exp(iqr)|² by the number of sites
    psi2 = np.asarray(table[waves], dtype=float).sum(axis=1) / n_sites
    concentration, grand_energy = float(config.concentration or 0.0), energy
    if config.ensemble == "semi-grand":
        counts = np.asarray(table[f"{lattice.species[1]}_count"], dtype=float)
        concentration = float(counts.mean()) / n_sites
        grand_energy = energy - config.chemical_potential * counts
    shells = sorted(name for name in table.columns if name.startswith("sro_"))
    return MonteCarloPoint(
        size=size,
        temperature=temperature,
        seed=seed,
        energy=1e3 * float(energy.mean()) / n_sites,
        heat_capacity=float(grand_energy.var()) / (BOLTZMANN * temperature) ** 2 / n_sites,
        concentration=concentration,
        psi2=float(psi2.mean()),
        psi4=float((psi2**2).mean()),
        warren_cowley=tuple(_finite_mean(table[name]) for name in shells),
        acceptance_ratio=_finite_mean(table["acceptance_ratio"]),
    )


def _finite_mean(column: Any) -> float:
    """Average the finite values; an end member has no short-range order."""
    values = np.asarray(column, dtype=float)
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _random_species(config: MonteCarloConfig, species: tuple[str, ...], n_sites: int, seed: int) -> list[str]:
    """Distribute species at random; half and half where the composition is free."""
    free = config.ensemble == "semi-grand" or config.concentration is None
    concentration = 0.5 if free or config.concentration is None else config.concentration
    count = round(concentration * n_sites)
    fixed = config.ensemble == "canonical"
    fractional = abs(count - concentration * n_sites) > CONCENTRATION_TOLERANCE * n_sites
    if fixed and (config.concentration is None or fractional):
        raise GeometryError(
            f"A concentration of {concentration:.6g} is no whole number of {n_sites} sites.",
            fix="set monte_carlo.concentration and monte_carlo.sizes that fit it: multiples of 3 for thirds",
        )
    symbols = [species[1]] * count + [species[0]] * (n_sites - count)
    return [str(symbol) for symbol in np.random.default_rng(seed).permutation(symbols)]


def _shell_radius(lattice: AlloyLattice, shells: int) -> float:
    """Return a radius in Å just beyond some shells of the sublattice."""
    width = 2 * shells + 3
    sites = lattice.parent[lattice.mixing(lattice.parent)].repeat((width, width, 1))
    centre = len(sites) // 2
    distances = np.linalg.norm(sites.positions - sites.positions[centre], axis=1)
    radii: FloatArray = np.unique(np.round(distances[distances > 1e-3], 4))
    return float(radii[shells - 1] + radii[shells]) / 2
