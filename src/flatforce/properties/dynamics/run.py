"""Molecular dynamics of sheets, several at once in a batch; a killed run goes on to the same trajectories."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units

from flatforce.core.checkpoint import Checkpoint
from flatforce.core.errors import ModelError
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, remaining, silent
from flatforce.models.slab import pad_vacuum
from flatforce.properties.dynamics.integrator import Integrator, membrane_tension, stretch
from flatforce.properties.dynamics.samples import Samples, join_pieces
from flatforce.properties.dynamics.walkers import RunState, Walker, start_walkers

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction
    from flatforce.properties.dynamics.config import MdConfig

RUNAWAY: Final = 8.0
"""Ratio of kinetic energy to its mean above which a trajectory has exploded: thermal fluctuations of ten atoms stay below."""

MIN_ATOMS_TO_EXPLODE: Final = 10
"""Smaller sheets exceed that ratio now and then."""

SECONDS_PER_DAY: Final = 86400.0


@dataclass(frozen=True)
class Trajectories:
    """Recorded trajectories of a run, and how far each of them came."""

    samples: list[Samples]
    """Frames of each trajectory."""
    walkers: list[Walker]
    """The last state of each trajectory."""
    ns_per_day: float
    """ns, simulated by each trajectory in 24 h of computing."""


def run_dynamics(
    potential: Potential,
    atoms: Atoms,
    config: MdConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Trajectories:
    """Run molecular dynamics of a sheet at each temperature.

    Parameters
    ----------
    potential
        The force field.
    atoms
        The sheet, before it is repeated.
    config
        Settings.
    scratch
        Folder of checkpoint and recorded frames; a killed run goes on from it.
    progress
        Called now and then with the steps done, and the time that is left.

    Returns
    -------
    The trajectories; `trajectories.hdf5` in `scratch` holds their frames.
    """
    return _Run(potential, atoms, config, scratch, progress).run()


class _Run:
    def __init__(
        self, potential: Potential, atoms: Atoms, config: MdConfig, scratch: Path, progress: Progress
    ) -> None:
        self.potential, self.config, self.scratch, self.progress = potential, config, scratch, progress
        sheet = pad_vacuum(atoms.repeat((*config.supercell, 1)), potential.cutoff)
        sheet.set_constraint()
        potential.check([sheet])
        self.sheet, self.predictions = sheet, dict[int, "Prediction"]()
        scratch.mkdir(parents=True, exist_ok=True)
        key = hash_value(
            [potential.spec, potential.dtype, config.model_dump(mode="json"), hash_structure(sheet)]
        )
        self.checkpoint = Checkpoint(scratch / "dynamics.checkpoint", key)
        self.state: RunState = self.checkpoint.load() or RunState(start_walkers(sheet, config))

    def run(self) -> Trajectories:
        """Do all steps, from where an earlier run was killed."""
        config, state = self.config, self.state
        total = config.equilibration + config.steps
        self._evaluate(self._moving())
        if config.ensemble == "npt" and any(
            prediction.membrane_stress is None for prediction in self.predictions.values()
        ):
            raise ModelError(
                "The force field gives no stress.",
                why="at constant tension, the area follows the stress",
                fix="set ensemble: nvt, or use a force field with stresses",
            )
        if state.step == 0 and config.equilibration == 0:
            self._record()
        started, first = time.monotonic(), state.step
        while state.step < total and self._moving():
            clock = time.monotonic()
            self._step(equilibrating=state.step < config.equilibration)
            state.seconds += time.monotonic() - clock
            state.timed_steps += 1
            state.step += 1
            if state.step == config.equilibration:
                self._begin_recording()
            recorded = state.step - config.equilibration
            if recorded >= 0 and recorded % config.sampling_interval == 0:
                self._record()
            time_left = remaining(time.monotonic() - started, state.step - first, total - first)
            self.progress(state.step, total, f"{self._ns_per_day():.3g} ns/day{time_left}")
            self.checkpoint.save(self._write_piece)
        self._write_piece()
        return self._finish()

    def _moving(self) -> list[int]:
        return [index for index, walker in enumerate(self.state.walkers) if not walker.end_reason]

    def _integrator(self, *, equilibrating: bool) -> Integrator:
        return self.config.integrator(equilibrating=equilibrating)

    def _step(self, *, equilibrating: bool) -> None:
        """Move all trajectories by one time step."""
        integrator, moving = self._integrator(equilibrating=equilibrating), self._moving()
        for index in moving:
            walker = self.state.walkers[index]
            if not equilibrating:
                self._ramp(walker)
            integrator.begin_step(walker, self.predictions[index])
        self._evaluate(moving)
        for index in moving:
            walker = self.state.walkers[index]
            if walker.end_reason:
                continue
            integrator.end_step(walker, self.predictions[index])
            self._judge(walker, self.predictions[index])
            del walker.kinetic_temperature[:-1], walker.tension[:-1]  # recorded with the frames

    def _ramp(self, walker: Walker) -> None:
        """Move temperature and strain on by one step."""
        config = self.config
        ramp_step = self.state.step - config.equilibration
        if config.end_temperature is not None:
            first = float(walker.name.partition("K")[0])
            fraction = (ramp_step + 1) / config.steps
            walker.temperature = first + (config.end_temperature - first) * fraction
        if config.strain is not None:
            strain = np.array([[config.strain.xx, config.strain.xy], [config.strain.xy, config.strain.yy]])
            old_gradient, new_gradient = (
                np.eye(2) + strain * k / config.steps for k in (ramp_step, ramp_step + 1)
            )
            stretch(walker, new_gradient @ np.linalg.inv(old_gradient))

    def _evaluate(self, indices: list[int]) -> None:
        """Evaluate trajectories in one batch; if that fails, one by one, and end those for which it fails."""
        stress = self.config.ensemble == "npt" or self.config.strain is not None
        walkers = [self.state.walkers[k] for k in indices]
        try:
            results = self.potential.evaluate([walker.atoms for walker in walkers], stress=stress)
            self.predictions.update(zip(indices, results, strict=True))
        except ModelError:
            for index, walker in zip(indices, walkers, strict=True):
                try:
                    (self.predictions[index],) = self.potential.evaluate([walker.atoms], stress=stress)
                except ModelError as error:
                    walker.end_reason = f"the force field failed after {walker.steps} steps: {error.what}"

    def _judge(self, walker: Walker, prediction: Prediction) -> None:
        """End a trajectory that explodes, or whose forces are too uncertain."""
        elapsed = f"after {walker.steps * self.config.time_step:g} fs"
        ratio = walker.kinetic_temperature[-1] / walker.temperature
        if ratio > RUNAWAY and len(walker.atoms) >= MIN_ATOMS_TO_EXPLODE:
            walker.end_reason = (
                f"it exploded {elapsed}: its temperature was {ratio:.0f} times that of the thermostat"
            )
        threshold = self.config.uncertainty_threshold
        if threshold is not None and prediction.forces_std is not None:
            largest = float(np.linalg.norm(prediction.forces_std, axis=1).max())
            if largest > threshold:
                walker.end_reason = f"the committee disagrees by {largest:.3g} eV/Å on a force {elapsed}"

    def _begin_recording(self) -> None:
        """Count time from here, with the sheet at rest as a whole."""
        for walker in self.state.walkers:
            walker.steps = 0
            walker.remove_drift()

    def _record(self) -> None:
        for index in self._moving():
            walker, prediction = self.state.walkers[index], self.predictions[index]
            kinetic = walker.kinetic_energy
            walker.buffer.frames.append(
                {
                    "time": walker.steps * self.config.time_step,
                    "positions": walker.atoms.positions.astype(np.float32),
                    "velocities": (walker.velocities * units.fs).astype(np.float32),
                    "cell": walker.atoms.cell.array[:2, :2].copy(),
                    "potential_energy": prediction.energy,
                    "kinetic_energy": kinetic,
                    "temperature": 2 * kinetic / (walker.degrees_of_freedom * units.kB),
                    "tension": float("nan")
                    if prediction.membrane_stress is None
                    else membrane_tension(walker, prediction.membrane_stress),
                }
            )

    def _write_piece(self) -> RunState:
        """Write the frames since the last checkpoint, and return the state that follows them."""
        for walker in self.state.walkers:
            walker.buffer.write(self._piece(walker, self.state.n_pieces))
        self.state.n_pieces += 1
        return self.state

    def _piece(self, walker: Walker, number: int) -> Path:
        return self.scratch / "pieces" / f"{walker.name}_{number:06d}.npz"

    def _ns_per_day(self) -> float:
        state = self.state
        if not state.seconds:
            return float("nan")
        return state.timed_steps * self.config.time_step * 1e-6 / state.seconds * SECONDS_PER_DAY

    def _finish(self) -> Trajectories:
        path = self.scratch / "trajectories.hdf5"
        walkers = self.state.walkers
        pieces = {
            walker.name: [
                file for k in range(self.state.n_pieces) if (file := self._piece(walker, k)).is_file()
            ]
            for walker in walkers
        }
        join_pieces(path, pieces, self.sheet.numbers)
        samples = [Samples(path, walker.name) for walker in walkers if pieces[walker.name]]
        with_frames = [walker for walker in walkers if pieces[walker.name]]
        return Trajectories(samples, [replace(walker) for walker in with_frames], self._ns_per_day())
