"""Bonds of a sheet by covalent radii, and what a relaxation did to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import covalent_radii

from flatforce.structures.isolated_sheet import IMAGE_GAP
from flatforce.structures.neighbour_graph import build_neighbour_graph
from flatforce.structures.sheet import as_slab

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray

BOUND: Final = 1.2
"""Relative length up to which two atoms are bound: nearest neighbours in the bundled frames have 0.76 to 1.16
(validation/structure_thresholds.py)."""

UNBOUND: Final = 1.35
"""Relative length beyond which they are not; a pair between the two has neither gained nor lost a bond."""

MAX_NAMED: Final = 3
"""Kinds of bonds that a text names."""


@dataclass(frozen=True)
class Bonds:
    """Pairs of atoms, periodic images included, each listed in both directions."""

    first: IntArray
    """(B,) index of one atom."""
    second: IntArray
    """(B,) index of the other."""
    images: IntArray
    """(B, 3) lattice translation of the second atom, in lattice vectors."""

    def lengths(self, atoms: Atoms) -> FloatArray:
        """Measure the same pairs in a structure with the same atoms.

        Parameters
        ----------
        atoms
            The structure.

        Returns
        -------
        (B,) distances over the sums of the covalent radii.
        """
        radii = covalent_radii[atoms.numbers]
        vectors = atoms.positions[self.second] - atoms.positions[self.first] + self.images @ atoms.cell.array
        relative: FloatArray = np.linalg.norm(vectors, axis=1) / (radii[self.first] + radii[self.second])
        return relative


@dataclass(frozen=True)
class BondChange:
    """What a relaxation did to the bonds of a sheet."""

    fell_apart: bool
    """Whether the sheet consists of more pieces than before, or of pieces that are periodic in fewer directions."""
    text: str
    """Description for a table, such as `2 Se-W bonds broken`; empty if all bonds are kept."""


def find_bonds(atoms: Atoms, *, limit: float = BOUND) -> Bonds:
    """Find the bonds of a sheet.

    Parameters
    ----------
    atoms
        A sheet with three periodic axes.
    limit
        Length of the longest bonds over the sum of the covalent radii.

    Returns
    -------
    All pairs of atoms that are nearer than that.
    """
    graph = build_neighbour_graph(atoms, 2 * limit * float(covalent_radii[atoms.numbers].max()))
    images = np.rint(graph.shift @ np.linalg.inv(atoms.cell.array)).astype(np.int64)
    bonds = Bonds(graph.sender, graph.receiver, images)
    near = bonds.lengths(atoms) < limit
    return Bonds(bonds.first[near], bonds.second[near], images[near])


def find_pieces(atoms: Atoms, *, limit: float = UNBOUND) -> list[int]:
    """Find the pieces of a structure that bonds hold together.

    Parameters
    ----------
    atoms
        A sheet with three periodic axes.
    limit
        Length of the longest bonds over the sum of the covalent radii.

    Returns
    -------
    For each piece the number of directions along which it is periodic: 2 for a layer, 1 for a ribbon, 0 for a molecule. The largest
    numbers come first.
    """
    bonds = find_bonds(atoms, limit=limit)
    order = np.argsort(bonds.first, kind="stable")
    starts = np.searchsorted(bonds.first[order], np.arange(len(atoms) + 1))
    cells: dict[int, IntArray] = {}
    periodicities = []
    for seed in range(len(atoms)):
        if seed in cells:
            continue
        cells[seed] = np.zeros(3, dtype=np.int64)
        stack, cycles = [seed], [np.zeros(3, dtype=np.int64)]
        while stack:
            atom = stack.pop()
            for bond in order[starts[atom] : starts[atom + 1]]:
                neighbour = int(bonds.second[bond])
                cell = cells[atom] + bonds.images[bond]
                if neighbour not in cells:
                    cells[neighbour] = cell
                    stack.append(neighbour)
                elif (cell != cells[neighbour]).any():
                    cycles.append(cell - cells[neighbour])
        periodicities.append(int(np.linalg.matrix_rank(np.unique(cycles, axis=0))))
    return sorted(periodicities, reverse=True)


def compare_bonds(initial: Atoms, relaxed: Atoms) -> BondChange:
    """Compare the bonds of a sheet before and after its relaxation.

    Parameters
    ----------
    initial
        The sheet before.
    relaxed
        The same atoms in the same order after.

    Returns
    -------
    What happened to the bonds. One counts as broken, or formed, only where the pair crossed both `BOUND` and `UNBOUND`.
    """
    before, after = (as_slab(atoms, gap=IMAGE_GAP) for atoms in (initial, relaxed))
    pieces_before, pieces_after = find_pieces(before), find_pieces(after)
    fell_apart = len(pieces_after) > len(pieces_before) or any(
        now < then for now, then in zip(pieces_after, pieces_before, strict=False)
    )
    old, new = find_bonds(before), find_bonds(after)
    broken = _name_pairs(before, old, old.lengths(after) > UNBOUND)
    formed = _name_pairs(after, new, new.lengths(before) > UNBOUND)
    texts = [f"{text} bonds broken" for text in broken] + [f"{text} bonds formed" for text in formed]
    if fell_apart:
        texts.insert(0, f"{len(pieces_after)} pieces instead of {len(pieces_before)}")
    return BondChange(fell_apart, "; ".join(texts))


def _name_pairs(atoms: Atoms, bonds: Bonds, selected: BoolArray) -> list[str]:
    """Count the selected bonds by their species, each pair once."""
    symbols = np.array(atoms.get_chemical_symbols())
    counts: dict[str, int] = {}
    for first, second in zip(bonds.first[selected], bonds.second[selected], strict=True):
        name = "-".join(sorted((symbols[first], symbols[second])))
        counts[name] = counts.get(name, 0) + 1
    names = [f"{(count + 1) // 2} {name}" for name, count in sorted(counts.items())]
    return [*names[:MAX_NAMED], "further"] if len(names) > MAX_NAMED else names
