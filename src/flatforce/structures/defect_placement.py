"""Sites that the parts of a defect take in a supercell; where symmetry leaves more than one choice, the notation is refused."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.structures.adatoms import is_crowded
from flatforce.structures.defect_choices import (
    MAX_CHOICES,
    inequivalent_sites,
    no_site,
    too_crowded,
    too_small,
    undetermined_arrangement,
)
from flatforce.structures.defect_geometry import (
    DOWN,
    IN_PLANE,
    UP,
    Arrangement,
    Placement,
    central_order,
    overlaps,
)
from flatforce.structures.defect_lattice import DISTANCE_TOLERANCE, Key, Lattice

if TYPE_CHECKING:
    from flatforce.structures.defect_notation import PointDefect


def choose_sites(lattice: Lattice, repeats: tuple[int, int], parts: Sequence[PointDefect]) -> list[Placement]:
    """Give each part of a defect its site in a supercell.

    Parameters
    ----------
    lattice
        The sheet.
    repeats
        n, m of the supercell.
    parts
        The defect.

    Returns
    -------
    (n_parts,) placements; the first part is as near to the centre of the supercell as its sites allow.

    Raises
    ------
    GeometryError
        If no site fits, a site is taken twice, or symmetry leaves more than one choice.
    """
    if parts[0].shell is not None:
        raise GeometryError(
            f"The first part {parts[0]} has no part before it to which ~{parts[0].shell} could refer.",
            fix=f"write {replace(parts[0], shell=None)}, and ~1 after a later part",
        )
    for part in parts:
        if not lattice.candidates(replace(part, index=None)):
            raise no_site(lattice, part)
        if part.index is not None:
            numbered_site(lattice, repeats, part)
    placements = [_choose_first(lattice, repeats, parts)]
    for number, part in enumerate(parts[1:], start=1):
        if part.index is None:
            placements.append(_choose_next(lattice, repeats, parts, number, placements))
            continue
        placed = _nearest_image(lattice, repeats, numbered_site(lattice, repeats, part), placements[0])
        if overlaps(placed, placements, repeats):
            raise GeometryError(
                f"Two parts take site #{part.index}.", fix="give each part a site number of its own"
            )
        placements.append(placed)
    return placements


def site_index(lattice: Lattice, repeats: tuple[int, int], placed: Placement) -> int:
    """Return the index of a placement's site in the pristine supercell.

    Parameters
    ----------
    lattice
        The sheet.
    repeats
        n, m of the supercell.
    placed
        The placement.

    Returns
    -------
    Index as `Atoms.repeat` numbers the sites.
    """
    i, j = placed.cell[0] % repeats[0], placed.cell[1] % repeats[1]
    return (i * repeats[1] + j) * len(lattice.primitive) + placed.basis


def numbered_site(lattice: Lattice, repeats: tuple[int, int], part: PointDefect) -> Placement:
    """Place a part at the site whose number it carries.

    Parameters
    ----------
    lattice
        The sheet.
    repeats
        n, m of the supercell.
    part
        A part with a site number.

    Returns
    -------
    The placement. An adatom without a side faces the side of its site.

    Raises
    ------
    GeometryError
        If the site is absent or does not fit, or the side of an adatom is not determined.
    """
    index = part.index
    sites = f"list the sites: flatforce defect sites STRUCTURE -s {repeats[0]} {repeats[1]}"
    if index is None or index >= len(lattice.primitive) * repeats[0] * repeats[1]:
        raise GeometryError(f"The supercell of {repeats[0]} × {repeats[1]} has no site #{index}.", fix=sites)
    cell, basis = divmod(index, len(lattice.primitive))
    symbol, side = lattice.primitive.symbols[basis], lattice.sides[basis]
    if symbol != part.site_symbol or (part.kind != "adatom" and part.side not in {None, side}):
        raise GeometryError(f"Site #{index} is {symbol} ({side}) and does not fit {part}.", fix=sites)
    placed = Placement(part, basis, divmod(cell, repeats[1]), IN_PLANE)
    if part.kind != "adatom":
        return placed
    facing = {"top": UP, "bottom": DOWN, "middle": IN_PLANE}[part.side or side]
    above, below = replace(placed, facing=UP), replace(placed, facing=DOWN)
    if facing == IN_PLANE and part.side is None and lattice.key([above]) == lattice.key([below]):
        facing = UP
    if facing == IN_PLANE:
        raise GeometryError(
            f"The side of the sheet that {part} is on is not determined.",
            fix=f"write {replace(part, side='top')} or {replace(part, side='bottom')}",
        )
    return replace(placed, facing=facing)


def _choose_first(lattice: Lattice, repeats: tuple[int, int], parts: Sequence[PointDefect]) -> Placement:
    part = parts[0]
    if part.index is not None:
        return numbered_site(lattice, repeats, part)
    candidates = [Placement(part, basis, (0, 0), facing) for basis, facing in lattice.candidates(part)]
    order = central_order(lattice.primitive.repeat((*repeats, 1)))
    groups: dict[Key, list[Placement]] = {}
    for placed in candidates if len(candidates) > 1 else []:
        groups.setdefault(lattice.key([placed]), []).append(placed)
    if len(groups) > 1:
        raise inequivalent_sites(lattice, parts, list(groups.values()), repeats=repeats, order=order)
    facing = max(placed.facing for placed in candidates)
    basis = {placed.basis for placed in candidates if placed.facing == facing}
    index = next(i for i in order if i % len(lattice.primitive) in basis)
    if numbered := next((other for other in parts[1:] if other.index is not None), None):
        raise GeometryError(
            f"{numbered} has a site number, the first part {part} has none.",
            why="the distance between them would depend on the site of the first part",
            fix=f"write the numbers of all parts, such as {replace(part, index=index)}+{numbered}, "
            f"or ~1 in place of #{numbered.index}",
        )
    cell, chosen_basis = divmod(index, len(lattice.primitive))
    return Placement(part, chosen_basis, divmod(cell, repeats[1]), facing)


def _choose_next(
    lattice: Lattice,
    repeats: tuple[int, int],
    parts: Sequence[PointDefect],
    number: int,
    others: Sequence[Placement],
) -> Placement:
    part = parts[number]
    if part.shell is not None:
        shells = _fitting_shells(lattice, repeats, part, others, wanted={part.shell})
        if part.shell not in shells:
            raise too_small(repeats, part)
        return shells[part.shell][1]
    cells = product(range(repeats[0]), range(repeats[1]))
    placements = [
        Placement(part, basis, cell, facing)
        for cell, (basis, facing) in product(cells, lattice.candidates(part))
    ]
    free = [placed for placed in placements if not overlaps(placed, others, repeats)]
    if not free:
        raise GeometryError(f"No free site fits {part}.", fix="take a larger supercell")
    if len(free) == 1:
        return _nearest_image(lattice, repeats, free[0], others[0])
    shells = _fitting_shells(lattice, repeats, part, others, wanted=set(range(1, MAX_CHOICES + 1)))
    if not shells:
        raise too_small(repeats, part)
    choices = [
        (shell, *choice)
        for shell, choice in shells.items()
        if not is_crowded(lattice, choice[1], others, repeats)
    ]
    if not choices:
        raise too_crowded(repeats, part)
    raise undetermined_arrangement(lattice, parts, number, others[0], choices)


def _fitting_shells(
    lattice: Lattice,
    repeats: tuple[int, int],
    part: PointDefect,
    others: Sequence[Placement],
    *,
    wanted: Collection[int],
) -> dict[int, tuple[tuple[float, ...], Placement]]:
    """Find the arrangements that fit into the supercell: number → distances in Å, and a placement.

    Only if a wanted one does not fit where it is nearest to the first part, all sites are searched for a place that symmetry
    makes equal.
    """
    edges = np.linalg.norm(lattice.vectors, axis=1) @ np.array(repeats)
    own = [Placement(part, basis, (0, 0), facing) for basis, facing in lattice.candidates(part)]
    heights = [lattice.height(placed) for placed in (*others, *own)]
    farthest = float(edges / 2 + np.ptp(heights))  # of any part from the nearest image of another
    shells: dict[int, tuple[tuple[float, ...], Placement]] = {}
    for count in (max(wanted), sys.maxsize):
        arrangements = lattice.arrangements(part, others, count=count, farthest=farthest)
        shells = {
            shell: (arrangement.distances, fitting[0])
            for shell, arrangement in enumerate(arrangements, start=1)
            if (fitting := _fitting(lattice, repeats, arrangement, others))
        }
        if shells.keys() >= set(wanted):
            break
    return shells


def _fitting(
    lattice: Lattice, repeats: tuple[int, int], arrangement: Arrangement, others: Sequence[Placement]
) -> list[Placement]:
    """Leave out placements to which a periodic image of a part before is nearer than the part itself."""
    fitting = [
        placed
        for placed in arrangement.placements
        if not overlaps(placed, others, repeats)
        and all(
            lattice.distance(other, placed) - lattice.distance(other, placed, repeats) < DISTANCE_TOLERANCE
            for other in others
        )
    ]
    return sorted(
        fitting,
        key=lambda placed: (
            -round(float(lattice.heights[placed.basis]), 3),
            site_index(lattice, repeats, placed),
        ),
    )


def _nearest_image(
    lattice: Lattice, repeats: tuple[int, int], placed: Placement, first: Placement
) -> Placement:
    """Shift a placement by vectors of the supercell until it is next to the first part."""
    images = [
        replace(placed, cell=(placed.cell[0] + i * repeats[0], placed.cell[1] + j * repeats[1]))
        for i, j in product((0, -1, 1), repeat=2)
    ]
    return min(images, key=lambda image: round(lattice.distance(first, image), 6))
