"""Candidates of a round, and those chosen among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.io import read

from flatforce.active.property import property_response
from flatforce.active.samplers import TRAJECTORIES, propose
from flatforce.active.selection import Pool, select
from flatforce.active.surrogate import Surrogate
from flatforce.active.trajectories import read_trajectories, story
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_structure
from flatforce.data.curation.diversity import descriptors
from flatforce.data.frames import write_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.assess import Assessment
    from flatforce.active.config import LearnConfig
    from flatforce.active.cross_conformal import Model
    from flatforce.core.arrays import FloatArray
    from flatforce.core.progress import Progress
    from flatforce.models.prediction import Prediction
    from flatforce.studies.learn.material import Material

TRUSTED = 0.9
"""Level of the interval that is called doubt: a force is off by less in nine cases of ten."""

CHOSEN = "chosen.extxyz"

WHY = "chosen.json"


@dataclass(frozen=True)
class Round:
    """What a round knows when it chooses."""

    config: LearnConfig
    material: Material
    learnt: Sequence[Atoms]
    """Labelled frames, those of earlier rounds included."""
    number: int
    labels: int
    """Asked for so far."""
    folder: Path
    model: Model
    """The force field and its doubt."""
    judged: Assessment
    retry: bool = False
    """Whether frames whose labels failed are tried again."""

    def doubt(self, frame: Atoms, said: Prediction) -> float:
        """Tell the largest error that a force may have.

        Parameters
        ----------
        frame
            A structure.
        said
            What the force field says of it.

        Returns
        -------
        eV/Å.
        """
        (spread,) = self.model.spread([frame], [said])
        return float(self.judged.calibration.interval(spread, TRUSTED).max())


def candidates(this: Round, progress: Progress) -> list[Atoms]:
    """Ask the pool or the samplers; what they say is kept, so that a killed round goes on with the same frames.

    Parameters
    ----------
    this
        The round.
    progress
        Told by the dynamics.

    Returns
    -------
    Distinct frames without a label.
    """
    known = {hash_structure(frame) for frame in this.learnt}
    if this.material.pool:
        return [frame for frame in this.material.pool if hash_structure(frame) not in known]
    path = this.folder / "candidates.extxyz"
    if not path.is_file():
        earlier = [this.folder.parent / f"round-{k:02d}" for k in range(this.number)]
        asked = {hash_structure(frame) for one in earlier for frame in read(one / CHOSEN, ":")}
        found = propose(
            this.model.potential,
            this.material.sheets,
            this.config.sampling,
            seed=this.config.seed + 1000 * this.number,
            folder=this.folder,
            before=earlier[-1] / TRAJECTORIES if earlier else None,
            learnt=known,
            failed=asked - known,
            primitive=this.material.primitive,
            doubt=this.doubt,
            progress=progress,
        )
        write_frames(path, found)
    found = read(path, ":") if path.stat().st_size else []
    distinct = {hash_structure(frame): frame for frame in found}
    return [frame for key, frame in distinct.items() if key not in known]


def told_of_dynamics(config: LearnConfig, inside: Path) -> list[dict[str, Any]]:
    """Tell how far the trajectories of a round came.

    Parameters
    ----------
    config
        Settings.
    inside
        Folder of the round.

    Returns
    -------
    Plain values; empty without dynamics.
    """
    path, dynamics = inside / TRAJECTORIES, config.sampling.dynamics
    if dynamics is None or not path.is_file():
        return []
    return story(read_trajectories(path, seed=config.seed), time_step=dynamics.time_step)


def choose(this: Round, among: list[Atoms]) -> tuple[list[Atoms], list[dict[str, Any]], float]:
    """Choose frames to be labelled and write them to `chosen.extxyz`, why to `chosen.json`.

    Parameters
    ----------
    this
        The round.
    among
        The candidates.

    Returns
    -------
    The frames, each with a name; what was chosen from where and why; the largest doubt of all candidates, eV/Å.
    """
    config, potential = this.config, this.model.potential
    count = config.per_round
    if config.stop.budget is not None:
        count = min(count, config.stop.budget - this.labels)
    before = _chosen_before(this.folder, among, count)
    if before is not None:
        return before
    said = potential.evaluate(among, stress=False)
    doubt = np.array([this.doubt(frame, one) for frame, one in zip(among, said, strict=True)])
    plain = config.strategy in {"random", "uncertainty", "property"}
    points = np.zeros((len(among) + 1, 1)) if plain else descriptors([*among, *this.learnt])
    pool = Pool(
        doubt,
        points[: len(among)],
        points[len(among) :],
        *_for_target(this, among),
    )
    rng = np.random.default_rng([config.seed, this.number])
    choice = select(pool, count, config.strategy, rng=rng)
    chosen: list[Atoms] = []
    told: list[dict[str, Any]] = []
    for k, reason in zip(choice.places, choice.reasons, strict=True):
        frame = among[k]
        name = str(frame.info.get("name") or f"round{this.number:02d}-{len(chosen):02d}")
        frame.info["name"] = name
        chosen.append(frame)
        come_from = str(frame.info.get("sampler", frame.info.get("config_type", "")))
        told.append({"name": name, "from": come_from, "doubt": float(doubt[k]), "reason": reason})
    largest = float(doubt.max())
    write_frames(this.folder / CHOSEN, chosen)
    write_text(this.folder / WHY, json.dumps({"largest_doubt": largest, "frames": told}, indent=1))
    return chosen, told, largest


def _for_target(this: Round, among: Sequence[Atoms]) -> tuple[list[FloatArray], FloatArray | None]:
    """Return what is not known of forces and property, `forces` and `target` of a pool."""
    config, sheet = this.config, this.material.target
    if config.strategy != "property" or config.target is None or sheet is None:
        return [], None
    surrogate = Surrogate(this.learnt)
    response = property_response(
        this.model.potential, surrogate, sheet, config.target, this.material.pristine
    )
    return [surrogate.forces(frame) / surrogate.noise for frame in among], response


def _chosen_before(
    folder: Path, among: Sequence[Atoms], count: int
) -> tuple[list[Atoms], list[dict[str, Any]], float] | None:
    """Take up the choice of a run that was killed: on another machine the last digits might choose others."""
    if not (folder / CHOSEN).is_file() or not (folder / WHY).is_file():
        return None
    why = json.loads((folder / WHY).read_text(encoding="utf-8"))
    known = {hash_structure(frame): frame for frame in among}
    keys = [hash_structure(frame) for frame in read(folder / CHOSEN, ":")]
    if len(keys) != min(count, len(among)) or not known.keys() >= set(keys):
        return None
    chosen = [known[key] for key in keys]
    for frame, told in zip(chosen, why["frames"], strict=True):
        frame.info["name"] = told["name"]
    return chosen, why["frames"], why["largest_doubt"]
