"""Trajectories on disk: what a round leaves for the next one to go on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.io import read

from flatforce.active.dynamics import Trajectory
from flatforce.data.frames import write_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VELOCITIES = "velocities"
"""Å per ASE time unit, as an array of a frame: `momenta` would be taken for what a force field sees."""


def write_trajectories(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """Write where trajectories stand.

    Parameters
    ----------
    path
        An extended XYZ file, one frame for each.
    trajectories
        As `run_dynamics` leaves them.
    """
    frames = []
    for one in trajectories:
        frame = one.atoms.copy()
        frame.arrays[VELOCITIES] = one.velocities
        frame.info |= {
            "temperature": one.temperature,
            "md_steps": one.steps,
            "doubted": one.doubted,
        }
        if one.ended:
            frame.info["ended"] = one.ended
        frames.append(frame)
    write_frames(path, frames)


def read_trajectories(path: Path, *, seed: int) -> list[Trajectory]:
    """Read trajectories back, their noise drawn anew.

    Parameters
    ----------
    path
        Of `write_trajectories`.
    seed
        Of the noise.

    Returns
    -------
    All of them, ended ones too.
    """
    found = []
    for number, frame in enumerate(read(path, ":") if path.stat().st_size else []):
        said: dict[str, Any] = frame.info
        steps, temperature = int(said.pop("md_steps")), float(said.pop("temperature"))
        ended, doubted = str(said.pop("ended", "")), bool(said.pop("doubted"))
        velocities = np.asarray(frame.arrays.pop(VELOCITIES))
        rng = np.random.default_rng([seed, number, steps])
        found.append(
            Trajectory(frame, temperature, velocities, rng, steps=steps, ended=ended, doubted=doubted)
        )
    return found


def story(trajectories: Sequence[Trajectory], *, time_step: float) -> list[dict[str, Any]]:
    """Tell how far each has come.

    Parameters
    ----------
    trajectories
        Of a round.
    time_step
        fs.

    Returns
    -------
    Plain values for a record.
    """
    return [
        {
            "sheet": one.atoms.get_chemical_formula(),
            "temperature": one.temperature,
            "time": one.steps * time_step,
            "done": not one.ended,
            "ended": one.ended or "did all its steps",
        }
        for one in trajectories
    ]
