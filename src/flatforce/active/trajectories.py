"""Trajectories of molecular dynamics, and their files: a round leaves them for the next one to continue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.io import read

from flatforce.core.hashing import hash_structure
from flatforce.data.frame_files import write_frames
from flatforce.properties.dynamics.moving_sheet import MovingSheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from ase import Atoms


VELOCITIES: Final = "velocities"
"""Array of a frame that holds Å per ASE time unit; force fields may read `momenta`, which is why that name is not used."""

EXPLODED: Final = "exploded"
"""First word of the reason why a trajectory ended where the force field failed without being uncertain."""


@dataclass(kw_only=True)
class Trajectory(MovingSheet):
    """Molecular dynamics of one sheet at one temperature, which proposes frames."""

    frames: list[Atoms] = field(default_factory=list)
    """Proposed frames, with `md_time` (fs), `force_uncertainty` (eV/Å) and `temperature` (K) in `info`."""
    end_reason: str = ""
    """Why it ended before its last step; empty if it did not."""
    uncertain: bool = False
    """Whether it ended because its forces are too uncertain: then it may continue in a later round."""

    def end_exploded(self, reason: str) -> None:
        """End the trajectory because the force field failed; it cannot continue from here.

        Parameters
        ----------
        reason
            When or how it failed.
        """
        self.end_reason, self.uncertain = f"{EXPLODED}{reason}", False

    def resume(self) -> None:
        """Let the trajectory continue from where it stands."""
        self.end_reason, self.uncertain = "", False


def write_trajectories(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """Write the current structure, velocities and status of trajectories.

    Parameters
    ----------
    path
        An extended XYZ file, one frame for each trajectory.
    trajectories
        Trajectories as `run_dynamics` returns them.
    """
    frames = []
    for trajectory in trajectories:
        frame = trajectory.atoms.copy()
        frame.arrays[VELOCITIES] = trajectory.velocities
        frame.info |= {
            "temperature": trajectory.temperature,
            "md_steps": trajectory.steps,
            "uncertain": trajectory.uncertain,
        }
        if trajectory.end_reason:
            frame.info["end_reason"] = trajectory.end_reason
        frames.append(frame)
    write_frames(path, frames)


def read_trajectories(path: Path, *, seed: int) -> list[Trajectory]:
    """Read trajectories that `write_trajectories` wrote, with new generators of random forces.

    Parameters
    ----------
    path
        File of `write_trajectories`.
    seed
        Seed of the random forces.

    Returns
    -------
    All trajectories in the order of the file, those that ended included.
    """
    trajectories = []
    for number, frame in enumerate(read(path, ":") if path.stat().st_size else []):
        info: dict[str, Any] = frame.info
        steps, temperature = int(info.pop("md_steps")), float(info.pop("temperature"))
        end_reason, uncertain = str(info.pop("end_reason", "")), bool(info.pop("uncertain"))
        velocities = np.asarray(frame.arrays.pop(VELOCITIES))
        rng = np.random.default_rng([seed, number, steps])
        trajectory = Trajectory(
            atoms=frame, temperature=temperature, velocities=velocities, rng=rng, steps=steps
        )
        trajectory.end_reason, trajectory.uncertain = end_reason, uncertain
        trajectories.append(trajectory)
    return trajectories


@dataclass(frozen=True)
class ContinuedDynamics:
    """What on-the-fly dynamics needs to know of the earlier rounds."""

    trajectories: Path
    """`trajectories.extxyz` of the previous round."""
    train: AbstractSet[str]
    """Hashes of the frames in the training set: trajectories that stopped at one of them continue."""
    failed: AbstractSet[str]
    """Hashes of the frames whose labels failed: trajectories that stopped at one of them have ended."""

    def read(self, seed: int) -> list[Trajectory] | None:
        """Read the trajectories; those that stopped at a labelled frame move on without being evaluated there again.

        Parameters
        ----------
        seed
            Seed of the random forces.

        Returns
        -------
        The trajectories; None if the previous round has none.
        """
        if not self.trajectories.is_file():
            return None
        trajectories = read_trajectories(self.trajectories, seed=seed)
        for trajectory in trajectories:
            key = hash_structure(trajectory.atoms)
            if trajectory.uncertain and key in self.train:
                trajectory.resume()
            elif trajectory.uncertain and key in self.failed:
                trajectory.end_reason = f"{trajectory.end_reason}; the label of that frame failed"
                trajectory.uncertain = False
        return trajectories


def summarise_trajectories(trajectories: Sequence[Trajectory], *, time_step: float) -> list[dict[str, Any]]:
    """Summarise how far each trajectory has come.

    Parameters
    ----------
    trajectories
        Trajectories of a round.
    time_step
        fs.

    Returns
    -------
    For each trajectory: `formula`, `temperature` (K), `time` (fs), `completed` (whether it did all its steps) and `status`
    (why it ended), as plain values.
    """
    return [
        {
            "formula": trajectory.atoms.get_chemical_formula(),
            "temperature": trajectory.temperature,
            "time": trajectory.steps * time_step,
            "completed": not trajectory.end_reason,
            "status": trajectory.end_reason or "completed all steps",
        }
        for trajectory in trajectories
    ]
