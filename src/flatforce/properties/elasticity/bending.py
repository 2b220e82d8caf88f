"""Bending rigidity of a sheet, and its sound velocities, from the acoustic branches near Γ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.core.units import AMU_PER_A2_IN_KG_PER_M2, FREQUENCY_FACTOR
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.force_constants.engines import apply_sum_rules, fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import (
    check_supercell,
    make_phonopy,
    to_ase,
)
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

DISPLACEMENT: Final = 0.005
"""Å, of finite displacements, where no rows can be computed; as in the phonons."""

WAVE_NUMBERS: Final = np.linspace(0.02, 0.10, 5)
"""1/Å, at which the branches are fitted: above round-off, and long against the thickness of a sheet."""

TERA: Final = 1e12


@dataclass(frozen=True)
class LongWaves:
    """Acoustic branches near Γ in two perpendicular directions."""

    rigidity: FloatArray
    """(2) eV, κ = ρ ω²/q⁴ of the flexural branch for waves along x and along y; NaN where it is imaginary."""
    velocities: FloatArray
    """(2, 2) m/s, transverse and longitudinal, for waves along x and along y."""
    engine: str
    """How the force constants were computed."""


def long_waves(
    potential: Potential,
    atoms: Atoms,
    supercell: tuple[int, int],
    *,
    scratch: Path,
    progress: Progress = silent,
) -> LongWaves:
    """Compute bending rigidity and sound velocities from force constants that obey all sum rules.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A relaxed sheet, whose membrane stress is zero.
    supercell
        Repetitions of the cell.
    scratch
        Folder of the force constants computed so far.
    progress
        Called after each row or chunk of displacements.

    Returns
    -------
    Rigidity (eV) and velocities (m/s) for waves along x and y.
    """
    phonon = make_phonopy(pad_vacuum(atoms, potential.cutoff), supercell)
    check_supercell(to_ase(phonon.supercell), potential.cutoff)
    report = fill_force_constants(
        phonon, potential, engine="auto", displacement=DISPLACEMENT, scratch=scratch, progress=progress
    )
    apply_sum_rules(phonon, enforce=True, huang=True)
    density = float(atoms.get_masses().sum()) / area(atoms)
    results = [_along(phonon, np.array(direction), density) for direction in ((1.0, 0.0), (0.0, 1.0))]
    return LongWaves(
        np.array([rigidity for rigidity, _ in results]),
        np.array([velocities for _, velocities in results]),
        report.engine,
    )


def flexural_rigidity(phonon: Phonopy, atoms: Atoms) -> float:
    """Compute the bending rigidity for waves along x from force constants.

    Parameters
    ----------
    phonon
        The phonopy object with force constants that obey all sum rules.
    atoms
        Its primitive cell.

    Returns
    -------
    eV; NaN where the flexural branch is imaginary.
    """
    density = float(atoms.get_masses().sum()) / area(atoms)
    return _along(phonon, np.array([1.0, 0.0]), density)[0]


def _along(phonon: Phonopy, direction: FloatArray, density: float) -> tuple[float, FloatArray]:
    """Fit the three acoustic branches along one direction; density in amu/Å²."""
    cell = np.asarray(phonon.primitive.cell)
    waves = WAVE_NUMBERS[:, None] * np.array([*direction, 0.0])
    solution = phonon.run_qpoints(waves @ cell.T / (2 * np.pi), with_dynamical_matrices=True)
    masses = np.asarray(phonon.primitive.masses)
    squares = np.array([_acoustic(matrix, masses) for matrix in np.asarray(solution.dynamical_matrices)])
    q2 = WAVE_NUMBERS**2
    rigidity = _limit(q2, density * squares[:, 0] / q2**2) if (squares[:, 0] > 0).all() else float("nan")
    slopes = np.array([_limit(q2, squares[:, branch] / q2) for branch in (1, 2)])
    angular = np.sqrt(np.where(slopes > 0, slopes, np.nan)) * FREQUENCY_FACTOR * 2 * np.pi * TERA
    return rigidity, angular * 1e-10


def _acoustic(matrix: FloatArray, masses: FloatArray) -> FloatArray:
    """Return ω² (eV/Å²/amu) of the flexural branch, then of the two in-plane ones from the lower.

    Folded branches of a large cell lie below the acoustic ones, so that these are chosen by their overlap with rigid translations.
    """
    squares, vectors = np.linalg.eigh(matrix)
    weights = np.sqrt(masses / masses.sum())
    overlap = np.abs(np.einsum("axm,a->xm", vectors.reshape(len(masses), 3, -1), weights)) ** 2
    flexural = int(np.argmax(overlap[2]))
    in_plane = [int(k) for k in np.argsort(overlap[0] + overlap[1])[::-1] if k != flexural][:2]
    return np.array([squares[flexural], *sorted(squares[in_plane])])


def _limit(q2: FloatArray, values: FloatArray) -> float:
    """Extrapolate a quantity that is even in q to q = 0."""
    return float(np.polyfit(q2, values, 2)[-1])


def areal_density(atoms: Atoms) -> float:
    """Compute the mass of a sheet per area.

    Parameters
    ----------
    atoms
        A sheet.

    Returns
    -------
    kg/m², mass of all atoms divided by the area of the cell.
    """
    return float(atoms.get_masses().sum()) / area(atoms) * AMU_PER_A2_IN_KG_PER_M2
