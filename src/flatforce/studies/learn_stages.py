"""Active learning, round by round, each part on disk before the next begins."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.io import read

from flatforce.active.assess import UNITS, Assessment, assess, reason_to_stop
from flatforce.active.property import spectra
from flatforce.active.samplers import TRAJECTORIES, propose
from flatforce.active.selection import Pool, select
from flatforce.active.trajectories import read_trajectories, story
from flatforce.active.uncertainty import atom_spread
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file, hash_structure, hash_value
from flatforce.core.results import Record, claim_folder, read_record, write_record, write_text
from flatforce.data.bundled import dataset_path
from flatforce.data.curation.diversity import descriptors
from flatforce.data.frames import read_labelled, write_frames
from flatforce.data.splits import hold_out
from flatforce.models import load
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train
from flatforce.reference.label import label
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.models.potential import Potential, Prediction

TRUSTED = 0.9
"""Level of the interval that is called doubt: a force is off by less in nine cases of ten."""


@dataclass(frozen=True)
class Material:
    """Frames of a run."""

    start: list[Atoms]
    test: list[Atoms]
    pool: list[Atoms]
    """Labelled candidates; empty where samplers make them."""
    hashes: dict[str, str]


def learn(config: LearnConfig, folder: Path, *, report: Reporter = unreported) -> list[dict[str, Any]]:
    """Run active learning until it stops; a killed run goes on where it was.

    Parameters
    ----------
    config
        Settings.
    folder
        `round-00`, `round-01`, …: committee, candidates, chosen, labelled, `result.json`.
    report
        Opens the progress display.

    Returns
    -------
    `result.json` of every round; the last one says why it ended.
    """
    material = gather(config)
    learnt, labels = list(material.start), 0
    rounds: list[dict[str, Any]] = []
    while True:
        inside = folder / f"round-{len(rounds):02d}"
        found = _round(config, material, learnt, inside, rounds, labels, report)
        rounds.append(found)
        if found["details"]["stop"]:
            return rounds
        new = read_labelled(inside / "labelled.extxyz")
        learnt += new
        labels += int(found["metrics"]["n_chosen"])


def gather(config: LearnConfig) -> Material:
    """Read the frames of a run and set the test frames aside.

    Parameters
    ----------
    config
        Settings.

    Returns
    -------
    The frames; no frame, and no copy of one, is on two sides.

    Raises
    ------
    DataError
        If nothing is left to begin with.
    """
    paths = [dataset_path(name) for name in [*config.start, *config.pool]]
    hashes = {path.name: hash_file(path) for path in paths}
    start = [frame for name in config.start for frame in read_labelled(dataset_path(name))]
    pool = [frame for name in config.pool for frame in read_labelled(dataset_path(name))]
    if config.test is not None:
        path = dataset_path(config.test)
        hashes[f"test: {path.name}"] = hash_file(path)
        test = read_labelled(path)
    else:
        known = {hash_structure(frame): frame for frame in [*start, *pool]}
        every = list(known.values())
        test = [every[k] for k in hold_out(every, fraction=config.test_fraction, seed=config.seed)]
    aside = {hash_structure(frame) for frame in test}
    start = [frame for frame in start if hash_structure(frame) not in aside]
    if config.n_start is not None and config.n_start < len(start):
        chosen = np.random.default_rng(config.seed).permutation(len(start))[: config.n_start]
        start = [start[k] for k in sorted(chosen)]
    used = aside | {hash_structure(frame) for frame in start}
    pool = [frame for frame in pool if hash_structure(frame) not in used]
    if len(start) < 4 or not test:
        raise DataError(
            f"{len(start)} frames to begin with and {len(test)} to test on are too few.",
            fix="give more labelled frames under `start`, or frames under `test`",
        )
    return Material(start, test, pool, hashes)


def _round(
    config: LearnConfig,
    material: Material,
    learnt: list[Atoms],
    inside: Path,
    before: Sequence[dict[str, Any]],
    labels: int,
    report: Reporter,
) -> dict[str, Any]:
    settings = config.model_dump(mode="json")
    inputs = material.hashes | {"learnt": _hash_frames(learnt)}
    if not claim_folder(inside, settings, inputs):
        return read_record(inside)
    clock = time.perf_counter()
    title = f"round {len(before)}"
    with report(f"{title}: train") as progress:
        potential, held_out = _committee(config, learnt, inside, progress)
    judged = assess(potential, material.test, held_out, seed=config.seed)
    metrics = {"n_learnt": float(len(learnt)), "n_labels": float(labels)} | judged.metrics
    metrics |= {"n_candidates": 0.0, "n_chosen": 0.0, "n_failed": 0.0}
    stop = reason_to_stop([*(one["metrics"] for one in before), metrics], config.stop, labels=labels)
    details: dict[str, Any] = {
        "levels": judged.calibration.levels,
        "covered": judged.covered,
        "factors": judged.calibration.factors,
        "chosen": [],
        "failures": [],
    }
    if not stop:
        with report(f"{title}: choose") as progress:
            candidates = _candidates(config, material, learnt, potential, judged, inside, progress)
        metrics["n_candidates"] = float(len(candidates))
        details["dynamics"] = _told_of_dynamics(config, inside)
        if not candidates:
            stop = _nothing_left(config)
        else:
            chosen, details["chosen"], metrics["largest_doubt"] = _choose(
                config, learnt, potential, judged, candidates, inside, labels, len(before)
            )
            with report(f"{title}: label") as progress:
                failures = _label(config, chosen, inside, progress)
            details["failures"] = failures
            metrics |= {"n_chosen": float(len(chosen)), "n_failed": float(len(failures))}
            if len(failures) == len(chosen):
                stop = "every label of this round failed"
    details["stop"] = stop
    shown = ("n_labels", "force_mae", "force_mae_low", "force_mae_high")
    details["history"] = [
        {key: one[key] for key in shown} for one in (*(b["metrics"] for b in before), metrics)
    ]
    said = [f"{name} has no label: {reason}" for name, reason in details["failures"]]
    record = Record(
        "learning round",
        settings,
        metrics,
        {name: UNITS[name] for name in metrics},
        inputs,
        "failed" not in stop,
        said,
        details,
        seed=config.seed,
    )
    write_record(inside, record.taking(time.perf_counter() - clock))
    return read_record(inside)


def _committee(
    config: LearnConfig, learnt: list[Atoms], inside: Path, progress: Any
) -> tuple[Potential, list[Atoms]]:
    """Train on what is known so far, but for the frames on which all members stop early and doubt is calibrated."""
    aside = set(hold_out(learnt, fraction=config.calibration_fraction, seed=config.seed))
    parts = {
        "fitted": [frame for k, frame in enumerate(learnt) if k not in aside],
        "held_out": [frame for k, frame in enumerate(learnt) if k in aside],
    }
    if not parts["held_out"]:
        raise DataError(
            f"None of {len(learnt)} frames can be held out to calibrate the doubt.",
            why="one of each config type with three frames or more is",
            fix="begin with more frames of a kind",
        )
    for name, frames in parts.items():
        if not (inside / f"{name}.extxyz").is_file():
            write_frames(inside / f"{name}.extxyz", frames)
    values = config.train.model_dump(mode="json") | {
        "data": [str(inside / "fitted.extxyz")],
        "valid_file": str(inside / "held_out.extxyz"),
        "test_fraction": 0.0,
    }
    result = train(TrainConfig.parse(values), inside / "committee", progress=progress)
    names = [f"{card['kind']}:{inside / 'committee' / card['file']}" for card in result["details"]["cards"]]
    return load(f"committee:{','.join(names)}"), parts["held_out"]


def _candidates(
    config: LearnConfig,
    material: Material,
    learnt: Sequence[Atoms],
    potential: Potential,
    judged: Assessment,
    inside: Path,
    progress: Any,
) -> list[Atoms]:
    known = {hash_structure(frame) for frame in learnt}
    if material.pool:
        return [frame for frame in material.pool if hash_structure(frame) not in known]
    path = inside / "candidates.extxyz"
    if not path.is_file():
        sheets = [read(_existing(name)) for name in config.structures]
        defects = config.sampling.defects
        primitive = None if defects is None else read(_existing(defects.primitive))
        number = int(inside.name.rpartition("-")[2])
        found = propose(
            potential,
            sheets,
            config.sampling,
            seed=config.seed + 1000 * number,
            folder=inside,
            before=inside.parent / f"round-{number - 1:02d}" / TRAJECTORIES if number else None,
            primitive=primitive,
            doubt=_doubt(judged),
            progress=progress,
        )
        write_frames(path, found)
    found = read(path, ":") if path.stat().st_size else []
    return [frame for frame in found if hash_structure(frame) not in known]


def _told_of_dynamics(config: LearnConfig, inside: Path) -> list[dict[str, Any]]:
    path, dynamics = inside / TRAJECTORIES, config.sampling.dynamics
    if dynamics is None or not path.is_file():
        return []
    return story(read_trajectories(path, seed=config.seed), time_step=dynamics.time_step)


def _nothing_left(config: LearnConfig) -> str:
    dynamics = config.sampling.dynamics
    if not config.pool and dynamics is not None and dynamics.go_on:
        return f"every trajectory did its steps, no force in doubt by more than {dynamics.stop_above:g} eV/Å"
    return "no candidate is left"


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise DataError(f"There is no structure {name}.", fix="check `structures` and `sampling.defects`")
    return path


def _doubt(judged: Assessment) -> Callable[[Prediction], float]:
    return lambda said: float(judged.calibration.interval(atom_spread(said), TRUSTED).max())


def _choose(
    config: LearnConfig,
    learnt: Sequence[Atoms],
    potential: Potential,
    judged: Assessment,
    candidates: list[Atoms],
    inside: Path,
    labels: int,
    number: int,
) -> tuple[list[Atoms], list[dict[str, Any]], float]:
    doubt = np.array([_doubt(judged)(said) for said in potential.evaluate(candidates, stress=False)])
    count = config.per_round
    if config.stop.budget is not None:
        count = min(count, config.stop.budget - labels)
    plain = config.strategy in {"random", "uncertainty", "property"}
    points = np.zeros((len(candidates) + 1, 1)) if plain else descriptors([*candidates, *learnt])
    by_property = config.strategy == "property" and config.target is not None
    pool = Pool(
        doubt,
        points[: len(candidates)],
        points[len(candidates) :],
        potential.member_forces(candidates) if by_property else [],
        spectra(potential, read(_existing(config.target.structure)), config.target)
        if by_property and config.target is not None
        else None,
    )
    rng = np.random.default_rng([config.seed, number])
    choice = select(pool, count, config.strategy, rng=rng)
    chosen: list[Atoms] = []
    told: list[dict[str, Any]] = []
    for k, reason in zip(choice.places, choice.reasons, strict=True):
        frame = candidates[k]
        name = str(frame.info.get("name") or f"round{number:02d}-{len(chosen):02d}")
        frame.info["name"] = name
        chosen.append(frame)
        told.append(
            {
                "name": name,
                "from": str(frame.info.get("sampler", frame.info.get("config_type", ""))),
                "doubt": float(doubt[k]),
                "reason": reason,
            }
        )
    write_text(inside / "chosen.json", json.dumps(told, indent=1))
    return chosen, told, float(doubt.max())


def _label(
    config: LearnConfig, chosen: Sequence[Atoms], inside: Path, progress: Any
) -> list[tuple[str, str]]:
    """Write `labelled.extxyz`; labels stand in one cache for all rounds."""
    failures: list[tuple[str, str]] = []
    if config.pool:
        frames = list(chosen)
    else:
        assert config.label is not None  # noqa: S101  # the settings were checked
        done = label(chosen, config.label, cache=inside.parent / "labels", progress=progress)
        frames, failures = done.frames, done.failures
    write_frames(inside / "labelled.extxyz", frames)
    return failures


def _hash_frames(frames: Sequence[Atoms]) -> str:
    return hash_value(sorted(hash_structure(frame) for frame in frames))
