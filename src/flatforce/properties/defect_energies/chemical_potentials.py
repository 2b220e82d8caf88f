"""Chemical potentials at which a sheet exists beside competing phases.

A sheet in equilibrium with its atoms fixes Σ n_i μ_i = E per primitive cell; a competing phase is not formed while Σ m_i μ_i ≤ E' for its
formula unit. The corners of the region that is left are the limits at which formation energies are given (Zhang and Northrup, Phys. Rev.
Lett. 67, 2339, 1991).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from ase.formula import Formula

from flatforce.core.errors import ConfigError

TOLERANCE: Final = 1e-6
"""eV, by which a phase may be exceeded through round-off."""


@dataclass(frozen=True)
class Limit:
    """Chemical potentials at one corner of the region where the sheet exists."""

    name: str
    """Name, such as `Se-rich`, after the phases that are in equilibrium with the sheet."""
    potentials: Mapping[str, float]
    """Element → eV."""


def composition(formula: str) -> dict[str, int]:
    """Count the atoms of a chemical formula.

    Parameters
    ----------
    formula
        Formula, such as `WSe2`.

    Returns
    -------
    Element → number of atoms of it in a formula unit.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        counts = {
            str(symbol): int(number) for symbol, number in Formula(formula, strict=True).count().items()
        }
    except ValueError as error:
        raise ConfigError(f"{formula} is no chemical formula.", fix="write it like WSe2 or Se") from error
    if not counts:
        raise ConfigError("A competing phase has no formula.", fix="write it like WSe2 or Se")
    return counts


def find_limits(
    host: Mapping[str, int], energy: float, phases: Mapping[str, float], others: set[str]
) -> list[Limit]:
    """Find the corners of the region of chemical potentials.

    Parameters
    ----------
    host
        Element → atoms in the primitive cell of the sheet.
    energy
        eV, of the primitive cell.
    phases
        Formula of each competing phase → eV per formula unit.
    others
        Elements of the defects that are not in the sheet; at each corner they take the largest potential that their phases allow.

    Returns
    -------
    The limits; one without a name where the sheet has a single element.

    Raises
    ------
    ConfigError
        If an element has no phase, or the sheet is not stable against the phases.
    """
    elements = sorted(host)
    counts = {formula: composition(formula) for formula in phases}
    inside = [formula for formula, content in counts.items() if set(content) <= set(elements)]
    for element in [*elements, *sorted(others)]:
        if len(elements) > 1 or element in others:
            _check_reference(element, counts)
    if len(elements) == 1:
        limits = [Limit("", {elements[0]: energy / host[elements[0]]})]
    else:
        limits = _corners(host, energy, {formula: phases[formula] for formula in inside})
    return [
        Limit(limit.name, dict(limit.potentials) | _impurities(limit.potentials, others, phases, counts))
        for limit in limits
    ]


def _check_reference(element: str, counts: Mapping[str, Mapping[str, int]]) -> None:
    if not any(element in content for content in counts.values()):
        raise ConfigError(
            f"There is no reference for the chemical potential of {element}.",
            why="a formation energy counts the energy of the atoms that a defect adds or removes",
            fix=f"give the energy of a phase that holds it, by the method of the labels: references: {{{element}: -3.5}} (eV per formula unit)",
        )


def _corners(host: Mapping[str, int], energy: float, phases: Mapping[str, float]) -> list[Limit]:
    elements = sorted(host)
    rows = np.array([[composition(formula).get(element, 0) for element in elements] for formula in phases])
    bounds = np.array(list(phases.values()))
    names = list(phases)
    limits: list[Limit] = []
    for phase_indices in combinations(range(len(phases)), len(elements) - 1):
        matrix = np.vstack([[host[element] for element in elements], rows[list(phase_indices)]])
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        potentials = np.linalg.solve(matrix, np.array([energy, *bounds[list(phase_indices)]]))
        if (rows @ potentials <= bounds + TOLERANCE).all():
            name = "+".join(names[k] for k in phase_indices)
            limits.append(Limit(f"{name}-rich", dict(zip(elements, map(float, potentials), strict=True))))
    if not limits:
        sheet = "".join(f"{element}{host[element] if host[element] > 1 else ''}" for element in elements)
        raise ConfigError(
            f"{sheet} is not stable against the references.",
            why="no chemical potentials make the sheet form and none of the phases: energies by different methods do not belong together",
            fix="compute the references with the code, functional and potentials of the labels",
        )
    return limits


def _impurities(
    potentials: Mapping[str, float],
    others: set[str],
    phases: Mapping[str, float],
    counts: Mapping[str, Mapping[str, int]],
) -> dict[str, float]:
    """Largest potential of each element that the sheet does not hold, one element at a time."""
    result: dict[str, float] = {}
    for element in sorted(others):
        bounds = [
            (phases[formula] - sum(n * potentials[k] for k, n in content.items() if k != element))
            / content[element]
            for formula, content in counts.items()
            if element in content and set(content) - {element} <= set(potentials)
        ]
        if not bounds:
            _check_reference(element, {})
        result[element] = float(min(bounds))
    return result
