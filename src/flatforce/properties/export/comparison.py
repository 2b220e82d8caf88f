"""The frames on which an exported force field is compared with the original, and the differences on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from flatforce.core.units import EV_PER_A2_IN_N_PER_M, FREQUENCY_FACTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.models.protocols import RawPrediction

DISPLACEMENT: Final = 0.005
"""Å, largest displacement of an atom along the phonon, as in `flatforce phonons`."""

SEED: Final = 0
"""Seed of the rattled copy, and of the first vector of the Lanczos iteration."""

EIGENVALUE_TOLERANCE: Final = 1e-3
"""Relative accuracy of ω² of the phonon. What is compared is the curvature along the same vector, whatever its accuracy."""


@dataclass(frozen=True)
class ComparisonFrames:
    """The sheet, a rattled copy, and two copies displaced along a phonon."""

    frames: list[Atoms]
    """Sheet, rattled copy, displaced forwards, displaced backwards."""
    direction: FloatArray
    """(N, 3) dimensionless, normalised eigenvector of the mass-weighted force constants."""
    amplitude: float
    """Å √amu, mass-weighted length of the displacement."""
    masses: FloatArray
    """(N,) amu."""

    def frequency(self, forwards: FloatArray, backwards: FloatArray) -> float:
        """Compute the frequency of the phonon from the forces on the two displaced copies.

        Parameters
        ----------
        forwards
            (N, 3) eV/Å, forces on the copy that is displaced forwards.
        backwards
            (N, 3) eV/Å, forces on the other.

        Returns
        -------
        THz; negative if the curvature is.
        """
        curvature = _mass_weighted_curvature(forwards, backwards, self.masses, self.amplitude)
        square = float(np.sum(self.direction * curvature))
        return float(np.sign(square) * np.sqrt(abs(square)) * FREQUENCY_FACTOR)


@dataclass(frozen=True)
class Differences:
    """Differences between two force fields on the same frames."""

    forces: FloatArray
    """(2, 2 N, 3) eV/Å, forces of flatforce and of the other program on the sheet and on its rattled copy."""
    max_force: float
    """eV/Å, largest difference of a force component."""
    max_stress: float
    """N/m, largest difference of an in-plane component of the membrane stress."""
    energy: float
    """eV/atom, largest difference of the energy."""
    frequency: float
    """THz, frequency of the phonon by flatforce."""
    frequency_difference: float
    """THz."""


def make_frames(potential: Potential, sheet: Atoms, *, rattle: float) -> ComparisonFrames:
    """Make the frames of a comparison; the phonon is the highest at Γ of the cell, found by Lanczos iteration.

    Parameters
    ----------
    potential
        The force field.
    sheet
        A fully periodic cell.
    rattle
        Å, standard deviation of the displacements of the rattled copy.

    Returns
    -------
    Four frames of the same atoms: the sheet, the rattled copy, and the two that are displaced along the phonon.
    """
    masses = sheet.get_masses()
    root = np.sqrt(masses)[:, None]

    def displaced(vector: FloatArray, amplitude: float) -> list[Atoms]:
        frames = []
        for sign in (1.0, -1.0):
            frame = sheet.copy()
            frame.positions += sign * amplitude * vector / root
            frames.append(frame)
        return frames

    def apply(flat: FloatArray) -> FloatArray:
        vector = flat.reshape(-1, 3) / np.linalg.norm(flat)
        amplitude = DISPLACEMENT / float(np.abs(vector / root).max())
        forwards, backwards = potential.evaluate(displaced(vector, amplitude), stress=False)
        curvature = _mass_weighted_curvature(forwards.forces, backwards.forces, masses, amplitude)
        return np.asarray(curvature.ravel() * np.linalg.norm(flat))

    start = np.random.default_rng(SEED).normal(size=3 * len(sheet))
    operator = LinearOperator((start.size, start.size), matvec=apply, dtype=float)
    try:
        vectors = eigsh(operator, k=1, which="LA", v0=start, tol=EIGENVALUE_TOLERANCE)[1]
    except ArpackNoConvergence:  # the curvature is compared along the random vector instead
        vectors = start[:, None] / np.linalg.norm(start)
    direction = vectors[:, 0].reshape(-1, 3)
    amplitude = DISPLACEMENT / float(np.abs(direction / root).max())
    rattled = sheet.copy()
    rattled.positions += np.random.default_rng(SEED).normal(scale=rattle, size=rattled.positions.shape)
    return ComparisonFrames(
        [sheet.copy(), rattled, *displaced(direction, amplitude)], direction, amplitude, masses
    )


def compare(
    comparison: ComparisonFrames, potential: Potential, others: Sequence[RawPrediction]
) -> Differences:
    """Compare what another program computes with the force field of flatforce.

    Parameters
    ----------
    comparison
        The frames.
    potential
        The force field.
    others
        What the other program computed for each frame.

    Returns
    -------
    The largest differences over all frames, and the forces on the first two.
    """
    ours = potential.evaluate(comparison.frames)
    force_differences = [np.abs(a.forces - b.forces).max() for a, b in zip(ours, others, strict=True)]
    stress_differences = []
    for frame, a, b in zip(comparison.frames, ours, others, strict=True):
        if a.membrane_stress is not None and b.stress is not None:
            membrane_stress = b.stress[:2, :2] * frame.cell[2, 2] * EV_PER_A2_IN_N_PER_M
            stress_differences.append(np.abs(a.membrane_stress - membrane_stress).max())
    energy_differences = [abs(a.energy - b.energy) for a, b in zip(ours, others, strict=True)]
    frequency = comparison.frequency(ours[2].forces, ours[3].forces)
    other_frequency = comparison.frequency(others[2].forces, others[3].forces)
    return Differences(
        forces=np.array([[p.forces for p in ours[:2]], [p.forces for p in others[:2]]]).reshape(2, -1, 3),
        max_force=float(max(force_differences)),
        max_stress=float(max(stress_differences, default=np.nan)),
        energy=float(max(energy_differences)) / len(comparison.masses),
        frequency=frequency,
        frequency_difference=abs(other_frequency - frequency),
    )


def _mass_weighted_curvature(
    forwards: FloatArray, backwards: FloatArray, masses: FloatArray, amplitude: float
) -> FloatArray:
    """Return (N, 3) eV/Å²/amu, mass-weighted force constants times the normalised displacement."""
    return np.asarray((backwards - forwards) / np.sqrt(masses)[:, None] / (2 * amplitude))
