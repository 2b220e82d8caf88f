"""Formation energies: total energies of orderings relative to end members relaxed in their own cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError, FlatforceError
from flatforce.properties.alloys.mapping import Mapped, map_to_lattice, ordering_groups
from flatforce.properties.alloys.table import AlloyTable, OrderingEnergy, Row
from flatforce.structures.sheet import area as area_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from flatforce.properties.alloys.config import AlloyEnergyConfig, RelaxationMode
    from flatforce.structures.alloys import AlloyLattice

END_MEMBER_TOLERANCE = 1e-9
"""A concentration this close to one is an end member: round-off of a quotient of counts."""


@dataclass(frozen=True)
class _Accepted:
    """An ordering that enters the table, before its formation energy is known."""

    result: OrderingEnergy
    row: Row
    ideal: Atoms


def is_end_member(lattice: AlloyLattice, atoms: Atoms) -> bool:
    """Tell whether an ordering holds one species alone.

    Parameters
    ----------
    lattice
        The alloy.
    atoms
        An ordering.

    Returns
    -------
    True for an end member.
    """
    return max(lattice.composition(atoms).values()) > 1 - END_MEMBER_TOLERANCE


def make_table(
    lattice: AlloyLattice, results: Sequence[OrderingEnergy], config: AlloyEnergyConfig
) -> AlloyTable:
    """Turn total energies into formation energies.

    Parameters
    ----------
    lattice
        The alloy.
    results
        Energies of orderings; the end members, relaxed in their own cells, must be among them.
    config
        Settings: which orderings have left the lattice, and which mismatch of the end members is allowed.

    Returns
    -------
    The table, sorted by composition; it lists what was dropped, with the reason.

    Raises
    ------
    DataError
        If relaxations are mixed, an end member is missing or dropped, or the mismatch is too large.
    """
    accepted, dropped = _map_all(lattice, results, max_distance=config.max_distance)
    accepted, duplicates = _drop_duplicates(lattice, accepted)
    relaxation = _common_relaxation(lattice, [entry.result for entry in accepted if not entry.row.end_member])
    pure = _end_member_energies(lattice, [entry.row for entry in accepted], dropped)
    if relaxation != "cell":
        _check_mismatch(lattice, accepted, config.max_mismatch)
    accepted.sort(key=lambda entry: (entry.row.concentrations[::-1], entry.row.n_sites))
    return AlloyTable(
        lattice.name,
        lattice.species,
        relaxation,
        tuple(replace(entry.row, formation_energy=_formation_energy(entry.row, pure)) for entry in accepted),
        tuple(entry.ideal for entry in accepted),
        tuple(entry.result.relaxed for entry in accepted),
        (*dropped, *duplicates),
    )


def _formation_energy(row: Row, pure: Mapping[int, float]) -> float:
    """Return the formation energy in meV per site, given those of the end members in eV per site."""
    mixture = sum(x * pure[species] for species, x in enumerate(row.concentrations))
    return 1e3 * (row.energy - mixture)


def _map_all(
    lattice: AlloyLattice, results: Sequence[OrderingEnergy], *, max_distance: float
) -> tuple[list[_Accepted], list[tuple[str, str]]]:
    """Map relaxed sheets to the lattice; list the name of each that fails, and the reason."""
    accepted: list[_Accepted] = []
    dropped: list[tuple[str, str]] = []
    for result in results:
        try:
            mapped = map_to_lattice(lattice, result.relaxed)
        except FlatforceError as error:
            dropped.append((result.name, error.what))
            continue
        if result.failure or mapped.max_distance > max_distance:
            displacement = f"left its lattice: an atom is {mapped.max_distance:.2f} Å from its site"
            dropped.append((result.name, result.failure or displacement))
            continue
        accepted.append(_Accepted(result, _make_row(lattice, result, mapped), mapped.ideal))
    return accepted, dropped


def _make_row(lattice: AlloyLattice, result: OrderingEnergy, mapped: Mapped) -> Row:
    n_sites = lattice.n_sites(result.relaxed)
    concentrations = tuple(lattice.composition(result.relaxed).values())
    return Row(
        name=result.name,
        n_sites=n_sites,
        n_atoms=len(result.relaxed),
        concentrations=concentrations,
        energy=result.energy / n_sites,
        formation_energy=np.nan,
        max_site_distance=mapped.max_distance,
        max_strain=mapped.max_strain,
        end_member=max(concentrations) > 1 - END_MEMBER_TOLERANCE,
        n_labels=result.n_labels,
    )


def _drop_duplicates(
    lattice: AlloyLattice, accepted: list[_Accepted]
) -> tuple[list[_Accepted], list[tuple[str, str]]]:
    """Keep the lowest in energy of equal orderings: duplicates would leak from the training into the test set."""
    groups = ordering_groups(lattice, [entry.ideal for entry in accepted]) if accepted else []
    lowest: dict[int, int] = {}
    for index, group in enumerate(groups):
        if group not in lowest or accepted[index].row.energy < accepted[lowest[group]].row.energy:
            lowest[group] = index
    duplicates = [
        (accepted[index].row.name, f"is the same ordering as {accepted[lowest[group]].row.name}")
        for index, group in enumerate(groups)
        if lowest[group] != index
    ]
    return [accepted[index] for index in sorted(lowest.values())], duplicates


def _common_relaxation(lattice: AlloyLattice, results: Sequence[OrderingEnergy]) -> RelaxationMode:
    relaxations = sorted({result.relaxation for result in results})
    if len(relaxations) > 1:
        raise DataError(
            f"The orderings of {lattice.name} are not relaxed alike: {', '.join(relaxations)}.",
            why="differences between relaxed and unrelaxed energies exceed formation energies",
            fix="relax all of them the same way",
        )
    return relaxations[0] if relaxations else "cell"


def _end_member_energies(
    lattice: AlloyLattice, rows: Sequence[Row], dropped: Sequence[tuple[str, str]]
) -> Mapping[int, float]:
    """Return the index of each species → energy of its end member, eV per site."""
    pure = {row.concentrations.index(max(row.concentrations)): row.energy for row in rows if row.end_member}
    missing = [symbol for species, symbol in enumerate(lattice.species) if species not in pure]
    if missing:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in dropped)
        raise DataError(
            f"There is no end member of pure {' and '.join(missing)} for {lattice.name}.",
            why=f"dropped: {reasons}" if reasons else "formation energies are relative to the end members",
            fix="add each end member, relaxed in its own cell",
        )
    return pure


def _check_mismatch(lattice: AlloyLattice, accepted: Sequence[_Accepted], max_mismatch: float) -> None:
    """Refuse cells that are strained relative to Vegard's rule for the area."""
    area = {entry.row.name: area_of(entry.result.relaxed) / entry.row.n_sites for entry in accepted}
    rows = [entry.row for entry in accepted]
    pure = {
        row.concentrations.index(max(row.concentrations)): area[row.name] for row in rows if row.end_member
    }
    vegard = {
        row.name: sum(x * pure[species] for species, x in enumerate(row.concentrations)) for row in rows
    }
    strain = {row.name: abs(np.sqrt(area[row.name] / vegard[row.name]) - 1) for row in rows}
    mismatch = float(np.sqrt(max(pure.values()) / min(pure.values()))) - 1
    if max(mismatch, *strain.values()) > max_mismatch:
        raise DataError(
            f"The end members of {lattice.name} differ by {100 * mismatch:.2g} % in their lattice constants, and cells "
            f"are strained by up to {100 * max(strain.values()):.2g} % against Vegard's rule.",
            why=f"at such a strain the sign of the formation energy can be wrong; max_mismatch is {max_mismatch:.2g}",
            fix="set energies.relax: cell, or set alloy.a to the lattice constant of the end members",
        )
