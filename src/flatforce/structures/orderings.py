"""Orderings of an alloy: all of them up to a size, random ones, and special quasirandom structures, with icet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.geometry import minkowski_reduce

from flatforce.core.errors import GeometryError, MissingDependencyError
from flatforce.structures.alloys import ORDERING, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.structures.alloys import AlloyLattice

CONCENTRATION_TOLERANCE = 1e-6
"""Round-off of a concentration that is given as a decimal number."""


def import_icet() -> Any:
    """Import icet and silence its log.

    Returns
    -------
    The package `icet`, with its log silenced.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import icet
    except ImportError as error:
        raise MissingDependencyError(
            "Alloys need icet, which is not installed.", why=str(error), fix="pip install 'flatforce[alloys]'"
        ) from error
    for name in ("icet", "mchammer", "trainstation"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return icet


def enumerate_orderings(lattice: AlloyLattice, *, max_cells: int, min_cells: int = 1) -> list[Atoms]:
    """List the symmetry-distinct orderings of all supercells in the plane.

    Parameters
    ----------
    lattice
        The alloy.
    max_cells
        Number of primitive cells of the largest ordering.
    min_cells
        Number of primitive cells of the smallest ordering.

    Returns
    -------
    Orderings with compact cells, named `NAME-000` … in `info`; end members are among them if `min_cells` is 1.
    """
    import_icet()
    from icet.tools import enumerate_structures

    structures = enumerate_structures(lattice.parent, range(min_cells, max_cells + 1), lattice.allowed)
    return [
        _label_ordering(compact(atoms), lattice, f"{number:03d}") for number, atoms in enumerate(structures)
    ]


def compact(atoms: Atoms) -> Atoms:
    """Choose the shortest in-plane lattice vectors and wrap the atoms into the cell.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    A copy with the reduced cell.
    """
    reduced, _ = minkowski_reduce(atoms.cell, pbc=[True, True, False])
    if np.linalg.det(reduced) < 0:
        reduced[1] *= -1
    copy = atoms.copy()
    copy.set_cell(reduced)
    copy.pbc = (True, True, False)
    copy.wrap()
    return copy


def random_orderings(
    lattice: AlloyLattice,
    *,
    supercell: tuple[int, int],
    concentrations: Mapping[str, float],
    count: int,
    seed: int,
) -> list[Atoms]:
    """Draw random orderings of one supercell.

    Parameters
    ----------
    lattice
        The alloy.
    supercell
        Numbers of primitive cells along both lattice vectors.
    concentrations
        Species → concentration; they sum to 1 and to whole numbers of atoms.
    count
        Number of orderings.
    seed
        Seed of the random permutations.

    Returns
    -------
    Orderings, each with its name in `info`.
    """
    rng = np.random.default_rng(seed)
    orderings = []
    for number in range(count):
        atoms, sites = _make_supercell(lattice, supercell)
        species = _site_species(concentrations, len(sites), lattice)
        atoms.symbols[sites] = rng.permutation(species)
        orderings.append(
            _label_ordering(atoms, lattice, f"random-{supercell[0]}x{supercell[1]}-{number:03d}")
        )
    return orderings


def make_sqs(
    lattice: AlloyLattice,
    *,
    supercell: tuple[int, int],
    concentrations: Mapping[str, float],
    cutoffs: Sequence[float],
    steps: int,
    seed: int,
) -> Atoms:
    """Anneal a supercell towards the correlations of the random alloy (special quasirandom structure).

    Parameters
    ----------
    lattice
        The alloy.
    supercell
        Numbers of primitive cells along both lattice vectors; icet's own search of cell shapes returns needles for sheets.
    concentrations
        Species → concentration; they sum to 1 and to whole numbers of atoms.
    cutoffs
        Longest pair, triplet, … whose correlations are matched, in Å.
    steps
        Number of steps of the simulated annealing.
    seed
        Seed of the simulated annealing.

    Returns
    -------
    The ordering, with its name in `info`.
    """
    icet = import_icet()
    from icet.tools.structure_generation import generate_sqs_from_supercells

    parent = lattice.spacious(max(cutoffs))
    space = icet.ClusterSpace(parent, list(cutoffs), lattice.allowed)
    atoms, sites = _make_supercell(lattice, supercell)
    _site_species(concentrations, len(sites), lattice)  # refuses concentrations that are no whole atoms
    annealed = generate_sqs_from_supercells(
        space, [parent.repeat((*supercell, 1))], dict(concentrations), n_steps=steps, random_seed=seed
    )
    atoms.set_chemical_symbols(_species_of_nearest(atoms, annealed))
    return _label_ordering(atoms, lattice, f"sqs-{supercell[0]}x{supercell[1]}")


def _species_of_nearest(atoms: Atoms, decorated: Atoms) -> list[str]:
    """Return for each atom the species of the nearest site of a structure with the same sites and another vacuum."""
    gap = atoms.positions[:, None, :2] - decorated.positions[None, :, :2]
    scaled = gap @ np.linalg.inv(atoms.cell.array[:2, :2])
    in_plane = (scaled - np.round(scaled)) @ atoms.cell.array[:2, :2]
    heights = atoms.positions[:, 2] - atoms.positions[:, 2].mean()
    decorated_heights = decorated.positions[:, 2] - decorated.positions[:, 2].mean()
    distance = np.hypot(np.linalg.norm(in_plane, axis=2), heights[:, None] - decorated_heights[None, :])
    symbols = decorated.get_chemical_symbols()
    return [symbols[site] for site in distance.argmin(axis=1)]


def _make_supercell(lattice: AlloyLattice, supercell: tuple[int, int]) -> tuple[Atoms, list[int]]:
    """Return a supercell and the indices of its sites that mix."""
    atoms = make_supercell(lattice.parent, np.diag([*supercell, 1]))
    return atoms, np.flatnonzero(lattice.mixing(atoms)).tolist()


def _site_species(concentrations: Mapping[str, float], n_sites: int, lattice: AlloyLattice) -> list[str]:
    """List the species of the sites, unshuffled; concentrations that give no whole numbers of atoms are refused."""
    exact = {symbol: concentration * n_sites for symbol, concentration in concentrations.items()}
    counts = {symbol: round(count) for symbol, count in exact.items()}
    fractional = any(
        abs(exact[symbol] - counts[symbol]) > CONCENTRATION_TOLERANCE * n_sites for symbol in exact
    )
    if set(concentrations) - set(lattice.species) or fractional or sum(counts.values()) != n_sites:
        composition = ", ".join(f"{symbol} {x:.4g}" for symbol, x in concentrations.items())
        raise GeometryError(
            f"The composition {composition} does not fit {n_sites} sites of {lattice.name}.",
            why="concentrations have to sum to 1 and to whole numbers of atoms of the alloy's species",
            fix=f"use species {', '.join(lattice.species)} and multiples of 1/{n_sites}, or another supercell",
        )
    return [symbol for symbol, count in counts.items() for _ in range(count)]


def _label_ordering(atoms: Atoms, lattice: AlloyLattice, suffix: str) -> Atoms:
    """Return a copy without arrays, with its names in `info`."""
    ordering = Atoms(
        atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=(True, True, False)
    )
    name = f"{lattice.name}-{suffix}"
    ordering.info = {
        SYSTEM: lattice.name,
        ORDERING: name,
        "name": name,
        "material": name,
        "config_type": "ordering",
    }
    return ordering
