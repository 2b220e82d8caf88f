"""One time step of Langevin dynamics of a sheet, at constant area or constant membrane tension.

The splitting is BAOAB (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102, 2013). Where the area is free, it follows stochastic
cell rescaling (Bernetti and Bussi, J. Chem. Phys. 153, 114107, 2020) in its isotropic, two-dimensional form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units

from flatforce.active.trajectories import Trajectory
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.active.dynamics_config import DynamicsConfig
    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction

COMPRESSIBILITY: Final = 0.1
"""Å²/eV, of the area: 1/(2D bulk modulus) of MX₂ sheets to a factor of two. It sets how fast the barostat acts, not the
distribution of areas that it samples."""


def start_trajectory(sheet: Atoms, temperature: float, rng: np.random.Generator) -> Trajectory:
    """Start a trajectory with velocities of the Maxwell–Boltzmann distribution and no total momentum.

    Parameters
    ----------
    sheet
        Initial structure.
    temperature
        K.
    rng
        Generator of the velocities, and later of the random forces.

    Returns
    -------
    A trajectory that has done no step.
    """
    atoms = sheet.copy()
    atoms.set_constraint()
    thermal = np.sqrt(units.kB * temperature / atoms.get_masses())[:, None]
    velocities = thermal * rng.normal(size=(len(atoms), 3))
    velocities -= _centre_of_mass_velocity(velocities, _masses(atoms))
    return Trajectory(atoms, temperature, velocities, rng)


def begin_step(trajectory: Trajectory, prediction: Prediction, config: DynamicsConfig) -> None:
    """Do the first half of a time step: B, A, O, A, and the barostat after the first B.

    Parameters
    ----------
    trajectory
        The trajectory; its positions, velocities and cell change.
    prediction
        Forces and stress of its current structure.
    config
        Settings.
    """
    step = config.time_step * units.fs
    masses = _masses(trajectory.atoms)
    trajectory.velocities += 0.5 * step * prediction.forces / masses
    if config.tension is not None and prediction.membrane_stress is not None:
        internal = _tension(trajectory, prediction.membrane_stress)
        _rescale_area(trajectory, config, internal=internal, external=config.tension)
    trajectory.atoms.positions += 0.5 * step * trajectory.velocities
    damping = np.exp(-config.friction * config.time_step)
    noise = np.sqrt((1 - damping**2) * units.kB * trajectory.temperature / masses)
    random_forces = noise * trajectory.rng.normal(size=trajectory.velocities.shape)
    trajectory.velocities = damping * trajectory.velocities + random_forces
    # the random forces must not push the sheet as a whole
    trajectory.velocities -= _centre_of_mass_velocity(trajectory.velocities, masses)
    trajectory.atoms.positions += 0.5 * step * trajectory.velocities


def end_step(trajectory: Trajectory, prediction: Prediction, config: DynamicsConfig) -> None:
    """Do the second half of a time step, the last B, and record temperature and tension.

    Parameters
    ----------
    trajectory
        The trajectory; its velocities, number of steps and records change.
    prediction
        Forces and stress of the structure after `begin_step`.
    config
        Settings.
    """
    masses = _masses(trajectory.atoms)
    trajectory.velocities += 0.5 * config.time_step * units.fs * prediction.forces / masses
    degrees_of_freedom = 3 * (len(trajectory.atoms) - 1)
    twice_kinetic_energy = float((masses * trajectory.velocities**2).sum())
    trajectory.kinetic_temperature.append(twice_kinetic_energy / (max(degrees_of_freedom, 1) * units.kB))
    if prediction.membrane_stress is not None:
        trajectory.tension.append(_tension(trajectory, prediction.membrane_stress))
    trajectory.steps += 1


def _masses(atoms: Atoms) -> FloatArray:
    """(N, 1) amu."""
    return np.asarray(atoms.get_masses()[:, None])


def _centre_of_mass_velocity(velocities: FloatArray, masses: FloatArray) -> FloatArray:
    """(3,) Å per ASE time unit."""
    return np.asarray((masses * velocities).sum(axis=0) / masses.sum())


def _rescale_area(
    trajectory: Trajectory, config: DynamicsConfig, *, internal: float, external: float
) -> None:
    """Let the area follow the difference of external and internal tension, N/m."""
    surface = area(trajectory.atoms)
    thermal = units.kB * trajectory.temperature
    rate = COMPRESSIBILITY * config.time_step / config.barostat_time
    growth = (
        rate * (external / EV_PER_A2_IN_N_PER_M - internal / EV_PER_A2_IN_N_PER_M + thermal / surface)
        + np.sqrt(2 * thermal * rate / surface) * trajectory.rng.normal()
    )
    cell = trajectory.atoms.cell.array.copy()
    factor = np.exp(growth / 2)
    cell[:2] *= factor
    trajectory.atoms.set_cell(cell)
    trajectory.atoms.positions[:, :2] *= factor
    trajectory.velocities[:, :2] /= factor


def _tension(trajectory: Trajectory, membrane_stress: FloatArray) -> float:
    """Return the membrane tension, N/m: that of the bonds less the kinetic part."""
    masses = _masses(trajectory.atoms)
    kinetic = float((masses * trajectory.velocities[:, :2] ** 2).sum()) / (2 * area(trajectory.atoms))
    return float(np.trace(membrane_stress)) / 2 - kinetic * EV_PER_A2_IN_N_PER_M
