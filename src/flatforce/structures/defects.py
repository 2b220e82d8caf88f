"""Point defects and their combinations in a supercell of any sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atom
from ase.data import atomic_masses, atomic_numbers, covalent_radii

from flatforce.core.errors import GeometryError
from flatforce.structures.defect_notation import PointDefect, Side, parse_defect
from flatforce.structures.sheet import as_slab, check_sheet, unwrapped_heights
from flatforce.structures.symmetry import equivalent_sites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

VACUUM = 15.0
"""Å, of a sheet whose symmetry is asked: files come with any, or none."""

MIDDLE_TOLERANCE = 0.3
"""Å. An atom nearer to the mid-plane than this lies in the middle, else on top or below: half a weak buckling."""


@dataclass(frozen=True)
class DefectCell:
    """A supercell with a defect beside the pristine one, sites matched."""

    atoms: Atoms
    pristine: Atoms
    """The supercell without the defect, same cell."""
    site_of: IntArray
    """(N,) site in `pristine` of each atom of `atoms`; -1 for an adatom."""
    centre: FloatArray
    """(3,) Å, mean of the defect sites."""
    name: str

    @property
    def vacant(self) -> IntArray:
        """(n,) sites of `pristine` that no atom of `atoms` occupies."""
        return np.setdiff1d(np.arange(len(self.pristine)), self.site_of)


@dataclass(frozen=True)
class Site:
    """A symmetry-distinct site of a sheet."""

    index: int
    symbol: str
    side: Side
    multiplicity: int
    """Equivalent sites in the cell."""


def sides(atoms: Atoms) -> list[Side]:
    """Say of each atom whether it lies above, in or below the mid-plane.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    One word an atom.
    """
    heights = unwrapped_heights(atoms)
    middle = (heights.max() + heights.min()) / 2
    return [
        "middle" if abs(z - middle) < MIDDLE_TOLERANCE else "top" if z > middle else "bottom" for z in heights
    ]


def distinct_sites(atoms: Atoms) -> list[Site]:
    """List the symmetry-distinct sites of a sheet.

    Parameters
    ----------
    atoms
        A sheet, best its primitive cell.

    Returns
    -------
    One entry a site, with its multiplicity.

    Raises
    ------
    GeometryError
        If it is no sheet along axis 2.
    """
    slab = as_slab(atoms, gap=VACUUM)
    equivalent, where = equivalent_sites(slab), sides(slab)
    first, counts = np.unique(equivalent, return_counts=True)
    return [
        Site(int(i), str(atoms.symbols[int(i)]), where[int(i)], int(n))
        for i, n in zip(first, counts, strict=True)
    ]


def build_defect(primitive: Atoms, repeats: tuple[int, int], defect: str) -> DefectCell:
    """Put a defect into an n × m supercell, as near to its centre as the sites allow.

    Parameters
    ----------
    primitive
        A sheet.
    repeats
        n, m.
    defect
        See `parse_defect`. Further parts take the eligible site nearest to the first.

    Returns
    -------
    The defect cell.

    Raises
    ------
    GeometryError
        If no site fits, or a site is named twice.
    """
    check_sheet(primitive)
    if min(repeats) < 1:
        raise GeometryError(f"A supercell of {repeats[0]} × {repeats[1]} is impossible.")
    pristine = primitive.repeat((*repeats, 1))
    pristine.calc = None
    pristine.set_constraint()
    parts = parse_defect(defect)
    sites = _choose_sites(pristine, parts)
    atoms = pristine.copy()
    site_of = np.arange(len(pristine))
    for part, site in zip(parts, sites, strict=True):
        if part.kind == "substitution":
            atoms.symbols[site] = part.symbol
            if atoms.has("masses"):
                atoms.arrays["masses"][site] = atomic_masses[atomic_numbers[part.symbol]]
        elif part.kind == "adatom":
            atoms.append(_adatom(pristine, part, site))
            site_of = np.append(site_of, -1)
            if atoms.has("masses"):
                atoms.arrays["masses"][-1] = atomic_masses[atomic_numbers[part.symbol]]
    gone = [site for part, site in zip(parts, sites, strict=True) if part.kind == "vacancy"]
    keep = np.setdiff1d(np.arange(len(atoms)), gone)
    if len(keep) == 0:
        raise GeometryError("The defect removes every atom.", fix="take a larger supercell")
    atoms = atoms[keep]
    site_of = site_of[keep]
    atoms.info = {"name": f"{defect} {repeats[0]}x{repeats[1]}", "config_type": defect}
    return DefectCell(atoms, pristine, site_of, _centre(pristine, sites), defect)


def place_defect(pristine: Atoms, word: str, *, taken: Sequence[str], rng: np.random.Generator) -> str:
    """Give one part of a defect a site drawn at random.

    Parameters
    ----------
    pristine
        The supercell.
    word
        One part, see `parse_defect`; a site that it names is kept.
    taken
        Parts that have their sites.
    rng
        Draws.

    Returns
    -------
    The part with its site, `v_Se:top#12`.

    Raises
    ------
    GeometryError
        If no site is left.
    """
    (part,) = parse_defect(word)
    if part.index is not None:
        return word
    others = {one.index for text in taken for one in parse_defect(text)}
    where = sides(pristine)
    free = [
        i
        for i in range(len(pristine))
        if pristine.symbols[i] == part.site_symbol
        and i not in others
        and (part.kind == "adatom" or part.side in {None, where[i]})
    ]
    if not free:
        raise GeometryError(f"No free site fits {word}.", fix="take a larger supercell")
    return f"{word}#{rng.choice(free)}"


def _choose_sites(pristine: Atoms, parts: list[PointDefect]) -> list[int]:
    where = sides(pristine)
    middle = np.array([0.5, 0.5])
    fractional = pristine.get_scaled_positions()[:, :2]
    chosen: list[int] = []
    for part in parts:
        if part.index is not None:
            eligible = [part.index] if part.index < len(pristine) else []
        else:
            eligible = list(range(len(pristine)))
        eligible = [
            i
            for i in eligible
            if pristine.symbols[i] == part.site_symbol
            and (part.kind == "adatom" or (part.side in {None, where[i]} and i not in chosen))
        ]
        if not eligible:
            raise GeometryError(
                f"No free site fits {part}.",
                fix=f"the sheet has {pristine.get_chemical_formula()}; list its sites with `flatforce defect sites`",
            )
        target = fractional[chosen[0]] if chosen else middle
        offset = fractional[eligible] - target
        offset -= np.round(offset)
        lateral = np.linalg.norm(offset @ pristine.cell.array[:2, :2], axis=1)
        order = np.lexsort((eligible, -pristine.positions[eligible, 2].round(3), lateral.round(4)))
        chosen.append(eligible[int(order[0])])
    return chosen


def _adatom(pristine: Atoms, part: PointDefect, site: int) -> Atom:
    heights = unwrapped_heights(pristine)
    below = part.side == "bottom"
    bond = covalent_radii[atomic_numbers[part.symbol]] + covalent_radii[pristine.numbers[site]]
    lateral = pristine.positions - pristine.positions[site]
    near = np.linalg.norm(lateral[:, :2], axis=1) < bond
    edge = heights[near].min() if below else heights[near].max()
    centre = pristine.positions[site].copy()
    shift = pristine.positions[site, 2] - heights[site]
    centre[2] = edge + shift - bond if below else edge + shift + bond
    return Atom(part.symbol, centre)


def _centre(pristine: Atoms, sites: list[int]) -> FloatArray:
    fractional = pristine.get_scaled_positions()[sites]
    offset = fractional - fractional[0]
    offset[:, :2] -= np.round(offset[:, :2])
    centre: FloatArray = (fractional[0] + offset.mean(axis=0)) @ pristine.cell.array
    return centre
