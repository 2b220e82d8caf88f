"""Sweeps over training settings by Optuna, resumable to the trial and, inside a trial, to the epoch."""

from __future__ import annotations

import math
import time
import warnings
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import ConfigError, MissingDependencyError
from flatforce.core.hashing import hash_file, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.core.results import Record, claim_folder, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

UNITS: Final = {
    "valid_loss": "1",
    "valid_energy_mae": "meV/atom",
    "valid_force_mae": "meV/Å",
    "valid_stress_mae": "N/m",
}
"""What a sweep may minimise: errors on validation frames, never on those held out."""

DATABASE: Final = "sweep.db"

Choice = bool | int | float | str | None


class Range(Config):
    """Numbers between two ends."""

    low: float
    """Smallest."""
    high: float
    """Largest."""
    log: bool = False
    """Whether orders of magnitude are as likely as one another."""

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low < high is needed, and both positive where log is set")
        return self


class SweepConfig(Config):
    """Which settings are tried."""

    train: dict[str, Any]
    """A training run, as `flatforce train` reads it."""
    vary: dict[str, list[Choice] | Range] = Field(min_length=1)
    """Setting → values, or a range; `model.r_max` reaches into a part. Vary `n_frames` for a learning curve."""
    objective: Literal["valid_loss", "valid_energy_mae", "valid_force_mae", "valid_stress_mae"] = (
        "valid_force_mae"
    )
    """What is minimised."""
    sampler: Literal["grid", "tpe", "random"] = "grid"
    """Every combination of listed values, Optuna's tree-structured Parzen estimator, or chance."""
    trials: PositiveInt | None = None
    """Runs; not read by a grid, which ends by itself; 20 if not given."""
    seed: int = 0
    """Of the sampler."""

    @model_validator(mode="after")
    def _consistent(self) -> SweepConfig:
        ranged = [name for name, values in self.vary.items() if isinstance(values, Range)]
        if self.sampler == "grid" and ranged:
            raise ValueError(
                f"a grid needs lists of values; {', '.join(ranged)}: give values, or sampler: tpe"
            )
        return self

    @property
    def count(self) -> int:
        """Runs in all."""
        if self.sampler == "grid":
            return math.prod(len(v) for v in self.vary.values() if isinstance(v, list))
        return self.trials or 20


def sweep(config: SweepConfig, folder: Path, *, progress: Progress = silent) -> dict[str, Any]:
    """Train once for each choice of settings; a killed sweep goes on where it stopped.

    Parameters
    ----------
    config
        Settings.
    folder
        Result folder: `sweep.db` of Optuna, and the folder of each run under `trials`.
    progress
        Told after each run.

    Returns
    -------
    The content of `result.json`; `details` holds the table.
    """
    first = {name: v[0] if isinstance(v, list) else v.low for name, v in config.vary.items()}
    base = settings_with(config.train, _whole(config.train, first))  # a mistake is told before anything runs
    hashes = {name: hash_file(dataset_path(name)) for name in base.data}
    plain = config.model_dump(mode="json")
    if not claim_folder(folder, plain, hashes):
        return read_record(folder)
    start = time.perf_counter()
    study = _study(config, folder)
    while (done := len(_complete(study))) < config.count:
        trial = study.ask()
        chosen = {name: _suggest(trial, name, values) for name, values in config.vary.items()}
        chosen = _whole(config.train, chosen)
        inside = folder / "trials" / hash_value(chosen)[:10]
        card = train(settings_with(config.train, chosen), inside)["details"]["cards"][0]
        for name, value in card["valid"].items():
            trial.set_user_attr(name, value)
        trial.set_user_attr("folder", inside.name)
        trial.set_user_attr("wall_time", card["wall_time"])
        study.tell(trial, card["valid"][config.objective])
        said = ", ".join(f"{name} {value}" for name, value in chosen.items())
        progress(done + 1, config.count, f"{said}: {card['valid'][config.objective]:.4g}")
    rows = [
        dict(trial.params) | {config.objective: trial.value} | dict(trial.user_attrs)
        for trial in _complete(study)[: config.count]
    ]
    best = min(rows, key=lambda row: float(row[config.objective]))
    metrics = {"best": float(best[config.objective]), "n_trials": float(len(rows))}
    units = {"best": UNITS[config.objective], "n_trials": "1"}
    details = {"rows": rows, "best": best}
    record = Record("sweep", plain, metrics, units, hashes, details=details, seed=config.seed)
    write_record(folder, record.taking(time.perf_counter() - start))
    return read_record(folder)


def settings_with(base: dict[str, Any], chosen: dict[str, Any]) -> TrainConfig:
    """Put values into the settings of a training run.

    Parameters
    ----------
    base
        Settings.
    chosen
        Name, with dots for parts → value.

    Returns
    -------
    The run.
    """
    values = dict(base)
    for name, value in chosen.items():
        *parts, last = name.split(".")
        place = values
        for part in parts:
            place[part] = dict(place.get(part) or {})
            place = place[part]
        place[last] = value
    return TrainConfig.parse(values, source="sweep")


def _whole(base: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """Turn 8.0 into 8 where the setting is a whole number: a range gives floats."""
    found = dict(chosen)
    for name, value in chosen.items():
        if isinstance(value, float):
            try:
                settings_with(base, {name: value})
            except ConfigError:
                found[name] = round(value)
    return found


def _suggest(trial: Any, name: str, values: list[Choice] | Range) -> Any:
    if isinstance(values, Range):
        return trial.suggest_float(name, values.low, values.high, log=values.log)
    return trial.suggest_categorical(name, values)


def _complete(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name == "COMPLETE"]


def _study(config: SweepConfig, folder: Path) -> Any:
    """Open Optuna's study; runs that were cut short are asked for again."""
    try:
        import optuna
    except ImportError as error:
        raise MissingDependencyError(
            "Optuna is not installed.", fix="pip install 'flatforce[sweep]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{folder.resolve() / DATABASE}"
    sampler = optuna.samplers.TPESampler if config.sampler == "tpe" else optuna.samplers.RandomSampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(storage=storage, study_name="sweep", load_if_exists=True)
        study.sampler = sampler(
            seed=config.seed + len(study.trials)
        )  # a run gone on must not repeat its choices
        if config.sampler == "grid":
            for values in product(*(v for v in config.vary.values() if isinstance(v, list))):
                study.enqueue_trial(dict(zip(config.vary, values, strict=True)), skip_if_exists=True)
        for trial in study.trials:
            if trial.state.name == "RUNNING":
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                study.enqueue_trial(trial.params, skip_if_exists=False)
    return study
