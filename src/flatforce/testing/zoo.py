"""Small test sheets of the elements of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from flatforce.core.errors import ModelError
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from ase import Atoms

FAMILIAR_PAIRS = (("W", "Se"), ("Mo", "S"), ("Mo", "Se"), ("B", "N"), ("C", "C"))
"""Pairs of elements, tried in this order."""


def make_test_sheet(elements: frozenset[str], symbols: tuple[str, ...] | None = None) -> Atoms:
    """Build a plausible 2 × 2 sheet of low symmetry from the elements of a model.

    Parameters
    ----------
    elements
        Elements that the model supports.
    symbols
        Two of these elements; None for the first pair of `FAMILIAR_PAIRS`, or the heaviest and the lightest element.

    Returns
    -------
    A MX2 or honeycomb sheet with strain and random displacements.

    Raises
    ------
    ModelError
        If the number of symbols is not two, or the model does not support them.
    """
    if symbols is None:
        supported = [pair for pair in FAMILIAR_PAIRS if set(pair) <= elements]
        order = sorted(elements, key=lambda symbol: atomic_numbers[symbol])
        symbols = supported[0] if supported else (order[-1], order[0])
    if len(symbols) != 2 or not set(symbols) <= elements:
        raise ModelError(
            f"No test sheet can be built from {', '.join(symbols)}.",
            why=f"the model supports {', '.join(sorted(elements))}",
            fix="pass two elements that the model supports: --elements W,Se",
        )
    metal, other = symbols[0], symbols[1]
    bond = float(covalent_radii[atomic_numbers[metal]] + covalent_radii[atomic_numbers[other]])
    if {metal, other} <= {"B", "C", "N"}:
        sheet = monolayer((metal, other), prototype="honeycomb", a=bond * np.sqrt(3))
    else:
        # trigonal prism with a = 1.30 d and thickness 1.32 d, as in WSe2 (d = 2.547 Å)
        bond *= 0.92
        sheet = monolayer((metal, other), prototype="2H", a=1.30 * bond, thickness=1.32 * bond)
    supercell = apply_strain(sheet.repeat((2, 2, 1)), xx=0.01, yy=-0.008, xy=0.006)
    return rattle_positions(supercell, amplitude=0.05, rng=np.random.default_rng(7))
