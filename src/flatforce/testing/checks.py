"""Laws that a force field for sheets must obey, each checked by the size of its violation."""

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

DERIVATIVE_TOLERANCE = 1e-4
"""Relative error of forces and stress against finite differences in float64."""

INVARIANCE_TOLERANCE = 1e-6
"""eV/atom and eV/Å. Round-off of quantities that are equal by symmetry, in float64."""

FLOAT32_TOLERANCE = 2e-3
"""Tolerance of both kinds of checks in float32."""

MAX_STRAIN_ENERGY = 2.0
"""eV/atom. Range of the energy under 5 % strain: larger values exceed the energy of a few bonds."""

MIN_STRAIN_ENERGY = 0.02
"""eV/atom. Least energy of a biaxial strain of 10 %; it is 0.2 for WSe2."""

STEP = 1e-3
"""Å or strain, step of the finite differences: truncation error 1e-9, round-off 1e-10 in float64."""

_VOIGT = ("xx", "yy", "xy")


@dataclass(frozen=True)
class Check:
    """One law, the size of its violation, and the tolerance."""

    name: str
    """Name of the law."""
    value: float
    """Size of the violation, in the unit of the tolerance."""
    limit: float
    """Largest value with which the law counts as obeyed."""

    @property
    def passed(self) -> bool:
        """Whether the law is obeyed; a value of NaN counts as a violation."""
        return bool(self.value <= self.limit)


def check_potential(potential: Potential, sheet: Atoms) -> list[Check]:
    """Test a force field on one sheet.

    Parameters
    ----------
    potential
        The force field.
    sheet
        A sheet of low symmetry, with forces and stress far from zero.

    Returns
    -------
    One check for each law: forces and stress as derivatives of the energy, invariances, batches, extensivity, plausible energies
    under strain.
    """
    is_float64 = potential.dtype == "float64"
    invariance = INVARIANCE_TOLERANCE if is_float64 else FLOAT32_TOLERANCE
    derivative = DERIVATIVE_TOLERANCE if is_float64 else FLOAT32_TOLERANCE

    def evaluate(atoms: Atoms, *, stress: bool = True) -> Prediction:
        prediction: Prediction = potential.evaluate([atoms], stress=stress)[0]
        return prediction

    base = evaluate(sheet)
    energy = base.energy / len(sheet)
    transformed: list[tuple[str, Atoms, FloatArray]] = [
        ("rotation about z", *_rotated(sheet, 0.7)),
        ("mirror z", *_mirrored(sheet)),
        ("more vacuum", _padded(sheet, 7.3), np.eye(3)),
        ("shift along z", _shifted(sheet, 3.1), np.eye(3)),
        ("periodicity T T F", _open(sheet), np.eye(3)),
    ]
    checks = [
        Check("forces against differences", _force_error(evaluate, sheet, base), derivative),
        Check("in-plane stress against differences", _stress_error(evaluate, sheet, base), derivative),
    ]
    for name, atoms, rotation in transformed:
        other = evaluate(atoms)
        difference = max(
            abs(other.energy / len(sheet) - energy),
            float(np.abs(other.forces - base.forces @ rotation.T).max()),
            _membrane_difference(other, base, rotation),
        )
        checks.append(Check(f"invariance: {name}", difference, invariance))
    batch = potential.evaluate([sheet, transformed[0][1], sheet])
    energy_difference = max(abs(batch[0].energy - base.energy), abs(batch[2].energy - base.energy)) / len(
        sheet
    )
    force_difference = float(np.abs(batch[2].forces - base.forces).max())
    double = evaluate(sheet.repeat((2, 1, 1)), stress=False)
    net_force = float(np.abs(base.forces.sum(axis=0)).max())
    return [
        *checks,
        Check("batch equals single evaluation", max(energy_difference, force_difference), invariance),
        Check("extensivity", abs(double.energy / len(sheet) / 2 - energy), invariance),
        Check("net force", net_force, max(invariance, 1e-5)),
        Check(
            "plausible: energy gained by 10 % strain (eV/atom)",
            _energy_gained_by_strain(evaluate, sheet),
            -MIN_STRAIN_ENERGY,
        ),
        Check(
            "plausible: energy range under 5 % strain (eV/atom)",
            _energy_range_under_strain(evaluate, sheet),
            MAX_STRAIN_ENERGY,
        ),
    ]


