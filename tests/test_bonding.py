"""Bonds of a sheet: pieces and their periodicity, and what a relaxation did to them."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from flatforce.structures.bonding import compare_bonds, find_bonds, find_pieces
from flatforce.structures.sheet import as_slab
from flatforce.structures.strain import apply_strain, rattle_positions


def bilayer(unit: Atoms) -> Atoms:
    second = unit.copy()
    second.positions += unit.cell[0] / 3 + 2 * unit.cell[1] / 3 + [0, 0, 6.5]
    return as_slab(unit + second, gap=20.0)


def test_every_metal_of_2h_has_its_neighbours(unit: Atoms) -> None:
    bonds = find_bonds(unit)
    chalcogens = unit.numbers[bonds.second] == 34
    assert (chalcogens & (bonds.first == 0)).sum() == 6  # trigonal prism
    assert ((unit.numbers[bonds.first] == 34) & chalcogens).sum() == 0


def test_pieces_know_their_periodicity(unit: Atoms) -> None:
    assert find_pieces(unit) == find_pieces(unit.repeat((3, 2, 1))) == [2]
    assert find_pieces(bilayer(unit)) == [2, 2]
    ribbon = unit.repeat((1, 4, 1))
    cell = ribbon.cell.array.copy()
    cell[1] *= 3
    ribbon.set_cell(cell)
    assert find_pieces(ribbon) == [1]
    dimer = Atoms("N2", positions=[[0, 0, 0], [1.1, 0, 0]], cell=[12, 12, 20], pbc=True)
    assert find_pieces(dimer) == [0]


def test_strain_and_rattling_keep_bonds(unit: Atoms) -> None:
    sheet = unit.repeat((2, 2, 1))
    moved = rattle_positions(
        apply_strain(sheet, xx=0.06, yy=-0.05), amplitude=0.1, rng=np.random.default_rng(1)
    )
    change = compare_bonds(sheet, moved)
    assert not change.fell_apart
    assert change.text == ""


def test_a_cell_boundary_through_the_sheet_does_not_matter(unit: Atoms) -> None:
    shifted = unit.copy()
    shifted.positions[:, 2] += 7.5
    shifted.wrap()
    assert np.ptp(shifted.positions[:, 2]) > 10  # the boundary cuts the sheet
    assert compare_bonds(shifted, unit).text == ""


def test_an_atom_that_leaves_is_noticed(unit: Atoms) -> None:
    sheet = unit.repeat((2, 2, 1))
    torn = sheet.copy()
    torn.positions[1, 2] += 3.0
    change = compare_bonds(sheet, torn)
    assert change.fell_apart
    assert change.text == "2 pieces instead of 1; 3 Se-W bonds broken"


def test_a_changed_coordination_is_named_and_is_no_failure(unit: Atoms) -> None:
    sheet = unit.repeat((2, 2, 1))
    change = compare_bonds(sheet, _with_dimer(sheet))
    assert not change.fell_apart
    assert "1 Se-Se bonds formed" in change.text


def _with_dimer(sheet: Atoms) -> Atoms:
    """Both chalcogens above a site, brought together in the middle plane."""
    changed = sheet.copy()
    changed.positions[1, 2] -= 0.5
    changed.positions[2, 2] += 0.5
    return changed
