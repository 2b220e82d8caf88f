"""A training run from data to model file, card and result folder."""

from __future__ import annotations

import json
import time
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ModelError
from flatforce.core.execution.pools import parsl_pool
from flatforce.core.files import write_text
from flatforce.core.progress import Progress, silent
from flatforce.core.results import Record, claim_folder, read_record, stage_key, versions, write_record
from flatforce.data.splits import split_trajectory_warnings
from flatforce.models.errors import ERROR_UNITS, compare, element_force_errors, error_metrics
from flatforce.models.isolated.environments import PACKAGES, Environment, environment_for
from flatforce.models.potential import Potential
from flatforce.models.precision import default_dtype
from flatforce.models.spec import split_spec
from flatforce.models.training.data import (
    TrainingData,
    fit_and_valid,
    identity,
    load_data,
    species_of,
    write_split,
)
from flatforce.models.training.epochs import CHECKPOINT, UNKEPT, fit
from flatforce.models.training.initial_model import begin
from flatforce.models.training.isolated import train_isolated
from flatforce.models.training.targets import reference_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


GPU_POOL = "gpu"
"""The executor that trains."""

NO_GAIN = (
    "no epoch was better on the validation frames than the model it started from, which is kept; the best epoch is "
    f"{UNKEPT} beside it. Lower learning_rate, or, if that model has learnt these frames, give others with valid_file"
)

NO_TEST = "no frame was held out: the errors are those of the validation frames, which chose the best epoch"


def train(config: TrainConfig, folder: Path, *, progress: Progress = silent) -> dict[str, Any]:
    """Train one model or a committee; go on where a killed run stopped.

    Parameters
    ----------
    config
        Settings.
    folder
        Result folder: `NAME.model` and `NAME.card.json` for each member, `split.json`, `metrics.csv`.
    progress
        Told after each epoch.

    Returns
    -------
    The content of `result.json`; `converged` is False when a member diverged.
    """
    elsewhere = _environment(config)
    if elsewhere is not None:
        return train_isolated(elsewhere, config, folder, progress=progress)
    data = load_data(config)
    same = identity(config, data.hashes)
    if not claim_folder(folder, *same):
        return read_record(folder)
    begun = any(found for name in (CHECKPOINT, "*.card.json") for found in folder.rglob(name))
    check_same_run(folder, *same, begun=begun)
    write_split(folder, config, data)
    start = time.perf_counter()
    cards = _members(config, data, folder, progress)
    metrics = {
        name: sum(card["test"]["all"][name] for card in cards) / len(cards)
        for name in cards[0]["test"]["all"]
    }
    diverged = [card["file"] for card in cards if card["diverged"]]
    record = Record(
        kind="train",
        config=config.model_dump(mode="json"),
        metrics=metrics,
        units={name: ERROR_UNITS[name] for name in metrics},
        inputs=data.hashes,
        converged=not diverged,
        warnings=[f"{name} diverged; the best weights before that were kept" for name in diverged]
        + [f"no frame that was learnt holds {', '.join(c['unlearnt'])}" for c in cards[:1] if c["unlearnt"]]
        + [f"{card['file']}: {NO_GAIN}" for card in cards if card["best_epoch"] < 0]
        + ([] if data.test else [NO_TEST])
        + split_trajectory_warnings(data.fit, data.test),
        details={"cards": cards},
        seed=config.seed,
        wall_time=time.perf_counter() - start,
        key=stage_key(*same),
    )
    write_record(folder, record)
    return read_record(folder)


def _environment(config: TrainConfig) -> Environment | None:
    """Find where the model's package lives, if not here."""
    kind = config.model.kind if config.start_from is None else split_spec(config.start_from)[0]
    return environment_for(kind) if kind in PACKAGES else None


def check_same_run(
    folder: Path, plain: dict[str, Any], hashes: dict[str, str], *, begun: bool = True
) -> None:
    """Refuse to go on from what was made with other settings.

    Parameters
    ----------
    folder
        Result folder.
    plain
        Settings.
    hashes
        Of the files that are read.
    begun
        Whether anything was made: what ended before that, by a mistake in its settings, is forgotten.

    Raises
    ------
    ModelError
        If the folder holds an unfinished run with others.
    """
    marker = folder / "run.json"
    now = json.loads(json.dumps({"config": plain, "inputs": hashes}))
    if begun and marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) != now:
        raise ModelError(
            f"{folder} holds an unfinished run with other settings or data.",
            why="going on from its checkpoint would mix two runs",
            fix="choose another folder with -o, or delete that one",
        )
    write_text(marker, json.dumps(now, indent=1) + "\n")


