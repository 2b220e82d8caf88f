"""Errors that list the sites or arrangements among which a notation leaves the choice, each as a notation to type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flatforce.core.errors import GeometryError
from flatforce.structures.defect_geometry import IN_PLANE, UP

if TYPE_CHECKING:
    from flatforce.structures.defect_geometry import Placement
    from flatforce.structures.defect_lattice import Lattice
    from flatforce.structures.defect_notation import PointDefect, Side

MAX_CHOICES = 6
"""Choices that a message lists."""


def no_site(lattice: Lattice, part: PointDefect) -> GeometryError:
    """Make the error of a part whose species or side the sheet does not have.

    Parameters
    ----------
    lattice
        The sheet.
    part
        The part.

    Returns
    -------
    The error for the caller to raise; its `fix` tells how to find the sites of the sheet.
    """
    formula = lattice.primitive.get_chemical_formula()
    symbols, sides = lattice.primitive.get_chemical_symbols(), lattice.sides
    kinds = dict.fromkeys(f"{symbol} {side}" for symbol, side in zip(symbols, sides, strict=True))
    sites = "list its sites: flatforce defect sites STRUCTURE"
    if part.site_symbol == "V" and part.kind == "substitution" and part.symbol in symbols:
        sites = f"write v_{part.symbol} for a {part.symbol} vacancy, or {sites}"
    return GeometryError(
        f"No site of {formula} fits {part}.", why=f"the sites are {', '.join(kinds)}", fix=sites
    )


def inequivalent_sites(
    lattice: Lattice,
    parts: Sequence[PointDefect],
    groups: Sequence[Sequence[Placement]],
    *,
    repeats: tuple[int, int],
    order: Sequence[int],
) -> GeometryError:
    """Offer each kind of site of the first part: by its side where that is enough, else by the number of a site.

    Parameters
    ----------
    lattice
        The sheet.
    parts
        The defect.
    groups
        Equivalent sites of the primitive cell, one group for each kind.
    repeats
        n, m of the supercell.
    order
        Sites of the supercell, the most central first; the first of each kind is offered.

    Returns
    -------
    The error for the caller to raise; its `fix` lists one notation for each kind of site.
    """
    part, choices = parts[0], []
    for group in groups:
        side: Side = lattice.sides[group[0].basis]
        if group[0].facing != IN_PLANE:
            side = "top" if group[0].facing == UP else "bottom"
        choice = replace(part, side=side)
        members = {(placed.basis, placed.facing) for placed in group}
        if not set(lattice.candidates(choice)) <= members:
            basis = {placed.basis for placed in group}
            choice = replace(choice, index=next(i for i in order if i % len(lattice.primitive) in basis))
        multiplicity = f"{len(group)} equivalent in the primitive cell"
        choices.append((joined([choice, *parts[1:]]), f"{_where(lattice, group[0])}, {multiplicity}"))
    size = f"{repeats[0]} {repeats[1]}"
    return GeometryError(
        f"The site of {part} is not determined.",
        why=f"{len(groups)} kinds of sites fit it, which symmetry does not make equal",
        fix=f"write one of\n{_table(choices)}\n       list all sites: flatforce defect sites STRUCTURE -s {size}",
    )


def undetermined_arrangement(
    lattice: Lattice,
    parts: Sequence[PointDefect],
    number: int,
    first: Placement,
    arrangements: Sequence[tuple[int, tuple[float, ...], Placement]],
) -> GeometryError:
    """Offer the nearest arrangements of a part with the parts before it.

    Parameters
    ----------
    lattice
        The sheet.
    parts
        The defect.
    number
        Index of the part in the defect.
    first
        Placement of the first part.
    arrangements
        Shell number, distances in space to the parts before in Å, and placement of each choice.

    Returns
    -------
    The error for the caller to raise; its `fix` lists the nearest arrangements.
    """
    choices = []
    for shell, distances, placed in arrangements:
        notation = joined([*parts[:number], replace(parts[number], shell=shell), *parts[number + 1 :]])
        x, y = (round(float(component), 2) + 0.0 for component in lattice.offset(first, placed)[0])
        lengths = ", ".join(f"{distance:.2f}" for distance in distances)
        choices.append(
            (notation, f"{lengths} Å: {_where(lattice, placed)}, ({x:.2f}, {y:.2f}) Å from the first")
        )
    return GeometryError(
        f"The position of {parts[number]} relative to {joined(parts[:number])} is not determined.",
        why="the supercell has several distinct arrangements, listed with the distance to each part before",
        fix=f"write one of\n{_table(choices)}\n       or a larger number after ~, or a site number (#12) after each part",
    )


def too_small(repeats: tuple[int, int], part: PointDefect) -> GeometryError:
    """Make the error of a part that would be nearer to an image of a part before than to that part.

    Parameters
    ----------
    repeats
        n, m of the supercell.
    part
        The part.

    Returns
    -------
    Error that names the part and the size of the supercell, and says what helps.
    """
    return GeometryError(
        f"The supercell of {repeats[0]} × {repeats[1]} is too small for {part}.",
        why="a periodic image of a part before would be nearer than that part",
        fix="take a larger supercell, or a smaller number after ~",
    )


def too_crowded(repeats: tuple[int, int], part: PointDefect) -> GeometryError:
    """Make the error of an adatom whose nearest free places are all on top of another added atom.

    Parameters
    ----------
    repeats
        n, m of the supercell.
    part
        The part.

    Returns
    -------
    Error that names the part and the size of the supercell, and says what helps.
    """
    return GeometryError(
        f"The supercell of {repeats[0]} × {repeats[1]} has no room for {part}.",
        why="at each of the nearest arrangements, two added atoms would be on top of one another",
        fix="take a larger supercell, or a larger number after ~",
    )


def joined(parts: Sequence[PointDefect]) -> str:
    """Join parts to the notation of a complex.

    Parameters
    ----------
    parts
        The parts.

    Returns
    -------
    Canonical notation of the complex, its parts joined by +.
    """
    return "+".join(map(str, parts))


def _where(lattice: Lattice, placed: Placement) -> str:
    symbol, side = lattice.primitive.symbols[placed.basis], lattice.sides[placed.basis]
    if placed.facing == IN_PLANE:
        return f"{symbol} {side}"
    return f"{'above' if placed.facing == UP else 'below'} the sheet at {symbol}"


def _table(choices: Sequence[tuple[str, str]]) -> str:
    width = max(len(notation) for notation, _ in choices)
    lines = [f"         {notation:{width}s}   {text}" for notation, text in choices[:MAX_CHOICES]]
    more = len(choices) - MAX_CHOICES
    return "\n".join([*lines, f"         … and {more} more"] if more > 0 else lines)