def _force_error(evaluate: Callable[..., Prediction], sheet: Atoms, base: Prediction) -> float:
    rng = np.random.default_rng(3)
    differences, expected = [], []
    for _ in range(4):
        direction = rng.normal(size=(len(sheet), 3))
        direction /= np.linalg.norm(direction)

        def energy(distance: float, along: FloatArray = direction) -> float:
            atoms = sheet.copy()
            atoms.positions += distance * along
            return evaluate(atoms, stress=False).energy

        differences.append(-_slope(energy))
        expected.append(float((base.forces * direction).sum()))
    scale = float(np.abs(expected).max())
    return float(np.abs(np.subtract(differences, expected)).max() / max(scale, np.finfo(float).tiny))


def _stress_error(evaluate: Callable[..., Prediction], sheet: Atoms, base: Prediction) -> float:
    if base.stress is None:
        return float("nan")
    height, expected, differences = float(sheet.cell[2, 2]), [], []
    for name, (i, j) in zip(_VOIGT, ((0, 0), (1, 1), (0, 1)), strict=True):

        def energy(strain: float, component: str = name) -> float:
            return evaluate(apply_strain(sheet, **{component: strain}), stress=False).energy

        factor = 2 if name == "xy" else 1  # an xy strain of size e fills two components of the tensor
        differences.append(_slope(energy) / (factor * area(sheet) * height))
        expected.append(float(base.stress[i, j]))
    scale = float(np.abs(differences).max())
    return float(np.abs(np.subtract(differences, expected)).max() / max(scale, np.finfo(float).tiny))


def _slope(energy: Callable[[float], float]) -> float:
    """Differentiate at 0 by four points: models with random weights have large third derivatives."""
    near, far = (energy(step) - energy(-step) for step in (STEP, 2 * STEP))
    return (8 * near - far) / (12 * STEP)


def _membrane_difference(other: Prediction, base: Prediction, rotation: FloatArray) -> float:
    if other.membrane_stress is None or base.membrane_stress is None:
        return 0.0
    in_plane = rotation[:2, :2]
    difference = np.abs(other.membrane_stress - in_plane @ base.membrane_stress @ in_plane.T).max()
    return float(difference) / 10  # N/m to ~eV/Å²


def _rotated(sheet: Atoms, angle: float) -> tuple[Atoms, FloatArray]:
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    atoms = sheet.copy()
    atoms.set_cell(sheet.cell.array @ rotation.T)
    atoms.positions = sheet.positions @ rotation.T
    return atoms, rotation


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


def _strained_energies(
    evaluate: Callable[..., Prediction], sheet: Atoms, strains: tuple[float, ...]
) -> list[float]:
    """Return the energies in eV/atom under biaxial strains."""
    return [evaluate(apply_strain(sheet, xx=e, yy=e), stress=False).energy / len(sheet) for e in strains]


def _energy_range_under_strain(evaluate: Callable[..., Prediction], sheet: Atoms) -> float:
    return float(np.ptp(_strained_energies(evaluate, sheet, (-0.05, 0.0, 0.05))))


def _energy_gained_by_strain(evaluate: Callable[..., Prediction], sheet: Atoms) -> float:
    """Return the energy that the more favourable of two large strains releases; it is negative for a plausible force field."""
    compressed, unstrained, stretched = _strained_energies(evaluate, sheet, (-0.1, 0.0, 0.1))
    return unstrained - min(compressed, stretched)
