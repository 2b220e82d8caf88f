"""Candidates of a round: unlabelled frames of the pool, or frames that the samplers generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ase.io import read

from flatforce.active.samplers import TRAJECTORIES, Sampler
from flatforce.active.trajectories import ContinuedDynamics, read_trajectories, summarise_trajectories
from flatforce.core.hashing import hash_structure
from flatforce.data.frame_files import write_frames
from flatforce.studies.learn.selection import SELECTED

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.active.round_state import RoundState
    from flatforce.core.progress import Progress

CANDIDATES: Final = "candidates.extxyz"
"""File of the frames that the samplers of a round generated."""


def find_candidates(state: RoundState, folder: Path, progress: Progress) -> list[Atoms]:
    """Read the pool or run the samplers; their frames are stored, so that a killed round continues with the same ones.

    Parameters
    ----------
    state
        The round.
    folder
        Folder of the round.
    progress
        Called by the dynamics.

    Returns
    -------
    Distinct frames that have no label yet.
    """
    labelled = state.known_hashes()
    if state.frames.labelled.pool:
        return [frame for frame in state.frames.labelled.pool if hash_structure(frame) not in labelled]
    path = folder / CANDIDATES
    if not path.is_file():
        write_frames(path, _sample(state, folder, labelled, progress))
    candidates = read(path, ":") if path.stat().st_size else []
    distinct = {hash_structure(frame): frame for frame in candidates}
    return [frame for key, frame in distinct.items() if key not in labelled]


def _sample(state: RoundState, folder: Path, labelled: set[str], progress: Progress) -> list[Atoms]:
    earlier_rounds = [folder.parent / f"round-{number:02d}" for number in range(state.number)]
    requested = {hash_structure(frame) for path in earlier_rounds for frame in read(path / SELECTED, ":")}
    sampler = Sampler(
        state.model.potential,
        state.config.sampling,
        folder,
        primitive=state.frames.primitive,
        path_ends=state.frames.path_ends,
        max_uncertainty=state.max_force_uncertainty,
    )
    continued = None
    if earlier_rounds:
        continued = ContinuedDynamics(earlier_rounds[-1] / TRAJECTORIES, labelled, requested - labelled)
    return sampler.propose(state.frames.sheets, seed=state.seed, continued=continued, progress=progress)


def read_trajectory_summaries(config: LearnConfig, folder: Path) -> list[dict[str, Any]]:
    """Summarise how far the trajectories of a round came.

    Parameters
    ----------
    config
        Settings.
    folder
        Folder of the round.

    Returns
    -------
    One summary for each trajectory, see `summarise_trajectories`; empty without dynamics.
    """
    path, dynamics = folder / TRAJECTORIES, config.sampling.dynamics
    if dynamics is None or not path.is_file():
        return []
    trajectories = read_trajectories(path, seed=config.seed)
    return summarise_trajectories(trajectories, time_step=dynamics.time_step)
