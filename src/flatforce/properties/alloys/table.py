"""The frozen table of an alloy: one row for each symmetry-distinct ordering, end members relaxed in their own cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from flatforce.core.errors import DataError, FlatforceError
from flatforce.properties.alloys.mapping import map_to_lattice, ordering_groups
from flatforce.structures.alloys import ORDERING
from flatforce.structures.sheet import area as area_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.structures.alloys import AlloyLattice

State = Literal["cell", "positions", "none"]
"""What was relaxed: cell and positions, positions in the cell of the lattice, or nothing."""

PURE = 1e-9
"""A share this close to one is an end member: round-off of a quotient of counts."""


@dataclass(frozen=True)
class Solved:
    """One ordering with its energy, before it is known whether it may stay."""

    ordering: Atoms
    """As it was laid out, or as it relaxed if that is not known; its name in `info`."""
    relaxed: Atoms
    energy: float
    """eV, of the cell."""
    state: State
    reason: str = ""
    """Why it cannot be used; empty if it can."""
    labels: int = 1
    """DFT labels of its relaxation; 1 for an energy that no DFT gave."""


@dataclass(frozen=True)
class Row:
    """One ordering of the table."""

    name: str
    n_sites: int
    n_atoms: int
    shares: tuple[float, ...]
    """Of each species that mixes."""
    energy: float
    """eV per site."""
    formation: float
    """meV per site, against the end members in their own cells."""
    distance: float
    """Å, largest distance of an atom from its site."""
    strain: float
    """Largest principal strain against the parent."""
    end_member: bool
    labels: int
    """DFT labels of its relaxation."""

    @property
    def x(self) -> float:
        """Share of the last species: the composition of a binary."""
        return self.shares[-1]

    @property
    def per_atom(self) -> float:
        """meV/atom, the formation energy."""
        return self.formation * self.n_sites / self.n_atoms


@dataclass(frozen=True)
class AlloyTable:
    """Formation energies of an alloy."""

    system: str
    species: tuple[str, ...]
    state: State
    rows: tuple[Row, ...]
    orderings: tuple[Atoms, ...]
    """Undistorted, in the order of the rows."""
    relaxed: tuple[Atoms, ...]
    """In the order of the rows."""
    dropped: tuple[tuple[str, str], ...] = ()
    """Name and reason of each ordering left out."""

    @property
    def shares(self) -> FloatArray:
        """(n, species)."""
        return np.array([row.shares for row in self.rows])

    @property
    def formation(self) -> FloatArray:
        """(n,) meV per site."""
        return np.array([row.formation for row in self.rows])

    @property
    def mixed(self) -> list[int]:
        """Places of the rows that are no end members."""
        return [k for k, row in enumerate(self.rows) if not row.end_member]


def make_table(
    lattice: AlloyLattice, solved: Sequence[Solved], *, max_distance: float, max_mismatch: float
) -> AlloyTable:
    """Turn energies into formation energies.

    Parameters
    ----------
    lattice
        The alloy.
    solved
        Orderings with energies, the end members relaxed in their own cells among them.
    max_distance
        Å. An ordering with an atom further than this from its site has left the lattice and is dropped.
    max_mismatch
        Largest relative difference of the end members' lattices where the others were not relaxed in their cells.

    Returns
    -------
    The table, sorted by composition; what was dropped is listed with its reason.

    Raises
    ------
    DataError
        If relaxation states are mixed, an end member is missing or dropped, or the mismatch is too large.
    """
    dropped: list[tuple[str, str]] = []
    kept: list[tuple[Solved, Row, Atoms]] = []
    for one in solved:
        try:
            mapped = map_to_lattice(lattice, one.relaxed)
        except FlatforceError as error:
            dropped.append((_name(one), error.what))
            continue
        if one.reason or mapped.distance > max_distance:
            said = one.reason or f"left its lattice: an atom is {mapped.distance:.2f} Å from its site"
            dropped.append((_name(one), said))
            continue
        kept.append((one, _row(lattice, one, mapped.distance, mapped.strain), mapped.ideal))
    kept, twice = _distinct(lattice, kept)
    state = _one_state(lattice, [one for one, row, _ in kept if not row.end_member])
    pure = _end_members(lattice, [row for _, row, _ in kept], dropped)
    if state != "cell":
        _check_mismatch(lattice, kept, max_mismatch)
    kept.sort(key=lambda item: (item[1].shares[::-1], item[1].n_sites))
    rows = [
        replace(row, formation=1e3 * (row.energy - sum(s * pure[k] for k, s in enumerate(row.shares))))
        for _, row, _ in kept
    ]
    return AlloyTable(
        lattice.name,
        lattice.species,
        state,
        tuple(rows),
        tuple(ideal for _, _, ideal in kept),
        tuple(one.relaxed for one, _, _ in kept),
        (*dropped, *twice),
    )


def _name(one: Solved) -> str:
    return str(one.ordering.info.get(ORDERING) or one.ordering.get_chemical_formula())


def _row(lattice: AlloyLattice, one: Solved, distance: float, strain: float) -> Row:
    sites = lattice.n_sites(one.relaxed)
    shares = tuple(lattice.composition(one.relaxed).values())
    pure = max(shares) > 1 - PURE
    energy = one.energy / sites
    return Row(
        _name(one), sites, len(one.relaxed), shares, energy, np.nan, distance, strain, pure, one.labels
    )


def _distinct(
    lattice: AlloyLattice, kept: list[tuple[Solved, Row, Atoms]]
) -> tuple[list[tuple[Solved, Row, Atoms]], list[tuple[str, str]]]:
    """Keep the lowest of equal orderings: twins would straddle the splits."""
    groups = ordering_groups(lattice, [ideal for _, _, ideal in kept]) if kept else []
    best: dict[int, int] = {}
    for place, group in enumerate(groups):
        if group not in best or kept[place][1].energy < kept[best[group]][1].energy:
            best[group] = place
    twice = [
        (kept[place][1].name, f"is the same ordering as {kept[best[group]][1].name}")
        for place, group in enumerate(groups)
        if best[group] != place
    ]
    return [kept[place] for place in sorted(best.values())], twice


def _one_state(lattice: AlloyLattice, solved: Sequence[Solved]) -> State:
    states = sorted({one.state for one in solved})
    if len(states) > 1:
        raise DataError(
            f"The orderings of {lattice.name} are not relaxed alike: {', '.join(states)}.",
            why="differences between relaxed and unrelaxed energies exceed formation energies",
            fix="relax all of them the same way",
        )
    return states[0] if states else "cell"


def _end_members(
    lattice: AlloyLattice, rows: Sequence[Row], dropped: Sequence[tuple[str, str]]
) -> Mapping[int, float]:
    pure = {row.shares.index(max(row.shares)): row.energy for row in rows if row.end_member}
    missing = [species for k, species in enumerate(lattice.species) if k not in pure]
    if missing:
        lost = "; ".join(f"{name}: {reason}" for name, reason in dropped)
        raise DataError(
            f"There is no end member of pure {' and '.join(missing)} for {lattice.name}.",
            why=f"dropped: {lost}" if lost else "formation energies are measured from the end members",
            fix="add each, relaxed in its own cell",
        )
    return pure


def _check_mismatch(lattice: AlloyLattice, kept: Sequence[tuple[Solved, Row, Atoms]], limit: float) -> None:
    """Refuse cells that are strained against what the end members would like (Vegard's rule for the area)."""
    area = {row.name: area_of(one.relaxed) / row.n_sites for one, row, _ in kept}
    pure = {row.shares.index(max(row.shares)): area[row.name] for _, row, _ in kept if row.end_member}
    wanted = {row.name: sum(share * pure[k] for k, share in enumerate(row.shares)) for _, row, _ in kept}
    strain = {row.name: abs(np.sqrt(area[row.name] / wanted[row.name]) - 1) for _, row, _ in kept}
    spread = float(np.sqrt(max(pure.values()) / min(pure.values()))) - 1
    found = max(spread, *strain.values())
    if found > limit:
        raise DataError(
            f"The end members of {lattice.name} differ by {100 * spread:.2g} % in their lattice constants, and cells "
            f"are strained by up to {100 * max(strain.values()):.2g} % against Vegard's rule.",
            why=f"at such a lattice the sign of the formation energy can be wrong ({100 * limit:.2g} % is allowed)",
            fix="relax the cells of the orderings as well, or give the lattice constant of the end members",
        )


def on_lattice(lattice: AlloyLattice, solved: Sequence[Solved], *, max_distance: float) -> FloatArray:
    """Return energies of cells, NaN where a sheet is not relaxed or has left the lattice.

    Parameters
    ----------
    lattice
        The alloy.
    solved
        Orderings.
    max_distance
        Å, as for `make_table`.

    Returns
    -------
    (n,) eV.
    """
    found = []
    for one in solved:
        try:
            away = bool(one.reason) or map_to_lattice(lattice, one.relaxed).distance > max_distance
        except FlatforceError:
            away = True
        found.append(np.nan if away else one.energy)
    return np.array(found)


def subset(table: AlloyTable, places: Sequence[int]) -> AlloyTable:
    """Keep some rows.

    Parameters
    ----------
    table
        The table.
    places
        Of the rows that stay.

    Returns
    -------
    A smaller table.
    """
    return replace(
        table,
        rows=tuple(table.rows[k] for k in places),
        orderings=tuple(table.orderings[k] for k in places),
        relaxed=tuple(table.relaxed[k] for k in places),
    )
