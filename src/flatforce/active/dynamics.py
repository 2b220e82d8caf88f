"""Molecular dynamics of many sheets side by side, each stopped where its forces are no longer to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import ModelError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential, Prediction

COMPRESSIBILITY: Final = 0.1
"""Å²/eV, of the area: 1/(2D bulk modulus) of MX₂ sheets to a factor of two. It sets the pace of the barostat, not where it
ends."""

RUNAWAY: Final = 8.0
"""Kinetic energy over its mean at which a trajectory has exploded: thermal energies of ten atoms stay below."""

EXPLODED: Final = "exploded"
"""How the reason begins where the force field lost a trajectory without doubting itself."""


class Dynamics(Config):
    """Molecular dynamics that proposes frames."""

    temperatures: list[PositiveFloat] = Field([300.0], min_length=1)
    """K. One trajectory of each sheet at each."""
    time_step: PositiveFloat = 2.0
    """fs."""
    steps: PositiveInt = 500
    """Of each trajectory."""
    friction: PositiveFloat = 0.01
    """1/fs, of the Langevin thermostat."""
    tension: float | None = None
    """N/m that the area adapts to; null keeps the cell."""
    relaxation: PositiveFloat = 200.0
    """fs, of the area."""
    every: PositiveInt = 20
    """Steps between frames that are proposed."""
    stop_above: NonNegativeFloat | None = None
    """eV/Å. A trajectory ends where a force may be off by more than this; the frame there is proposed."""
    go_on: bool = False
    """Learning on the fly: a trajectory that ended for doubt goes on from there in the next round, with the force field
    that has learnt the frame, until it has done all its steps; nothing else is proposed."""

    @model_validator(mode="after")
    def _consistent(self) -> Dynamics:
        if self.go_on and self.stop_above is None:
            raise ValueError("go_on needs stop_above: the error at which DFT is called")
        return self


@dataclass
class Trajectory:
    """One sheet in motion."""

    atoms: Atoms
    temperature: float
    """K."""
    velocities: FloatArray
    """(N, 3) Å per ASE time unit."""
    rng: np.random.Generator
    frames: list[Atoms] = field(default_factory=list)
    """Proposed, with `md_time` (fs), `doubt` (eV/Å) and `temperature` in `info`."""
    kinetic: list[float] = field(default_factory=list)
    """K, instantaneous temperature after each step."""
    tension: list[float] = field(default_factory=list)
    """N/m after each step."""
    steps: int = 0
    """Done so far, earlier rounds included."""
    ended: str = ""
    """Why it ended before its last step."""
    doubted: bool = False
    """Whether doubt ended it: then it may go on."""


def run_dynamics(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: Dynamics,
    *,
    seed: int,
    doubt: Callable[[Atoms, Prediction], float] | None = None,
    before: Sequence[Trajectory] | None = None,
    progress: Progress = silent,
) -> list[Trajectory]:
    """Move sheets by Langevin dynamics (BAOAB: Leimkuhler and Matthews, J. Chem. Phys. 138, 174102, 2013).

    One batch of forces moves all of them by a step. The area, where it is free, follows stochastic cell rescaling
    (Bernetti and Bussi, J. Chem. Phys. 153, 114107, 2020) in its isotropic, two-dimensional form.

    Parameters
    ----------
    potential
        The force field.
    sheets
        Starts, with their vacuum.
    config
        Settings.
    seed
        Of velocities and noise.
    doubt
        Largest error of a force (eV/Å) that a prediction may have; None if that is not asked.
    before
        As an earlier call left them, to go on with: those that doubt ended are judged again where they stand, and go on if
        there is none left; those that exploded begin anew; what ended otherwise has ended.
    progress
        Told after each step.

    Returns
    -------
    One trajectory for each sheet and temperature, or for each of `before`.
    """
    starts = [(sheet, temperature) for sheet in sheets for temperature in config.temperatures]
    moving = [
        _start(sheet, temperature, np.random.default_rng([seed, k]))
        for k, (sheet, temperature) in enumerate(starts)
    ]
    if before is not None:
        moving = [
            new if old.ended.startswith(EXPLODED) else replace(old, frames=[])
            for new, old in zip(moving, before, strict=True)
        ]
    found: dict[int, Prediction] = {}
    _evaluate(potential, moving, [k for k, one in enumerate(moving) if one.doubted or not one.ended], found)
    for k, one in enumerate(moving):
        if one.doubted:
            one.ended, one.doubted = "", False
            _judge(one, config, None if doubt is None else doubt(one.atoms, found[k]))
    for step in range(1, config.steps + 1):
        alive = [k for k, one in enumerate(moving) if not one.ended and one.steps < config.steps]
        if not alive:
            break
        for k in alive:
            _kick_and_drift(moving[k], found[k], config)
        _evaluate(potential, moving, alive, found)
        for k in alive:
            if not moving[k].ended:
                _finish_step(moving[k], found[k], config, doubt=doubt)
        progress(step, config.steps, f"{len(alive)} trajectories")
    return moving


def _evaluate(
    potential: Potential, moving: Sequence[Trajectory], which: Sequence[int], found: dict[int, Prediction]
) -> None:
    """Ask for all at once; where that fails, for each alone, and end those to blame."""
    try:
        found |= zip(which, potential.evaluate([moving[k].atoms for k in which]), strict=True)
    except ModelError:
        for k in which:
            try:
                (found[k],) = potential.evaluate([moving[k].atoms])
            except ModelError as error:
                moving[k].ended, moving[k].doubted = f"{EXPLODED}: {error.what}", False


def _start(sheet: Atoms, temperature: float, rng: np.random.Generator) -> Trajectory:
    atoms = sheet.copy()
    atoms.set_constraint()
    thermal = np.sqrt(units.kB * temperature / atoms.get_masses())[:, None]
    velocities = thermal * rng.normal(size=(len(atoms), 3))
    masses = atoms.get_masses()[:, None]
    velocities -= (masses * velocities).sum(axis=0) / masses.sum()
    return Trajectory(atoms, temperature, velocities, rng)


def _kick_and_drift(one: Trajectory, found: Prediction, config: Dynamics) -> None:
    """B, A, O, A of a step; the second B follows once the new forces are known."""
    step = config.time_step * units.fs
    masses = one.atoms.get_masses()[:, None]
    one.velocities += 0.5 * step * found.forces / masses
    if config.tension is not None:
        _rescale(one, found, config)
    one.atoms.positions += 0.5 * step * one.velocities
    kept = np.exp(-config.friction * config.time_step)
    noise = np.sqrt((1 - kept**2) * units.kB * one.temperature / masses)
    one.velocities = kept * one.velocities + noise * one.rng.normal(size=one.velocities.shape)
    one.velocities -= (masses * one.velocities).sum(axis=0) / masses.sum()  # a sheet does not fly off
    one.atoms.positions += 0.5 * step * one.velocities


def _rescale(one: Trajectory, found: Prediction, config: Dynamics) -> None:
    if found.membrane_stress is None or config.tension is None:
        return
    surface = area(one.atoms)
    inside = _tension(one, found) / EV_PER_A2_IN_N_PER_M
    wanted = config.tension / EV_PER_A2_IN_N_PER_M
    thermal = units.kB * one.temperature
    pace = COMPRESSIBILITY * config.time_step / config.relaxation
    growth = (
        pace * (wanted - inside + thermal / surface)
        + np.sqrt(2 * thermal * pace / surface) * one.rng.normal()
    )
    cell = one.atoms.cell.array.copy()
    factor = np.exp(growth / 2)
    cell[:2] *= factor
    one.atoms.set_cell(cell)
    one.atoms.positions[:, :2] *= factor
    one.velocities[:, :2] /= factor


def _tension(one: Trajectory, found: Prediction) -> float:
    """Return the tension of a moving sheet, N/m: of its bonds less that of its motion."""
    assert found.membrane_stress is not None  # noqa: S101  # stress is always asked for
    masses = one.atoms.get_masses()[:, None]
    motion = float((masses * one.velocities[:, :2] ** 2).sum()) / (2 * area(one.atoms))
    return float(np.trace(found.membrane_stress)) / 2 - motion * EV_PER_A2_IN_N_PER_M


def _finish_step(
    one: Trajectory,
    found: Prediction,
    config: Dynamics,
    *,
    doubt: Callable[[Atoms, Prediction], float] | None,
) -> None:
    masses = one.atoms.get_masses()[:, None]
    one.velocities += 0.5 * config.time_step * units.fs * found.forces / masses
    free = 3 * (len(one.atoms) - 1)
    kinetic = float((masses * one.velocities**2).sum()) / (max(free, 1) * units.kB)
    one.kinetic.append(kinetic)
    if found.membrane_stress is not None:
        one.tension.append(_tension(one, found))
    one.steps += 1
    if kinetic > RUNAWAY * one.temperature:
        one.ended = f"{EXPLODED} after {one.steps * config.time_step:g} fs"
    else:
        _judge(one, config, None if doubt is None else doubt(one.atoms, found))


def _judge(one: Trajectory, config: Dynamics, off: float | None) -> None:
    """Propose the frame where a trajectory stands if its time has come, or if it must end here for doubt."""
    lost = config.stop_above is not None and off is not None and off > config.stop_above
    regular = one.steps % config.every == 0 or one.steps == config.steps
    if lost or (regular and not config.go_on):
        frame = one.atoms.copy()
        frame.info |= {"md_time": one.steps * config.time_step, "temperature": one.temperature}
        if off is not None:
            frame.info["doubt"] = off
        one.frames.append(frame)
    if lost:
        one.doubted = True
        one.ended = f"a force may be off by {off:.3f} eV/Å after {one.steps * config.time_step:g} fs"
