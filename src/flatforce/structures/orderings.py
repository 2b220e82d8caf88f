"""Orderings of an alloy: all of them up to a size, random ones, and special quasirandom ones; icet enumerates."""

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

SHARE_TOLERANCE = 1e-6
"""Round-off of a share given as a decimal number of a site, relative to one site."""


def import_icet() -> Any:
    """Import icet, its log silenced.

    Returns
    -------
    The package.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import icet
    except ImportError as error:
        raise MissingDependencyError(
            "Alloys need icet.", why=str(error), fix="pip install 'flatforce[alloys]'"
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
        Largest number of primitive cells.
    min_cells
        Smallest.

    Returns
    -------
    Orderings with compact cells, named `NAME-000` … in `info`; end members are among them if `min_cells` is 1.
    """
    import_icet()
    from icet.tools import enumerate_structures

    found = enumerate_structures(lattice.parent, range(min_cells, max_cells + 1), lattice.allowed)
    return [_named(compact(atoms), lattice, f"{number:03d}") for number, atoms in enumerate(found)]


def compact(atoms: Atoms) -> Atoms:
    """Choose the shortest lattice vectors in the plane; atoms are folded into the cell.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    A copy.
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
    lattice: AlloyLattice, *, size: tuple[int, int], shares: Mapping[str, float], count: int, seed: int
) -> list[Atoms]:
    """Draw random orderings of one supercell.

    Parameters
    ----------
    lattice
        The alloy.
    size
        Primitive cells along both vectors.
    shares
        Species → share of the sites; they sum to one and to whole atoms.
    count
        How many.
    seed
        Of the draws.

    Returns
    -------
    Named orderings.
    """
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        atoms, sites = _supercell(lattice, size)
        species = _species_of(shares, len(sites), lattice)
        atoms.symbols[sites] = rng.permutation(species)
        found.append(_named(atoms, lattice, f"random-{size[0]}x{size[1]}-{number:03d}"))
    return found


def special_quasirandom(
    lattice: AlloyLattice,
    *,
    size: tuple[int, int],
    shares: Mapping[str, float],
    cutoffs: Sequence[float],
    steps: int,
    seed: int,
) -> Atoms:
    """Anneal a supercell towards the correlations of the random alloy.

    Parameters
    ----------
    lattice
        The alloy.
    size
        Primitive cells along both vectors; icet's own search of shapes returns needles for sheets.
    shares
        Species → share of the sites.
    cutoffs
        Å, of pairs, triplets, … that are to look random.
    steps
        Of the annealing.
    seed
        Of the annealing.

    Returns
    -------
    A named ordering.
    """
    icet = import_icet()
    from icet.tools.structure_generation import generate_sqs_from_supercells

    parent = lattice.spacious(max(cutoffs))
    space = icet.ClusterSpace(parent, list(cutoffs), lattice.allowed)
    atoms, sites = _supercell(lattice, size)
    _species_of(shares, len(sites), lattice)  # refuses shares that are no whole atoms
    found = generate_sqs_from_supercells(
        space, [parent.repeat((*size, 1))], dict(shares), n_steps=steps, random_seed=seed
    )
    atoms.set_chemical_symbols(_same_places(atoms, found))
    return _named(atoms, lattice, f"sqs-{size[0]}x{size[1]}")


def _same_places(atoms: Atoms, found: Atoms) -> list[str]:
    """Read the species of a structure off another one with the same sites and another vacuum."""
    gap = atoms.positions[:, None, :2] - found.positions[None, :, :2]
    scaled = gap @ np.linalg.inv(atoms.cell.array[:2, :2])
    flat = (scaled - np.round(scaled)) @ atoms.cell.array[:2, :2]
    heights = atoms.positions[:, 2] - atoms.positions[:, 2].mean()
    others = found.positions[:, 2] - found.positions[:, 2].mean()
    distance = np.hypot(np.linalg.norm(flat, axis=2), heights[:, None] - others[None, :])
    symbols = found.get_chemical_symbols()
    return [symbols[k] for k in distance.argmin(axis=1)]


def _supercell(lattice: AlloyLattice, size: tuple[int, int]) -> tuple[Atoms, list[int]]:
    atoms = make_supercell(lattice.parent, np.diag([*size, 1]))
    return atoms, np.flatnonzero(lattice.mixing(atoms)).tolist()


def _species_of(shares: Mapping[str, float], sites: int, lattice: AlloyLattice) -> list[str]:
    counts = {symbol: share * sites for symbol, share in shares.items()}
    whole = {symbol: round(count) for symbol, count in counts.items()}
    uneven = any(abs(counts[symbol] - whole[symbol]) > SHARE_TOLERANCE * sites for symbol in counts)
    if set(shares) - set(lattice.species) or uneven or sum(whole.values()) != sites:
        said = ", ".join(f"{symbol} {share:.4g}" for symbol, share in shares.items())
        raise GeometryError(
            f"{said} cannot be laid on {sites} sites of {lattice.name}.",
            why="the shares have to sum to one and to whole atoms of the alloy's species",
            fix=f"use species {', '.join(lattice.species)} and multiples of 1/{sites}, or another size",
        )
    return [symbol for symbol, count in whole.items() for _ in range(count)]


def _named(atoms: Atoms, lattice: AlloyLattice, suffix: str) -> Atoms:
    plain = Atoms(
        atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=(True, True, False)
    )
    name = f"{lattice.name}-{suffix}"
    plain.info = {
        SYSTEM: lattice.name,
        ORDERING: name,
        "name": name,
        "material": name,
        "config_type": "ordering",
    }
    return plain
