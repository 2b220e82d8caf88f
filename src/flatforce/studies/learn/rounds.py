"""Active learning, round by round, each part on disk before the next begins."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from flatforce.active.assess import UNITS, assess, few_to_calibrate, few_to_judge, reason_to_stop
from flatforce.active.dynamics import EXPLODED
from flatforce.core.errors import ResultError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.results import Record, claim_folder, read_record, stage_key, write_record
from flatforce.data.splits import cut_trajectories
from flatforce.studies.inputs import Reporter, unreported
from flatforce.studies.learn.labels import errors_met, label_chosen, newly_labelled
from flatforce.studies.learn.material import gather
from flatforce.studies.learn.selection import Round, candidates, choose, told_of_dynamics
from flatforce.studies.learn.training import train_round

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.studies.learn.material import Material

WATCHED = {"device", "monitor", "checkpoint_seconds"}

NOT_OF_A_ROUND: Any = {
    "stop": True,
    "label": {"workers", "machine", "threads", "launcher", "timeout", "executors", "converge"},
    "train": WATCHED,
    "further": {"__all__": WATCHED},
}
"""Settings that may change from one call to the next: when a run ends, and how the machine is used."""

NO_LABELS = (
    "every label of two rounds in a row failed: mend what the reasons name (label.timeout and label.machine may change) "
    "and run again, which tries them again; other label.settings or samplers want another -o"
)

SHOWN = ("n_labels", "force_mae", "force_mae_low", "force_mae_high")
"""Metrics of every round that the next ones repeat."""


def learn(config: LearnConfig, folder: Path, *, report: Reporter = unreported) -> list[dict[str, Any]]:
    """Run active learning until it stops; a killed run goes on where it was, an ended one if `stop` allows more.

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
    batches, labels = [list(material.start)], 0
    rounds: list[dict[str, Any]] = []
    while True:
        inside = folder / f"round-{len(rounds):02d}"
        found = _round(config, material, batches, inside, rounds, labels, report)
        rounds.append(found)
        if found["details"]["stop"]:
            return rounds
        batches.append(newly_labelled(inside))
        labels += int(found["metrics"]["n_chosen"])


def _round(
    config: LearnConfig,
    material: Material,
    batches: Sequence[list[Atoms]],
    inside: Path,
    before: Sequence[dict[str, Any]],
    labels: int,
    report: Reporter,
) -> dict[str, Any]:
    settings = config.model_dump(mode="json", exclude=NOT_OF_A_ROUND)
    learnt = [frame for batch in batches for frame in batch]
    inputs = material.hashes | {"learnt": hash_value(sorted(hash_structure(frame) for frame in learnt))}
    past, retry = [one["metrics"] for one in before], False
    if not claim_folder(inside, settings, inputs):
        found = read_record(inside)
        over = reason_to_stop([*past, found["metrics"]], config.stop, labels=labels)
        retry = found["details"]["stop"] == NO_LABELS
        if over or not (retry or found["details"]["ended_by_settings"]):
            return found
    _mark(inside, stage_key(settings, inputs))
    clock = time.perf_counter()
    title = f"round {len(before)}"
    with report(f"{title}: train") as progress:
        trained = train_round(config, batches, inside, progress)
    judged = assess(trained.model, trained.folds, material.test, seed=config.seed)
    said = (
        trained.warnings
        + few_to_judge(judged.metrics, config.stop)
        + few_to_calibrate(judged, folds=config.calibration_folds)
    )
    said += cut_trajectories(learnt, material.test)
    metrics = {"n_learnt": float(len(learnt)), "n_labels": float(labels)} | judged.metrics
    metrics |= {"n_candidates": 0.0, "n_chosen": 0.0, "n_failed": 0.0}
    metrics |= {"training_time": trained.seconds, "label_time": 0.0}
    stop = reason_to_stop([*past, metrics], config.stop, labels=labels)
    details: dict[str, Any] = {
        "levels": judged.calibration.levels,
        "covered": judged.covered,
        "by_kind": judged.by_kind,
        "factors": judged.calibration.factors,
        "margins": [None if math.isnan(one) else float(one) for one in judged.margins],
        "n_calibrating": judged.n_calibrating,
        "chosen": [],
        "failures": [],
        "ended_by_settings": bool(stop),
    }
    if not stop:
        this = Round(config, material, learnt, len(before), labels, inside, trained.model, judged, retry)
        stop = _ask(this, metrics, details, title, report)
        if not stop and past and _without_labels(metrics) and _without_labels(past[-1]):
            stop = NO_LABELS
    details["stop"] = stop
    details["history"] = [{key: one[key] for key in SHOWN} for one in (*past, metrics)]
    said += [f"{name} has no label: {reason}" for name, reason in details["failures"]]
    said += _exploded(details)
    record = Record(
        "learning round",
        settings,
        metrics,
        {name: UNITS[name] for name in metrics},
        inputs,
        stop != NO_LABELS,
        said,
        details,
        seed=config.seed,
    )
    write_record(inside, record.taking(time.perf_counter() - clock))
    return read_record(inside)


def _mark(inside: Path, key: str) -> None:
    """Refuse a round that other settings began: what it has on disk is not of this run."""
    path = inside / "key"
    if path.is_file() and path.read_text(encoding="utf-8") != key:
        raise ResultError(
            f"{inside} was begun with other settings or frames.",
            fix="choose another folder with -o, or delete that one",
        )
    write_text(path, key)


def _ask(
    this: Round, metrics: dict[str, float], details: dict[str, Any], title: str, report: Reporter
) -> str:
    """Choose frames and have them labelled; the reason to stop, if there are none."""
    with report(f"{title}: choose") as progress:
        found = candidates(this, progress)
    metrics["n_candidates"] = float(len(found))
    details["dynamics"] = told_of_dynamics(this.config, this.folder)
    if not found:
        return _nothing_left(this.config, details)
    chosen, details["chosen"], metrics["largest_doubt"] = choose(this, found)
    with report(f"{title}: label") as progress:
        details["failures"], metrics["label_time"] = label_chosen(this, chosen, progress)
    met = errors_met(this)
    details["chosen"] = [one | {"error": met.get(one["name"])} for one in details["chosen"]]
    metrics |= {"n_chosen": float(len(chosen)), "n_failed": float(len(details["failures"]))}
    return ""


def _without_labels(metrics: dict[str, float]) -> bool:
    return metrics["n_failed"] == metrics["n_chosen"] > 0


def _nothing_left(config: LearnConfig, details: dict[str, Any]) -> str:
    dynamics = config.sampling.dynamics
    if not config.pool and dynamics is not None and dynamics.go_on:
        done = sum(one["done"] for one in details["dynamics"])
        return (
            f"{done} of {len(details['dynamics'])} trajectories did their steps, "
            f"no force in doubt by more than {dynamics.stop_above:g} eV/Å"
        )
    return "no candidate is left"


def _exploded(details: dict[str, Any]) -> list[str]:
    lost = [one for one in details.get("dynamics", []) if one["ended"].startswith(EXPLODED)]
    return [
        f"{one['sheet']} at {one['temperature']:g} K {one['ended']}: lower dynamics.stop_above, temperature or time_step"
        for one in lost
    ]
