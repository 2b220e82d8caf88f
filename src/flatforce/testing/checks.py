"""Laws that a force field for sheets must obey, each checked with a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.structures.sheet import area
from flatforce.structures.strain import apply_strain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction

DERIVATIVE = 1e-4
"""Relative error of forces and stress against central differences in float64."""

SAME = 1e-6
"""eV/atom and eV/Å. Two ways to the same number, summed in another order in float64."""

SAME_FLOAT32 = 2e-3
"""The same in float32, and for derivatives there."""

HIGHEST_ENERGY_SPREAD = 2.0
"""eV/atom. A rattled, strained sheet lies no further from the calm one than a few bonds' worth."""

LEAST_STIFFNESS = 0.02
"""eV/atom. Squeezed or stretched by a tenth, a sheet costs more than this: WSe2 0.2."""

STEP = 1e-3
"""Å and strain of the differences: truncation 1e-9, round-off 1e-10 in float64."""

_VOIGT = ("xx", "yy", "xy")


@dataclass(frozen=True)
class Check:
    """One law, what was found, and what is allowed."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the law holds; NaN does not."""
        return bool(self.value <= self.limit)


def check_potential(potential: Potential, sheet: Atoms) -> list[Check]:
    """Test a force field on one sheet.

    Parameters
    ----------
    potential
        The force field.
    sheet
        A low-symmetry sheet with forces and stress well away from zero.

    Returns
    -------
    One check a law: derivatives, invariances, batching, extensivity, plausibility.
    """
    exact = potential.dtype == "float64"
    same, derivative = (SAME, DERIVATIVE) if exact else (SAME_FLOAT32, SAME_FLOAT32)

    def one(atoms: Atoms, *, stress: bool = True) -> Prediction:
        return potential.evaluate([atoms], stress=stress)[0]

    base = one(sheet)
    energy = base.energy / len(sheet)
    moved: list[tuple[str, Atoms, FloatArray]] = [
        ("rotation about z", *_rotated(sheet, 0.7)),
        ("mirror z", *_mirrored(sheet)),
        ("more vacuum", _padded(sheet, 7.3), np.eye(3)),
        ("shift along z", _shifted(sheet, 3.1), np.eye(3)),
        ("periodicity T T F", _open(sheet), np.eye(3)),
    ]
    checks = [
        Check("forces against differences", _force_error(one, sheet, base), derivative),
        Check("in-plane stress against differences", _stress_error(one, sheet, base), derivative),
    ]
    for name, atoms, turn in moved:
        other = one(atoms)
        difference = max(
            abs(other.energy / len(sheet) - energy),
            float(np.abs(other.forces - base.forces @ turn.T).max()),
            _membrane_difference(other, base, turn),
        )
        checks.append(Check(f"invariance: {name}", difference, same))
    pair = potential.evaluate([sheet, moved[0][1], sheet])
    spread = max(abs(pair[0].energy - base.energy), abs(pair[2].energy - base.energy)) / len(sheet)
    checks.append(
        Check("batch equals single", max(spread, float(np.abs(pair[2].forces - base.forces).max())), same)
    )
    double = one(sheet.repeat((2, 1, 1)), stress=False)
    checks.append(Check("extensivity", abs(double.energy / len(sheet) / 2 - energy), same))
    checks.append(Check("net force", float(np.abs(base.forces.sum(axis=0)).max()), max(same, 1e-5)))
    checks.append(
        Check("plausible: energy that 10 % of strain frees (eV/atom)", _freed(one, sheet), -LEAST_STIFFNESS)
    )
    checks.append(
        Check("spread of energy under 5 % strain (eV/atom)", _spread(one, sheet), HIGHEST_ENERGY_SPREAD)
    )
    return checks


def _force_error(one: Callable[..., Prediction], sheet: Atoms, base: Prediction) -> float:
    rng = np.random.default_rng(3)
    found, expected = [], []
    for _ in range(4):
        direction = rng.normal(size=(len(sheet), 3))
        direction /= np.linalg.norm(direction)

        def energy(distance: float, along: FloatArray = direction) -> float:
            atoms = sheet.copy()
            atoms.positions += distance * along
            return one(atoms, stress=False).energy

        found.append(-_slope(energy))
        expected.append(float((base.forces * direction).sum()))
    scale = float(np.abs(expected).max())
    return float(np.abs(np.subtract(found, expected)).max() / max(scale, np.finfo(float).tiny))


def _stress_error(one: Callable[..., Prediction], sheet: Atoms, base: Prediction) -> float:
    if base.stress is None:
        return float("nan")
    height, expected, found = float(sheet.cell[2, 2]), [], []
    for name, (i, j) in zip(_VOIGT, ((0, 0), (1, 1), (0, 1)), strict=True):

        def energy(strain: float, component: str = name) -> float:
            return one(apply_strain(sheet, **{component: strain}), stress=False).energy

        factor = 2 if name == "xy" else 1  # an xy strain of size e fills two components of the tensor
        found.append(_slope(energy) / (factor * area(sheet) * height))
        expected.append(float(base.stress[i, j]))
    scale = float(np.abs(found).max())
    return float(np.abs(np.subtract(found, expected)).max() / max(scale, np.finfo(float).tiny))


def _slope(energy: Callable[[float], float]) -> float:
    """Differentiate at 0 by four points; random weights bend an energy more than two points see."""
    near, far = (energy(step) - energy(-step) for step in (STEP, 2 * STEP))
    return (8 * near - far) / (12 * STEP)


def _membrane_difference(other: Prediction, base: Prediction, turn: FloatArray) -> float:
    if other.membrane_stress is None or base.membrane_stress is None:
        return 0.0
    flat = turn[:2, :2]
    return (
        float(np.abs(other.membrane_stress - flat @ base.membrane_stress @ flat.T).max()) / 10
    )  # N/m to ~eV/Å²


def _rotated(sheet: Atoms, angle: float) -> tuple[Atoms, FloatArray]:
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    atoms = sheet.copy()
    atoms.set_cell(sheet.cell.array @ turn.T)
    atoms.positions = sheet.positions @ turn.T
    return atoms, turn


def _mirrored(sheet: Atoms) -> tuple[Atoms, FloatArray]:
    atoms = sheet.copy()
    atoms.positions[:, 2] = sheet.cell[2, 2] - sheet.positions[:, 2]
    return atoms, np.diag([1.0, 1.0, -1.0])


def _padded(sheet: Atoms, more: float) -> Atoms:
    atoms = sheet.copy()
    cell = sheet.cell.array.copy()
    cell[2, 2] += more
    atoms.set_cell(cell)
    return atoms


def _shifted(sheet: Atoms, by: float) -> Atoms:
    atoms = sheet.copy()
    atoms.positions[:, 2] += by
    atoms.wrap()
    return atoms


def _open(sheet: Atoms) -> Atoms:
    atoms = sheet.copy()
    atoms.pbc = (True, True, False)
    return atoms


def _spread(one: Callable[..., Prediction], sheet: Atoms) -> float:
    energies = [
        one(apply_strain(sheet, xx=e, yy=e), stress=False).energy / len(sheet) for e in (-0.05, 0.0, 0.05)
    ]
    return float(np.ptp(energies))


def _freed(one: Callable[..., Prediction], sheet: Atoms) -> float:
    """Energy that the better of two strains frees: a model of random weights knows no bonds."""
    energies = [one(apply_strain(sheet, xx=e, yy=e), stress=False).energy / len(sheet) for e in (-0.1, 0.0, 0.1)]
    return energies[1] - min(energies[0], energies[2])
