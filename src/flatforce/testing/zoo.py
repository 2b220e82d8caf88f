"""Small sheets to test with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from flatforce.core.errors import ModelError
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from ase import Atoms

FIRST_CHOICES = (("W", "Se"), ("Mo", "S"), ("Mo", "Se"), ("B", "N"), ("C", "C"))
"""Sheets tried in this order for a model's elements."""


def make_test_sheet(elements: frozenset[str], symbols: tuple[str, ...] | None = None) -> Atoms:
    """Build a plausible, low-symmetry 2 × 2 sheet of a model's elements.

    Parameters
    ----------
    elements
        Species the model knows.
    symbols
        Two of them; None for the first familiar pair, else the heaviest with the lightest.

    Returns
    -------
    A strained, rattled MX2 or honeycomb sheet.

    Raises
    ------
    ModelError
        If not two species are named, or the model does not know them.
    """
    if symbols is None:
        known = [pair for pair in FIRST_CHOICES if set(pair) <= elements]
        order = sorted(elements, key=lambda symbol: atomic_numbers[symbol])
        symbols = known[0] if known else (order[-1], order[0])
    if len(symbols) != 2 or not set(symbols) <= elements:
        raise ModelError(
            f"No test sheet can be made of {', '.join(symbols)}.",
            why=f"the model knows {', '.join(sorted(elements))}",
            fix="name two of its elements: --elements W,Se",
        )
    metal, other = symbols[0], symbols[1]
    bond = float(covalent_radii[atomic_numbers[metal]] + covalent_radii[atomic_numbers[other]])
    if {metal, other} <= {"B", "C", "N"}:
        sheet = monolayer((metal, other), prototype="honeycomb", a=bond * np.sqrt(3))
    else:
        # trigonal prism with a = 1.30 d and thickness 1.32 d, as in WSe2 (d = 2.547 Å)
        bond *= 0.92
        sheet = monolayer((metal, other), prototype="2H", a=1.30 * bond, thickness=1.32 * bond)
    wide = apply_strain(sheet.repeat((2, 2, 1)), xx=0.01, yy=-0.008, xy=0.006)
    return rattle_positions(wide, amplitude=0.05, rng=np.random.default_rng(7))
