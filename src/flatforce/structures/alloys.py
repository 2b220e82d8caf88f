"""The lattice of a substitutional alloy: a parent sheet, one sublattice of which several species share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase.io import read
from pydantic import Field, PositiveFloat, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import DataError, GeometryError
from flatforce.structures.prototypes import monolayer
from flatforce.structures.sheet import as_slab, check_sheet, thickness
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import BoolArray

ORDERING = "ordering"
"""Key of an ordering's name in `info`; all frames of its relaxation carry it."""

SYSTEM = "system"
"""Key of the alloy's name in `info`."""

HEIGHT = 15.0
"""Å, length of the third vector of every ordering."""

LEAST_GAP = 25.0
"""Å of vacuum of a cluster space, so that a few more shells than its clusters can be counted in it."""


class Alloy(Config):
    """A parent sheet and the species that share one of its sublattices."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """Name of the alloy, such as MoWS2."""
    species: list[str] = Field(min_length=2)
    """Species that mix; the first two of a binary are A and B, and x is the share of B."""
    prototype: Literal["2H", "1T", "honeycomb"] | None = None
    """Kind of the parent sheet."""
    symbols: tuple[str, str] | None = None
    """Species of the parent: (M, X) of an MX2, both sublattices of a honeycomb."""
    a: PositiveFloat | None = None
    """Å. Lattice constant of the parent."""
    thickness: float = 0.0
    """Å. X–X distance along the normal; 0 for a honeycomb."""
    file: str | None = None
    """Primitive cell of the parent, any format that ASE reads, instead of a prototype."""
    site: str
    """Species of the parent that is replaced, wherever it stands."""

    @model_validator(mode="after")
    def _consistent(self) -> Alloy:
        if len(set(self.species)) < len(self.species):
            raise ValueError("a species is given twice")
        if (self.file is None) == (self.prototype is None):
            raise ValueError("give either a prototype, with symbols and a, or a file")
        if self.prototype is not None and (self.symbols is None or self.a is None):
            raise ValueError("a prototype needs symbols and a")
        if self.prototype in {"2H", "1T"} and self.thickness <= 0:
            raise ValueError("an MX2 needs a thickness")
        return self


@dataclass(frozen=True)
class AlloyLattice:
    """Sites of an alloy and who may stand on each."""

    name: str
    parent: Atoms
    """Primitive cell, periodic in its plane, third vector of `HEIGHT`."""
    species: tuple[str, ...]
    """Those that mix."""
    allowed: list[list[str]]
    """For each atom of the parent."""

    @property
    def inert(self) -> list[str]:
        """Species of the other sublattices."""
        return sorted({one[0] for one in self.allowed if len(one) == 1})

    def spacious(self, cutoff: float) -> Atoms:
        """Return the parent with three periodic axes and images beyond a cutoff.

        icet's cluster spaces want three periodic axes; without enough vacuum, clusters across it would count.

        Parameters
        ----------
        cutoff
            Å, longest distance within a cluster.

        Returns
        -------
        A copy.
        """
        return as_slab(self.parent, gap=max(cutoff + 5.0, LEAST_GAP))

    def mixing(self, atoms: Atoms) -> BoolArray:
        """Tell the atoms of the sublattice that mixes.

        Parameters
        ----------
        atoms
            An ordering.

        Returns
        -------
        (N,) whether each belongs to it.
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
        Their number.

        Raises
        ------
        DataError
            If the structure holds other species, or not as many sites as its inert atoms call for.
        """
        found = Counter(atoms.get_chemical_symbols())
        strange = sorted(set(found) - set(self.species) - set(self.inert))
        sites = sum(found[symbol] for symbol in self.species)
        per_cell = sum(len(one) > 1 for one in self.allowed)
        if strange or sites * len(self.allowed) != per_cell * len(atoms):
            raise DataError(
                f"{atoms.get_chemical_formula()} is no ordering of {self.name}.",
                why=f"it holds {', '.join(strange)}"
                if strange
                else "its numbers of atoms do not fit the lattice",
                fix="give structures of this alloy alone",
            )
        return sites

    def composition(self, atoms: Atoms) -> dict[str, float]:
        """Return the share of each species on the sublattice that mixes.

        Parameters
        ----------
        atoms
            An ordering.

        Returns
        -------
        Species → share.
        """
        found, sites = Counter(atoms.get_chemical_symbols()), self.n_sites(atoms)
        return {symbol: found[symbol] / sites for symbol in self.species}


def alloy_lattice(alloy: Alloy) -> AlloyLattice:
    """Build the lattice of an alloy.

    Parameters
    ----------
    alloy
        What it is made of.

    Returns
    -------
    Its lattice.

    Raises
    ------
    GeometryError
        If the parent has no such site, or a species that mixes stands elsewhere as well.
    """
    parent = _parent(alloy)
    symbols = parent.get_chemical_symbols()
    others = set(symbols) - {alloy.site}
    if alloy.site not in symbols:
        raise GeometryError(
            f"The parent {parent.get_chemical_formula()} has no site {alloy.site}.",
            fix=f"choose one of {', '.join(sorted(set(symbols)))}",
        )
    if both := sorted(others & set(alloy.species)):
        raise GeometryError(
            f"{', '.join(both)} stands on a sublattice that does not mix as well.",
            why="such an atom could not be told from an antisite",
            fix="choose species that the rest of the parent does not hold",
        )
    cells = find_symmetry(parent).pure_translations
    if cells > 1:
        raise GeometryError(
            f"The parent {parent.get_chemical_formula()} holds {cells} primitive cells.",
            fix="give the primitive cell of the parent",
        )
    allowed = [list(alloy.species) if symbol == alloy.site else [symbol] for symbol in symbols]
    parent.set_chemical_symbols([one[0] for one in allowed])
    return AlloyLattice(alloy.name, parent, tuple(alloy.species), allowed)


def _parent(alloy: Alloy) -> Atoms:
    if alloy.file is not None:
        path = Path(alloy.file)
        if not path.is_file():
            raise DataError(f"There is no file {path}.", fix="check `file` of the alloy")
        atoms = read(path)
        check_sheet(atoms)
        sheet = as_slab(atoms, gap=max(HEIGHT - thickness(atoms), 8.0))
        sheet.info, sheet.calc = {}, None
    else:
        assert alloy.symbols is not None and alloy.a is not None and alloy.prototype is not None  # noqa: S101, PT018  # the settings were checked
        sheet = monolayer(
            alloy.symbols, prototype=alloy.prototype, a=alloy.a, thickness=alloy.thickness, height=HEIGHT
        )
    sheet.pbc = (True, True, False)
    return sheet
