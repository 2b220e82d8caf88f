"""The lattice of a substitutional alloy: a parent sheet, on one sublattice of which several species mix."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.io import read

from flatforce.core.errors import DataError, GeometryError
from flatforce.structures.isolated_sheet import check_isolated_sheet
from flatforce.structures.prototypes import monolayer
from flatforce.structures.sheet import as_slab, thickness
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import BoolArray
    from flatforce.structures.alloy_config import AlloyConfig

ORDERING = "ordering"
"""Key of an ordering's name in `info`; all frames of its relaxation carry it."""

SYSTEM = "system"
"""Key of the alloy's name in `info`."""

HEIGHT = 15.0
"""Length of the third lattice vector of every ordering, in Å."""

MIN_GAP = 25.0
"""Least vacuum of a cluster space in Å, so that a few more shells than its clusters can be counted in it."""


@dataclass(frozen=True)
class AlloyLattice:
    """Sites of an alloy and the species that may occupy each."""

    name: str
    parent: Atoms
    """Primitive cell, periodic in its plane; its third lattice vector has the length `HEIGHT`."""
    species: tuple[str, ...]
    """Species that mix."""
    allowed: list[list[str]]
    """For each atom of the parent, the species that may occupy its site."""

    @property
    def inert(self) -> list[str]:
        """Species of the other sublattices."""
        return sorted({species[0] for species in self.allowed if len(species) == 1})

    def spacious(self, cutoff: float) -> Atoms:
        """Return the parent with three periodic axes and more vacuum than a cutoff.

        icet's cluster spaces need three periodic axes; without enough vacuum they count clusters across it.

        Parameters
        ----------
        cutoff
            Longest distance within a cluster, in Å.

        Returns
        -------
        A copy with three periodic axes.
        """
        return as_slab(self.parent, gap=max(cutoff + 5.0, MIN_GAP))

    def mixing(self, atoms: Atoms) -> BoolArray:
        """Select the atoms of the sublattice that mixes.

        Parameters
        ----------
        atoms
            An ordering.

        Returns
        -------
        (N,) whether each atom belongs to that sublattice.
        """
        return np.isin(atoms.get_chemical_symbols(), self.species)

    def n_sites(self, atoms: Atoms) -> int:
        """Count the sites that mix.

        Parameters
        ----------
        atoms
            An ordering.

        Returns
        -------
        Number of sites of the structure that the species share.

        Raises
        ------
        DataError
            If the structure holds other species, or numbers of atoms that do not fit the lattice.
        """
        counts = Counter(atoms.get_chemical_symbols())
        foreign = sorted(set(counts) - set(self.species) - set(self.inert))
        sites = sum(counts[symbol] for symbol in self.species)
        per_cell = sum(len(species) > 1 for species in self.allowed)
        if foreign or sites * len(self.allowed) != per_cell * len(atoms):
            raise DataError(
                f"{atoms.get_chemical_formula()} is no ordering of {self.name}.",
                why=f"it holds {', '.join(foreign)}"
                if foreign
                else "its numbers of atoms do not fit the lattice",
                fix="leave it out of the file: every structure must be an ordering of this alloy",
            )
        return sites

    def composition(self, atoms: Atoms) -> dict[str, float]:
        """Return the concentration of each species on the sublattice that mixes.

        Parameters
        ----------
        atoms
            An ordering.

        Returns
        -------
        Species → concentration, between 0 and 1.
        """
        counts, sites = Counter(atoms.get_chemical_symbols()), self.n_sites(atoms)
        return {symbol: counts[symbol] / sites for symbol in self.species}


def alloy_lattice(alloy: AlloyConfig) -> AlloyLattice:
    """Build the lattice of an alloy.

    Parameters
    ----------
    alloy
        Settings of the alloy.

    Returns
    -------
    The parent cell, and the species that may occupy each of its sites.

    Raises
    ------
    GeometryError
        If the parent has no such site, or a species that mixes is on another sublattice as well.
    """
    parent = _build_parent(alloy)
    symbols = parent.get_chemical_symbols()
    others = set(symbols) - {alloy.site}
    if alloy.site not in symbols:
        raise GeometryError(
            f"The parent {parent.get_chemical_formula()} has no site {alloy.site}.",
            fix=f"set site to one of {', '.join(sorted(set(symbols)))}",
        )
    if ambiguous := sorted(others & set(alloy.species)):
        raise GeometryError(
            f"{', '.join(ambiguous)} is on a sublattice that does not mix as well.",
            why="such an atom cannot be distinguished from an antisite",
            fix="set species to symbols that the rest of the parent does not hold",
        )
    cells = find_symmetry(parent).pure_translations
    if cells > 1:
        raise GeometryError(
            f"The parent {parent.get_chemical_formula()} holds {cells} primitive cells.",
            fix="set file to the primitive cell of the parent",
        )
    allowed = [list(alloy.species) if symbol == alloy.site else [symbol] for symbol in symbols]
    parent.set_chemical_symbols([species[0] for species in allowed])
    return AlloyLattice(alloy.name, parent, tuple(alloy.species), allowed)


def _build_parent(alloy: AlloyConfig) -> Atoms:
    if alloy.file is not None:
        path = Path(alloy.file)
        if not path.is_file():
            raise DataError(f"There is no file {path}.", fix="set file of the alloy to an existing file")
        atoms = read(path, do_not_split_by_at_sign=True)
        check_isolated_sheet(atoms)
        sheet = as_slab(atoms, gap=max(HEIGHT - thickness(atoms), 8.0))
        sheet.info, sheet.calc = {}, None
    else:
        assert alloy.symbols is not None and alloy.a is not None and alloy.prototype is not None  # noqa: S101, PT018  # the settings are validated
        sheet = monolayer(
            alloy.symbols, prototype=alloy.prototype, a=alloy.a, thickness=alloy.thickness, height=HEIGHT
        )
    sheet.pbc = (True, True, False)
    return sheet
