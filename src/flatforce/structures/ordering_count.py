"""Number of orderings of an alloy, estimated before they are enumerated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.memory import check_memory
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from flatforce.structures.alloys import AlloyLattice

ORDERING_BYTES: Final = 6000.0
"""Bytes for each ordering: 5.1 kB for up to 8 cells of a MX2 alloy (validation/memory_estimates.py)."""


def count_orderings(lattice: AlloyLattice, *, max_cells: int) -> float:
    """Estimate the number of symmetry-distinct orderings up to a size.

    Parameters
    ----------
    lattice
        The alloy.
    max_cells
        Number of primitive cells of the largest ordering.

    Returns
    -------
    Sum over supercells of n cells, of which there are σ(n), the sum of the divisors of n: colourings of the sites, divided by n
    translations and the order of the point group (the leading term of Burnside's lemma, a lower bound).
    """
    sites = sum(len(allowed) > 1 for allowed in lattice.allowed)
    operations = len(np.unique(find_symmetry(lattice.parent).rotations, axis=0))
    log_count = [
        n * sites * np.log(len(lattice.species)) + np.log(_sum_of_divisors(n) / (n * operations))
        for n in range(1, max_cells + 1)
    ]
    return float(np.exp(min(np.logaddexp.reduce(log_count), 300.0)))


def check_enumeration(lattice: AlloyLattice, *, max_cells: int) -> None:
    """Refuse an enumeration that would not fit into memory.

    Parameters
    ----------
    lattice
        The alloy.
    max_cells
        Number of primitive cells of the largest ordering.

    Raises
    ------
    ResourceError
        If the orderings would not fit.
    """
    count = count_orderings(lattice, max_cells=max_cells)
    check_memory(
        ORDERING_BYTES * count,
        task=f"All orderings of up to {max_cells} cells, {count:.2g} or more,",
        instead="lower max_cells, or draw orderings of a larger cell at random: flatforce alloy enumerate --random COUNT N M "
        "--concentration X",
    )


def _sum_of_divisors(number: int) -> int:
    return sum(divisor for divisor in range(1, number + 1) if number % divisor == 0)
