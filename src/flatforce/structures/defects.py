"""Point defects and their complexes in a supercell of any sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from ase import Atom
from ase.data import atomic_masses, atomic_numbers
from ase.geometry import get_distances

from flatforce.core.errors import GeometryError
from flatforce.structures.contacts import MIN_BOND, MIN_CONTACT, closest_contact
from flatforce.structures.defect_geometry import IN_PLANE, VACUUM
from flatforce.structures.defect_lattice import Lattice
from flatforce.structures.defect_notation import parse_defect
from flatforce.structures.defect_placement import choose_sites, site_index
from flatforce.structures.defect_sites import pristine_supercell
from flatforce.structures.sheet import as_slab, unwrapped_heights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.structures.defect_geometry import Placement


@dataclass(frozen=True, repr=False)
class DefectCell:
    """A supercell with a defect, and the pristine supercell with matched sites."""

    atoms: Atoms
    """The supercell of N atoms with the defect, as built: not relaxed."""
    pristine: Atoms
    """The supercell without the defect, in the same cell."""
    site_of: IntArray
    """(N,) site in `pristine` of each atom of `atoms`; -1 for an adatom."""
    centre: FloatArray
    """(3,) Å, mean position of the sites of the defect."""
    name: str
    """Canonical notation of the defect, such as `v_Se:top`: the same for all spellings."""
    sites: tuple[int, ...] = ()
    """(n_parts,) site in `pristine` of each part of the defect."""

    def __repr__(self) -> str:
        """Describe the defect and its supercell in one line."""
        formula = self.atoms.get_chemical_formula()
        return f"<DefectCell {self.name}: {self.description}; {formula}, {len(self.atoms)} atoms>"

    @property
    def vacant(self) -> IntArray:
        """(n,) sites of `pristine` that no atom of `atoms` occupies."""
        return np.setdiff1d(np.arange(len(self.pristine)), self.site_of)

    @property
    def description(self) -> str:
        """Each part in words with its site, and its distance in space to the first part in Å."""
        texts: list[str] = []
        positions = self._positions()
        cell, pbc = self.pristine.cell, (True, True, False)
        for k, (part, site) in enumerate(zip(parse_defect(self.name), self.sites, strict=True)):
            text = f"{part.description} at site #{site}"
            if k > 0:
                _, distance = get_distances(positions[:1], positions[k : k + 1], cell=cell, pbc=pbc)
                text += f", {distance[0, 0]:.2f} Å from the first"
            texts.append(text)
        return "; ".join(texts)

    def _positions(self) -> FloatArray:
        """(n_parts, 3) Å, positions of the parts as built, on a sheet that the cell boundary does not cut."""
        positions: FloatArray = self.pristine.positions[list(self.sites)]
        adatoms = iter(self.atoms.positions[self.site_of < 0])
        for k, part in enumerate(parse_defect(self.name)):
            if part.kind == "adatom":
                positions[k] = next(adatoms)
        shifts = unwrapped_heights(self.pristine) - self.pristine.positions[:, 2]
        positions[:, 2] += shifts[list(self.sites)]
        return positions


def build_defect(primitive: Atoms, repeats: tuple[int, int], defect: str) -> DefectCell:
    """Put a defect into an n × m supercell, as near to its centre as the sites allow.

    Parameters
    ----------
    primitive
        A sheet.
    repeats
        n, m of the supercell.
    defect
        Notation, see `parse_defect`.

    Returns
    -------
    The supercell with the defect and without it, their matched sites, and the centre of the defect in Å.

    Raises
    ------
    GeometryError
        If no site fits, a site is taken twice, or the notation leaves the choice among sites or arrangements that
        symmetry does not make equal (the message lists them), or an adatom is on top of another atom.
    """
    pristine = pristine_supercell(primitive, repeats)
    parts = parse_defect(defect, species=set(primitive.symbols))
    lattice = Lattice(primitive)
    placements = choose_sites(lattice, repeats, parts)
    sites = [site_index(lattice, repeats, placed) for placed in placements]
    atoms = pristine.copy()
    site_of = np.arange(len(pristine))
    for placed, site in zip(placements, sites, strict=True):
        symbol = placed.part.symbol
        if symbol is None:
            continue
        if placed.facing == IN_PLANE:
            atoms.symbols[site] = symbol
            changed = site
        else:
            atoms.append(Atom(symbol, _adatom_position(lattice, pristine, placed, site)))
            site_of = np.append(site_of, -1)
            changed = len(atoms) - 1
        if atoms.has("masses"):
            atoms.arrays["masses"][changed] = atomic_masses[atomic_numbers[symbol]]
    vacant = [site for part, site in zip(parts, sites, strict=True) if part.kind == "vacancy"]
    occupied = np.setdiff1d(np.arange(len(atoms)), vacant)
    if len(occupied) == 0:
        raise GeometryError("The defect removes every atom.", fix="take a larger supercell")
    atoms = atoms[occupied]
    name = "+".join(map(str, parts))
    _check_adatoms(atoms, name, len(atoms) + len(vacant) - len(pristine))
    _check_substitutions(atoms, name)
    atoms.info = {"name": f"{name} {repeats[0]}x{repeats[1]}", "config_type": name}
    return DefectCell(atoms, pristine, site_of[occupied], _centre(pristine, sites), name, tuple(sites))


def place_defect(
    primitive: Atoms,
    repeats: tuple[int, int],
    defect: str,
    *,
    occupied: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """Give a defect a place in a supercell that is drawn at random.

    Parameters
    ----------
    primitive
        A sheet.
    repeats
        n, m of the supercell.
    defect
        Notation, see `parse_defect`. The site of the first part is drawn; a part with `~1` follows it.
    occupied
        Defects that have their places, with the number of each site.
    rng
        Random numbers.

    Returns
    -------
    The notation with the number of each site, such as `v_Se:top#12`.

    Raises
    ------
    GeometryError
        If no site is free.
    """
    parts = parse_defect(defect, species=set(primitive.symbols))
    lattice, first = Lattice(primitive), parts[0]
    occupied_sites = {part.index for notation in occupied for part in parse_defect(notation)}
    if first.index is None:
        free = [
            i
            for i in range(len(primitive) * repeats[0] * repeats[1])
            if primitive.symbols[i % len(primitive)] == first.site_symbol
            and i not in occupied_sites
            and (first.kind == "adatom" or first.side in {None, lattice.sides[i % len(primitive)]})
        ]
        if not free:
            raise GeometryError(f"No free site fits {first}.", fix="take a larger supercell")
        parts[0] = replace(first, index=int(rng.choice(free)))
    if len(parts) == 1:
        return str(parts[0])
    placements = choose_sites(lattice, repeats, parts)
    sites = [site_index(lattice, repeats, placed) for placed in placements]
    if occupied_sites.intersection(sites):
        raise GeometryError(f"No free sites fit {defect}.", fix="take a larger supercell")
    return "+".join(
        str(replace(part, index=site, shell=None)) for part, site in zip(parts, sites, strict=True)
    )


def _adatom_position(lattice: Lattice, pristine: Atoms, placed: Placement, site: int) -> FloatArray:
    position: FloatArray = pristine.positions[site].copy()
    position[2] += lattice.height(placed) - lattice.heights[placed.basis]
    return position


def _check_adatoms(atoms: Atoms, name: str, n_adatoms: int) -> None:
    """Refuse adatoms on top of one another, of an atom of the sheet, or of their own periodic images."""
    if n_adatoms == 0:
        return
    added = range(len(atoms) - n_adatoms, len(atoms))
    contact = closest_contact(as_slab(atoms, gap=VACUUM), limit=MIN_BOND, of=added)
    if contact is not None:
        raise GeometryError(
            f"{name}: {contact.describe(atoms)}.",
            why=f"that is {contact.relative:.2f} of the sum of their covalent radii; no bond is shorter than {MIN_BOND:g} of it",
            fix="take a larger supercell, a larger number after ~, or another site",
        )


def _check_substitutions(atoms: Atoms, name: str) -> None:
    """Refuse a species that is too large for its site, as every calculation would."""
    contact = closest_contact(as_slab(atoms, gap=VACUUM), limit=MIN_CONTACT)
    if contact is not None:
        raise GeometryError(
            f"{name}: {contact.describe(atoms)}.",
            why=f"that is {contact.relative:.2f} of the sum of their covalent radii, and {MIN_CONTACT:g} is the least that is accepted",
            fix="take a species that fits the site, or put it above the sheet as an adatom (ad_X@Y)",
        )


def _centre(pristine: Atoms, sites: Sequence[int]) -> FloatArray:
    fractional = pristine.get_scaled_positions()[list(sites)]
    offset = fractional - fractional[0]
    offset[:, :2] -= np.round(offset[:, :2])
    centre: FloatArray = (fractional[0] + offset.mean(axis=0)) @ pristine.cell.array
    return centre
