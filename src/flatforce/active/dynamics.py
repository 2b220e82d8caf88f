"""Molecular dynamics of many sheets in one batch, each stopped where its forces are too uncertain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.trajectories import EXPLODED, Trajectory
from flatforce.core.errors import ModelError
from flatforce.core.progress import Progress, silent
from flatforce.properties.dynamics.moving_sheet import thermal_velocities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.active.dynamics_config import DynamicsConfig
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction

RUNAWAY: Final = 8.0
"""Ratio of kinetic energy to its mean above which a trajectory has exploded: thermal fluctuations of ten atoms stay below."""


def start_trajectories(sheets: Sequence[Atoms], config: DynamicsConfig, *, seed: int) -> list[Trajectory]:
    """Prepare one trajectory of each sheet at each temperature.

    Parameters
    ----------
    sheets
        Initial structures, with their vacuum.
    config
        Settings.
    seed
        Seed of the velocities and random forces.

    Returns
    -------
    Trajectories that have done no step: of the first sheet at each temperature, then of the next one.
    """
    starts = [(sheet, temperature) for sheet in sheets for temperature in config.temperatures]
    return [
        _start(sheet, temperature, np.random.default_rng([seed, number]))
        for number, (sheet, temperature) in enumerate(starts)
    ]


def _start(sheet: Atoms, temperature: float, rng: np.random.Generator) -> Trajectory:
    atoms = sheet.copy()
    atoms.set_constraint()
    velocities = thermal_velocities(atoms, temperature, rng)
    return Trajectory(atoms=atoms, temperature=temperature, velocities=velocities, rng=rng)


def continue_trajectories(started: Sequence[Trajectory], previous: Sequence[Trajectory]) -> list[Trajectory]:
    """Take up the trajectories of an earlier run.

    Parameters
    ----------
    started
        New trajectories of the same sheets and temperatures.
    previous
        Trajectories of the earlier run.

    Returns
    -------
    The earlier trajectories with their proposed frames forgotten; a new one in place of each that exploded.
    """
    return [
        new if stored.end_reason.startswith(EXPLODED) else replace(stored, frames=[])
        for new, stored in zip(started, previous, strict=True)
    ]


def run_dynamics(
    potential: Potential,
    trajectories: list[Trajectory],
    config: DynamicsConfig,
    *,
    max_uncertainty: Callable[[Atoms, Prediction], float] | None = None,
    progress: Progress = silent,
) -> list[Trajectory]:
    """Run Langevin dynamics of sheets; one batch of forces moves all of them by a step.

    Parameters
    ----------
    potential
        The force field.
    trajectories
        Trajectories, which are changed. Those that stopped because of their uncertainty are evaluated again where they stand,
        and continue if it is below the threshold now; all others that ended stay ended.
    config
        Settings.
    max_uncertainty
        Returns the largest uncertainty (eV/Å) of an atom's force in a prediction; None if it is not evaluated.
    progress
        Called after each step.

    Returns
    -------
    The trajectories after the last step, with the frames that they propose.
    """
    batch = _Batch(potential, config, max_uncertainty, trajectories)
    batch.begin()
    for step in range(1, config.steps + 1):
        moving = batch.moving()
        if not moving:
            break
        batch.step(moving)
        progress(step, config.steps, f"{len(moving)} trajectories")
    return trajectories


@dataclass(frozen=True)
class _Batch:
    """Trajectories that are moved together, and the prediction of where each of them stands."""

    potential: Potential
    config: DynamicsConfig
    max_uncertainty: Callable[[Atoms, Prediction], float] | None
    trajectories: Sequence[Trajectory]
    predictions: dict[int, Prediction] = field(default_factory=dict)

    def begin(self) -> None:
        """Evaluate all that may move; those that stopped uncertain continue only if they are certain now."""
        may_move = [
            index
            for index, trajectory in enumerate(self.trajectories)
            if trajectory.uncertain or not trajectory.end_reason
        ]
        self._evaluate(may_move)
        for index, trajectory in enumerate(self.trajectories):
            if trajectory.uncertain:
                trajectory.resume()
                self._propose(trajectory, self.predictions[index])

    def moving(self) -> list[int]:
        """Return the indices of the trajectories that have steps left and did not end."""
        return [
            index
            for index, trajectory in enumerate(self.trajectories)
            if not trajectory.end_reason and trajectory.steps < self.config.steps
        ]

    def step(self, moving: Sequence[int]) -> None:
        """Move trajectories by one time step."""
        integrator = self.config.integrator()
        for index in moving:
            integrator.begin_step(self.trajectories[index], self.predictions[index])
        self._evaluate(moving)
        for index in moving:
            trajectory, prediction = self.trajectories[index], self.predictions[index]
            if trajectory.end_reason:
                continue
            integrator.end_step(trajectory, prediction)
            if trajectory.kinetic_temperature[-1] > RUNAWAY * trajectory.temperature:
                trajectory.end_exploded(f" after {trajectory.steps * self.config.time_step:g} fs")
            else:
                self._propose(trajectory, prediction)

    def _evaluate(self, indices: Sequence[int]) -> None:
        """Evaluate trajectories in one batch; if that fails, one by one, and end those for which it fails."""
        try:
            self.predictions.update(
                zip(
                    indices,
                    self.potential.evaluate([self.trajectories[k].atoms for k in indices]),
                    strict=True,
                )
            )
        except ModelError:
            for k in indices:
                try:
                    (self.predictions[k],) = self.potential.evaluate([self.trajectories[k].atoms])
                except ModelError as error:
                    self.trajectories[k].end_exploded(f": {error.what}")

    def _propose(self, trajectory: Trajectory, prediction: Prediction) -> None:
        """Propose the current frame if it is due, or if the trajectory must stop here because of its uncertainty."""
        config = self.config
        uncertainty = None
        if self.max_uncertainty is not None:
            uncertainty = self.max_uncertainty(trajectory.atoms, prediction)
        threshold = config.uncertainty_threshold
        too_uncertain = threshold is not None and uncertainty is not None and uncertainty > threshold
        is_due = trajectory.steps % config.sampling_interval == 0 or trajectory.steps == config.steps
        time = trajectory.steps * config.time_step
        if too_uncertain or (is_due and not config.on_the_fly):
            frame = trajectory.atoms.copy()
            frame.info |= {"md_time": time, "temperature": trajectory.temperature}
            if uncertainty is not None:
                frame.info["force_uncertainty"] = uncertainty
            trajectory.frames.append(frame)
        if too_uncertain:
            trajectory.uncertain = True
            trajectory.end_reason = f"the force uncertainty was {uncertainty:.3f} eV/Å after {time:g} fs"
