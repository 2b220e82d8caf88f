"""The trajectories of a run: their state between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from flatforce.properties.dynamics.moving_sheet import MovingSheet, thermal_velocities
from flatforce.properties.dynamics.samples import FrameBuffer

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.properties.dynamics.config import MdConfig


@dataclass(kw_only=True)
class Walker(MovingSheet):
    """One trajectory of `flatforce md`."""

    name: str
    """Name of the trajectory, such as `300K_1`."""
    buffer: FrameBuffer = field(default_factory=FrameBuffer)
    """Frames that were not written yet."""
    end_reason: str = ""
    """Why it ended before its last step; empty if it did not."""


@dataclass
class RunState:
    """What a killed run needs to go on."""

    walkers: list[Walker]
    """All trajectories."""
    step: int = 0
    """Steps done, those of the equilibration included."""
    n_pieces: int = 0
    """Pieces of recorded frames on disk."""
    seconds: float = 0.0
    """s, that the steps took, of earlier runs too."""
    timed_steps: int = 0
    """Steps that `seconds` belongs to."""


def start_walkers(sheet: Atoms, config: MdConfig) -> list[Walker]:
    """Start the trajectories of a run: the replicas of the first temperature, then those of the next one.

    Parameters
    ----------
    sheet
        The sheet with its vacuum.
    config
        Settings.

    Returns
    -------
    Trajectories that have done no step.
    """
    walkers: list[Walker] = []
    for temperature in config.temperatures:
        for replica in range(config.replicas):
            rng = np.random.default_rng([config.seed, len(walkers)])
            walkers.append(
                Walker(
                    atoms=sheet.copy(),
                    temperature=temperature,
                    velocities=thermal_velocities(sheet, temperature, rng),
                    rng=rng,
                    name=f"{temperature:g}K_{replica + 1}",
                )
            )
    return walkers