def _members(
    config: TrainConfig, data: TrainingData, folder: Path, progress: Progress
) -> list[dict[str, Any]]:
    if not config.executors:
        return [_member(k, config, data, folder, progress) for k in range(config.n_models)]
    cards = {}
    with parsl_pool(config.executors, GPU_POOL, folder=folder.resolve() / "parsl") as submit:
        futures = {submit(train_member, k, config, str(folder.resolve())): k for k in range(config.n_models)}
        for done, future in enumerate(as_completed(futures), start=1):
            cards[futures[future]] = future.result()
            progress(done, config.n_models, f"model {futures[future]} is trained")
    return [cards[k] for k in range(config.n_models)]


def train_member(k: int, config: TrainConfig, folder: str) -> dict[str, Any]:
    """Train one member of a committee, in a worker that has nothing but the settings.

    Parameters
    ----------
    k
        Its number.
    config
        Settings.
    folder
        Result folder of the run, on a file system that the worker sees.

    Returns
    -------
    The member's card.
    """
    return _member(k, config, load_data(config), Path(folder), silent)


def _member(
    k: int, config: TrainConfig, data: TrainingData, folder: Path, progress: Progress
) -> dict[str, Any]:
    single = config.n_models == 1
    name = config.name if single else f"{config.name}-{k}"
    card_file = folder / f"{name}.card.json"
    if card_file.is_file():
        card: dict[str, Any] = json.loads(card_file.read_text(encoding="utf-8"))
        return card
    inside = folder if single else folder / name
    inside.mkdir(exist_ok=True)
    seed = config.seed + k
    fit_frames, valid = fit_and_valid(config, data, seed)
    species = species_of([*data.fit, *data.test])
    e0s: dict[str, float] = {}
    if config.start_from is None:
        e0s = reference_energies([*data.isolated, *fit_frames, *valid], config, species=sorted(species))
    with default_dtype(config.dtype):
        never = [*valid, *data.test]
        learner, replayed = begin(config, fit_frames, never, seed=seed, species=species, e0s=e0s)
        learnt = [*fit_frames, *replayed]
        done = fit(learner, learnt, valid, config=config, seed=seed, folder=inside, progress=progress)
    if done.best is None:
        raise ModelError(
            "The training diverged before its first epoch was over; there is no model.",
            why="the loss is not finite",
            fix="lower learning_rate, or look for broken frames",
        )
    model_file = folder / f"{name}{learner.suffix}"
    learner.save(model_file)
    spec = f"{learner.loads_as}:{model_file}"
    test = _test_errors(Potential(spec, learner.backend()), data.test or valid)
    card = {
        "file": model_file.name,
        "kind": learner.loads_as,
        "elements": sorted(learner.elements),
        "unlearnt": sorted(species - species_of(fit_frames)),
        "history": str((inside / "metrics.csv").relative_to(folder)),
        "e0s": e0s,
        "cutoff": learner.cutoff,
        "layers": learner.layers,
        "settings": config.model_dump(mode="json"),
        "seed": seed,
        "data": data.hashes,
        "n_train": len(fit_frames),
        "n_replayed": len(replayed),
        "n_valid": len(valid),
        "n_test": len(data.test),
        "best_epoch": done.best_epoch,
        "epochs": int(done.history[-1]["epoch"]) + 1,
        "diverged": done.diverged,
        "valid": {name: value for name, value in done.best.items() if name.startswith("valid_")},
        "test": test,
        "units": ERROR_UNITS,
        "versions": versions(),
        "wall_time": sum(row["seconds"] for row in done.history),
    }
    write_text(card_file, json.dumps(card, indent=1) + "\n")
    (inside / CHECKPOINT).unlink(missing_ok=True)
    return card


def _test_errors(potential: Potential, frames: Sequence[Atoms]) -> dict[str, Any]:
    found = compare(frames, potential.evaluate(frames))
    groups = {group: error_metrics(found, group=group) for group in sorted(set(found.frame_group))}
    return {"all": error_metrics(found), "config_type": groups, "element_force_mae": element_force_errors(found)}
