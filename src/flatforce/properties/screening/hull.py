"""Formation energies, and energies above the convex hull of competing phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

COMPOSITION_DIGITS: Final = 10
"""Decimals to which fractions of elements are compared."""

SUPPORT: Final = 1e-9
"""Fraction of a phase below which it has no part in a decomposition."""


def compositions_of(structures: Sequence[Atoms], elements: Sequence[str]) -> FloatArray:
    """Count elements.

    Parameters
    ----------
    structures
        Structures.
    elements
        Chemical symbols.

    Returns
    -------
    (S, E) fraction of the atoms of each structure that are of each element.
    """
    rows = [[atoms.symbols.count(element) / len(atoms) for element in elements] for atoms in structures]
    return np.array(rows).reshape(len(structures), len(elements))


def formation_energies(compositions: FloatArray, energies: FloatArray, elemental: FloatArray) -> FloatArray:
    """Subtract the energies of the elements.

    Parameters
    ----------
    compositions
        (S, E) fractions of the elements.
    energies
        (S,) eV/atom.
    elemental
        (E,) eV/atom, energy of each element; NaN where it is unknown.

    Returns
    -------
    (S,) eV/atom; NaN where the energy of an element is unknown that the structure holds.
    """
    elemental_energies = np.where(np.isfinite(elemental), elemental, 0.0)
    covered = ~((compositions > 0) & ~np.isfinite(elemental)).any(axis=1)
    result: FloatArray = np.where(covered, energies - compositions @ elemental_energies, np.nan)
    return result


def energies_above_hull(compositions: FloatArray, energies: FloatArray, *, count: int) -> FloatArray:
    """Compare each phase with the mixture of phases of the same composition that has the lowest energy.

    The mixture is found by a linear program for each composition, in which only phases without other elements take part. With the
    elements among the phases, this is the energy above the hull of a phase diagram; without them, only phases that mix to the
    composition compete.

    Parameters
    ----------
    compositions
        (S, E) fractions of the elements of all phases.
    energies
        (S,) eV/atom.
    count
        Number of phases, the first ones, whose energies above the hull are wanted.

    Returns
    -------
    (count,) eV/atom, 0 on the hull and for the lowest phase of an element; NaN for a compound that competes with nothing: no other phase or
    mixture of phases has its composition, and it has no part in the best mixture of any other.
    """
    rounded = np.round(compositions, COMPOSITION_DIGITS)
    _, first, inverse = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    unique, inverse = compositions[first], inverse.ravel()
    lowest = np.full(len(unique), np.inf)
    np.minimum.at(lowest, inverse, energies)
    sizes = np.bincount(inverse, minlength=len(unique))
    # only the lowest phase of each composition can be on the hull; a plane is taken off, for a linear program of small numbers
    plane = np.linalg.lstsq(unique, lowest, rcond=None)[0]
    heights = lowest - unique @ plane
    compared = (sizes > 1) | (unique == 1).any(axis=1)
    excess = np.zeros(len(unique))
    for index in range(len(unique)):
        mixture = _lowest_mixture(unique, heights, index)
        if mixture is not None:
            energy, parts = mixture
            excess[index] = max(heights[index] - energy, 0.0)
            compared[[index, *parts]] = True
    above: FloatArray = np.where(compared, excess - lowest, np.nan)[inverse] + energies
    return above[:count]


def _lowest_mixture(
    compositions: FloatArray, heights: FloatArray, index: int
) -> tuple[float, list[int]] | None:
    """Find the mixture of other phases with a composition: its energy in eV/atom, and its phases; None if there is none."""
    from scipy.optimize import linprog

    target = compositions[index]
    usable = (compositions[:, target == 0] == 0).all(axis=1)
    usable[index] = False
    present = target > 0
    matrix, costs = compositions[usable][:, present].T, heights[usable]
    if len(costs) == 0:
        return None
    solution = linprog(costs, A_eq=matrix, b_eq=target[present], bounds=(0, None), method="highs")
    if not solution.success:
        return None
    support = solution.x > SUPPORT
    fractions = np.linalg.lstsq(matrix[:, support], target[present], rcond=None)[0]  # without its tolerance
    return float(costs[support] @ fractions), np.flatnonzero(usable)[support].tolist()


def line_coordinates(compositions: FloatArray) -> FloatArray | None:
    """Find the position of each composition on the line on which all of them lie.

    Parameters
    ----------
    compositions
        (S, E) fractions of the elements.

    Returns
    -------
    (S,) coordinates from 0 to 1; None if the compositions do not lie on one line, or are all the same.
    """
    if len(compositions) == 0:
        return None
    differences = compositions - compositions[0]
    values, vectors = np.linalg.svd(differences, full_matrices=False)[1:]
    tolerance = 10.0**-COMPOSITION_DIGITS * max(1, len(compositions))
    if values[0] < tolerance or (len(values) > 1 and values[1] > tolerance):
        return None
    position = differences @ vectors[0]
    coordinates: FloatArray = (position - position.min()) / np.ptp(position)
    return coordinates


def energies_from_ends(coordinates: FloatArray, energies: FloatArray) -> FloatArray:
    """Subtract the line between the phases of lowest energy at both ends.

    Parameters
    ----------
    coordinates
        (S,) positions on a line of compositions, from 0 to 1.
    energies
        (S,) eV/atom.

    Returns
    -------
    (S,) eV/atom, energies of formation from the end members.
    """
    first, last = (energies[np.abs(coordinates - end) < 1e-9].min() for end in (0.0, 1.0))
    result: FloatArray = energies - (1 - coordinates) * first - coordinates * last
    return result
