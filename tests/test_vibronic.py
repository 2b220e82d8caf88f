"""Huang–Rhys factors and line shapes against closed forms and the sum over modes."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.arrays import FloatArray
from flatforce.core.errors import DataError
from flatforce.core.units import HBAR
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.spectra.huang_rhys import HuangRhysFactors, huang_rhys_factors
from flatforce.properties.phonons.spectra.line_shape import bose_einstein, emission_line_shape


@pytest.fixture
def springs(unit: Atoms, rng: np.random.Generator) -> SparseForceConstants:
    """A positive matrix that obeys the acoustic sum rule: springs of random strength and direction."""
    cell = unit.repeat((3, 3, 1))
    count = len(cell)
    full = np.zeros((count, count, 3, 3))
    for i in range(count):
        for j in range(i):
            block = rng.normal(size=(3, 3))
            block = block @ block.T / count
            full[i, j] -= block
            full[j, i] -= block
            full[i, i] += block
            full[j, j] += block
    return SparseForceConstants.from_dense(cell, full)


@pytest.fixture
def excited_forces(springs: SparseForceConstants, rng: np.random.Generator) -> FloatArray:
    forces = rng.normal(size=(len(springs.atoms), 3))
    without_mean: FloatArray = forces - forces.mean(axis=0)
    return without_mean


def test_factors_are_those_of_the_modes(springs: SparseForceConstants, excited_forces: FloatArray) -> None:
    factors = huang_rhys_factors(springs, excited_forces, steps=60)
    squares, vectors = np.linalg.eigh(springs.dynamical_matrix().toarray())
    assert (np.abs(squares[:3]) < 1e-10).all()
    masses = np.repeat(springs.atoms.get_masses(), 3)
    along = (vectors.T @ (excited_forces.ravel() / np.sqrt(masses)))[3:]
    omega = np.sqrt(squares[3:])
    assert factors.total == pytest.approx((along**2 / (2 * HBAR * omega**3)).sum(), rel=1e-8)
    flat = springs.matrix.toarray()
    inverse = np.linalg.pinv(flat, rcond=1e-10)
    assert factors.relaxation_energy == pytest.approx(
        excited_forces.ravel() @ inverse @ excited_forces.ravel() / 2, rel=1e-8
    )
    assert factors.omitted_relaxation_energy == pytest.approx(0, abs=1e-6)


def test_hbar_in_these_units() -> None:
    hbar, electron_volt, dalton = 1.054571817e-34, 1.602176634e-19, 1.66053906660e-27
    per_second = np.sqrt(electron_volt / 1e-20 / dalton)
    assert pytest.approx(hbar * per_second / electron_volt, rel=1e-6) == HBAR


def test_one_dimension_has_no_fewer_quanta(springs: SparseForceConstants, excited_forces: FloatArray) -> None:
    """S of the accepting mode, ½ ω_eff ΔQ² / ħ with the mean ω² over ΔQ², is never below the sum over modes."""
    factors = huang_rhys_factors(springs, excited_forces, steps=60)
    omega = factors.energy / HBAR
    shifts = 2 * HBAR * factors.factor / omega  # ΔQ² of each node
    effective = np.sqrt((shifts * omega**2).sum() / shifts.sum())
    assert effective * shifts.sum() / (2 * HBAR) >= factors.total


def test_one_mode_gives_poisson() -> None:
    """At T = 0: e^-S S^n / n! at n quanta."""
    quantum, factor, width = 0.03, 1.7, 1e-3
    energy = np.arange(-0.5, 0.7, 1e-4)
    shape = emission_line_shape(
        HuangRhysFactors(np.array([quantum]), np.array([factor]), 0.0), energy, temperature=0.0, width=width
    )
    for n in range(6):
        near = np.abs(energy - n * quantum) < quantum / 2
        weight = shape[near].sum() * 1e-4
        assert weight == pytest.approx(np.exp(-factor) * factor**n / factorial(n), abs=0.01)
    with pytest.raises(DataError, match="wide"):
        emission_line_shape(
            HuangRhysFactors(np.ones(1), np.ones(1), 0.0), energy, temperature=0.0, width=1e-4
        )


@pytest.mark.parametrize("temperature", [0.0, 300.0])
def test_weight_and_mean(temperature: float) -> None:
    """∫A = 1, and the mean shift is Σ S ħω at any temperature; its variance grows with it."""
    energies, factors = np.array([0.015, 0.03, 0.036]), np.array([0.5, 0.8, 0.4])
    model = HuangRhysFactors(energies, factors, 0.0)
    energy = np.arange(-3.0, 3.0, 1e-4)
    shape = emission_line_shape(model, energy, temperature=temperature, width=1e-3)
    assert shape.sum() * 1e-4 == pytest.approx(1, abs=1e-3)
    inner = np.abs(energy) < 0.5  # a Lorentzian has neither mean nor variance
    mean = (shape * energy)[inner].sum() * 1e-4
    assert mean == pytest.approx(model.relaxation_energy, rel=5e-3)
    variance = (shape * (energy - mean) ** 2)[inner].sum() * 1e-4
    expected_variance = (factors * energies**2 * (2 * bose_einstein(energies, temperature) + 1)).sum()
    expected_variance += 1e-3 / np.pi * 0.5  # ∫ x² of a Lorentzian of width Γ from −b to b is Γ b / π
    assert variance == pytest.approx(expected_variance, rel=0.05)


def test_forces_of_another_cell_are_refused(
    springs: SparseForceConstants, excited_forces: FloatArray
) -> None:
    with pytest.raises(DataError, match="forces on 5 atoms"):
        huang_rhys_factors(springs, excited_forces[:5])
    with pytest.raises(DataError, match="net force"):
        huang_rhys_factors(springs, excited_forces + 0.5)
