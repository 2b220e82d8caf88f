"""One time step of a sheet: at constant energy, at constant temperature, at constant membrane tension.

Langevin dynamics is split as BAOAB (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102, 2013); without friction it is velocity Verlet.
A Nosé–Hoover chain acts before and after it (Martyna, Tuckerman, Tobias and Klein, Mol. Phys. 87, 1117, 1996). Where the area is free,
it follows stochastic cell rescaling (Bernetti and Bussi, J. Chem. Phys. 153, 114107, 2020) in its isotropic, two-dimensional form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from ase import units

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction
    from flatforce.properties.dynamics.moving_sheet import MovingSheet

COMPRESSIBILITY: Final = 0.1
"""Å²/eV, of the area: 1/(2D bulk modulus) of MX₂ sheets to a factor of two. It sets how fast the barostat acts, not the
distribution of areas that it samples."""


@dataclass(frozen=True)
class Integrator:
    """How a sheet moves."""

    time_step: float
    """fs."""
    thermostat: Literal["none", "langevin", "nose_hoover"] = "langevin"
    """Whether and how the temperature is controlled."""
    friction: float = 0.01
    """1/fs, of the Langevin thermostat."""
    thermostat_time: float = 100.0
    """fs, period of the Nosé–Hoover chain."""
    tension: float | None = None
    """N/m, at which the area fluctuates; None keeps the cell fixed."""
    barostat_time: float = 200.0
    """fs, relaxation time of the area."""

    def begin_step(self, sheet: MovingSheet, prediction: Prediction) -> None:
        """Do what a time step does before the forces are evaluated anew.

        Parameters
        ----------
        sheet
            The moving sheet; its positions, velocities and cell change.
        prediction
            Forces and, where the area is free, stress of its current structure.
        """
        step = self.time_step * units.fs
        if self.thermostat == "nose_hoover":
            self._thermalise(sheet)
        sheet.velocities = sheet.velocities + 0.5 * step * prediction.forces / sheet.masses
        if self.tension is not None and prediction.membrane_stress is not None:
            self._rescale_area(sheet, membrane_tension(sheet, prediction.membrane_stress), self.tension)
        sheet.atoms.positions += 0.5 * step * sheet.velocities
        if self.thermostat == "langevin":
            damping = np.exp(-self.friction * self.time_step)
            noise = np.sqrt((1 - damping**2) * units.kB * sheet.temperature / sheet.masses)
            sheet.velocities = damping * sheet.velocities + noise * sheet.rng.normal(
                size=sheet.velocities.shape
            )
            sheet.remove_drift()  # the random forces must not push the sheet as a whole
        sheet.atoms.positions += 0.5 * step * sheet.velocities

    def end_step(self, sheet: MovingSheet, prediction: Prediction) -> None:
        """Do what is left of a time step, and record temperature and tension.

        Parameters
        ----------
        sheet
            The moving sheet; its velocities, number of steps and records change.
        prediction
            Forces and stress of the structure after `begin_step`.
        """
        sheet.velocities = (
            sheet.velocities + 0.5 * self.time_step * units.fs * prediction.forces / sheet.masses
        )
        if self.thermostat == "nose_hoover":
            self._thermalise(sheet)
        sheet.kinetic_temperature.append(2 * sheet.kinetic_energy / (sheet.degrees_of_freedom * units.kB))
        if prediction.membrane_stress is not None:
            sheet.tension.append(membrane_tension(sheet, prediction.membrane_stress))
        sheet.steps += 1

    def _thermalise(self, sheet: MovingSheet) -> None:
        """Move the Nosé–Hoover chain by half a step, and scale the velocities accordingly."""
        half, quarter = 0.5 * self.time_step * units.fs, 0.25 * self.time_step * units.fs
        thermal = units.kB * sheet.temperature
        period = self.thermostat_time * units.fs / (2 * np.pi)
        inertia = thermal * period**2 * np.array([sheet.degrees_of_freedom, *np.ones(len(sheet.chain) - 1)])
        chain = sheet.chain.copy()
        twice_kinetic = 2 * sheet.kinetic_energy

        def push(link: int) -> None:
            """Accelerate one link; the next one drags it."""
            drive = (
                twice_kinetic - sheet.degrees_of_freedom * thermal
                if link == 0
                else inertia[link - 1] * chain[link - 1] ** 2 - thermal
            )
            drag = np.exp(-0.5 * quarter * chain[link + 1]) if link + 1 < len(chain) else 1.0
            chain[link] = (chain[link] * drag + quarter * drive / inertia[link]) * drag

        for link in reversed(range(len(chain))):
            push(link)
        scale = float(np.exp(-half * chain[0]))
        sheet.velocities = sheet.velocities * scale
        twice_kinetic *= scale**2
        for link in range(len(chain)):
            push(link)
        sheet.chain = chain

    def _rescale_area(self, sheet: MovingSheet, internal: float, external: float) -> None:
        """Let the area follow the difference of external and internal tension, N/m."""
        surface = area(sheet.atoms)
        thermal = units.kB * sheet.temperature
        rate = COMPRESSIBILITY * self.time_step / self.barostat_time
        growth = (
            rate * (external / EV_PER_A2_IN_N_PER_M - internal / EV_PER_A2_IN_N_PER_M + thermal / surface)
            + np.sqrt(2 * thermal * rate / surface) * sheet.rng.normal()
        )
        stretch(sheet, np.eye(2) * np.exp(growth / 2))


def stretch(sheet: MovingSheet, gradient: FloatArray) -> None:
    """Deform cell and positions in the plane; momenta change inversely.

    Parameters
    ----------
    sheet
        The moving sheet, which changes.
    gradient
        (2, 2) deformation gradient.
    """
    cell = sheet.atoms.cell.array.copy()
    cell[:2, :2] = cell[:2, :2] @ gradient.T
    sheet.atoms.set_cell(cell)
    sheet.atoms.positions[:, :2] = sheet.atoms.positions[:, :2] @ gradient.T
    sheet.velocities = sheet.velocities.copy()
    sheet.velocities[:, :2] = sheet.velocities[:, :2] @ np.linalg.inv(gradient)


def membrane_tension(sheet: MovingSheet, membrane_stress: FloatArray) -> float:
    """Compute the tension of a moving sheet: that of its bonds less the kinetic part.

    Parameters
    ----------
    sheet
        The moving sheet.
    membrane_stress
        (2, 2) N/m, of the force field.

    Returns
    -------
    N/m, mean of both directions.
    """
    kinetic = float((sheet.masses * sheet.velocities[:, :2] ** 2).sum()) / (2 * area(sheet.atoms))
    return float(np.trace(membrane_stress)) / 2 - kinetic * EV_PER_A2_IN_N_PER_M
