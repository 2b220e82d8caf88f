"""The force field of a round: one committee, or several that each judge the frames which they have not fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flatforce.active.calibration_folds import part
from flatforce.active.cross_conformal import Fold, Model
from flatforce.active.uncertainty import DescriptorDistance, committee_spread
from flatforce.data.frames import write_frames
from flatforce.models import load
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import NO_TEST, train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.core.progress import Progress


@dataclass(frozen=True)
class Trained:
    """What the training of a round left."""

    model: Model
    """The force field: all members."""
    folds: list[Fold]
    """Its parts."""
    warnings: list[str]
    seconds: float
    """Of all members."""


def train_round(
    config: LearnConfig, batches: Sequence[list[Atoms]], inside: Path, progress: Progress
) -> Trained:
    """Train on what is known so far; what is trained already is read.

    Parameters
    ----------
    config
        Settings.
    batches
        Labelled frames to begin with, then those of each round.
    inside
        Folder of the round: `fitted.extxyz`, `held_out.extxyz` and `committee`; `fold-1`, `fold-2`, … with those of further
        folds.
    progress
        Told by the training.

    Returns
    -------
    The force field, its parts, and what their training had to say.

    Raises
    ------
    DataError
        If too few frames can be held out to calibrate the doubt.
    """
    while len(batches) > 1 and not batches[-1]:  # nothing was learnt since
        batches, inside = batches[:-1], inside.parent / f"round-{len(batches) - 2:02d}"
    folds: list[Fold] = []
    members: list[str] = []
    said: list[str] = []
    seconds = 0.0
    for number, (fitted, held_out) in enumerate(part(config, batches)):
        folder = inside if number == 0 else inside / f"fold-{number}"
        names, warnings, took = _committee(config, number, (fitted, held_out), folder, progress)
        one = _model(config, names, fitted)
        folds.append(Fold(one.potential, one.spread, held_out, fitted))
        members += names
        said += warnings
        seconds += took
    whole = folds[0]
    model = whole if len(folds) == 1 else _model(config, members, [*whole.fitted, *whole.held_out])
    return Trained(model, folds, list(dict.fromkeys(said)), seconds)


def _model(config: LearnConfig, names: Sequence[str], fitted: Sequence[Atoms]) -> Model:
    potential = load(names[0] if len(names) == 1 else f"committee:{','.join(names)}")
    return Model(potential, committee_spread if config.doubt == "committee" else DescriptorDistance(fitted))


def _committee(
    config: LearnConfig, number: int, sides: tuple[list[Atoms], list[Atoms]], folder: Path, progress: Progress
) -> tuple[list[str], list[str], float]:
    """Train the members of one fold: their specs, what there is to say, and the seconds it took."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in zip(("fitted", "held_out"), sides, strict=True):
        if not (folder / f"{name}.extxyz").is_file():
            write_frames(folder / f"{name}.extxyz", frames)
    files = {"data": [str(folder / "fitted.extxyz")], "valid_file": str(folder / "held_out.extxyz")}
    names: list[str] = []
    said: list[str] = []
    seconds = 0.0
    kinds = (config.train, *config.further)
    later = number * sum(one.n_models for one in kinds)  # no member of a fold has the seed of another
    for place, one in enumerate(kinds):
        values = one.model_dump(mode="json") | files | {"test_fraction": 0.0, "seed": one.seed + later}
        settings = TrainConfig.parse(values).model_copy(update={"executors": one.executors})
        inside = folder / ("committee" if place == 0 else f"committee-{place}")
        result = train(settings, inside, progress=progress)
        cards = result["details"]["cards"]
        names += [f"{card['kind']}:{inside / card['file']}" for card in cards]
        seconds += sum(card["wall_time"] for card in cards)
        said += [f"training: {warning}" for warning in result["warnings"] if warning != NO_TEST]
        if not result["converged"]:
            said.append("training of a member diverged: lower learning_rate, or look for broken labels")
    return names, said, seconds
