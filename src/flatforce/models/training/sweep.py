"""Sweeps over training settings by Optuna, resumable to the trial and, inside a trial, to the epoch."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import suppress
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.core.errors import ConfigError, FlatforceError, MissingDependencyError, ModelError
from flatforce.core.hashing import hash_value
from flatforce.core.progress import Progress, silent
from flatforce.core.results import Record, claim_folder, read_record, write_record
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.data import load_data
from flatforce.models.training.run import check_same_run, train

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
    base = settings_with(config.train, _whole(config, first))  # a mistake is told before anything runs
    if base.n_models > 1 or (base.energy_only and config.objective != "valid_energy_mae"):
        raise ConfigError(
            "This run cannot be swept.",
            why="it trains a committee" if base.n_models > 1 else "it fits energies alone",
            fix="set n_models: 1" if base.n_models > 1 else "set objective: valid_energy_mae",
        )
    hashes = load_data(base).hashes
    plain = config.model_dump(mode="json")
    if not claim_folder(folder, plain, hashes):
        return read_record(folder)
    check_same_run(folder, plain, hashes)
    start = time.perf_counter()
    study = _study(config, folder)
    while (done := len(_ended(study))) < config.count:
        trial = study.ask()
        chosen = {name: _suggest(trial, name, values) for name, values in config.vary.items()}
        chosen = _whole(config, chosen)
        said = ", ".join(f"{name} {value}" for name, value in chosen.items())
        row = chosen | _trained(config, chosen, folder / "trials" / hash_value(chosen)[:10])
        trial.set_user_attr("row", row)
        value = row.get(config.objective)
        if value is None:
            study.tell(trial, state=_state("FAIL"))
        else:
            study.tell(trial, value)
        progress(done + 1, config.count, f"{said}: {row.get('failed') or value}")
    rows = [trial.user_attrs["row"] for trial in _ended(study)[: config.count]]
    if all(row.get(config.objective) is None for row in rows):
        raise ModelError("No run of this sweep came to an end.", why=str(rows[0].get("failed")))
    rows = sorted(rows, key=lambda row: float(row.get(config.objective) or "inf"))
    best = rows[0]
    failed = sum(row.get(config.objective) is None for row in rows)
    metrics = {"best": float(best[config.objective]), "n_trials": float(len(rows)), "n_failed": float(failed)}
    units = {"best": UNITS[config.objective], "n_trials": "1", "n_failed": "1"}
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


def _trained(config: SweepConfig, chosen: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train once; what comes of it, or why nothing did."""
    try:
        card = train(settings_with(config.train, chosen), folder)["details"]["cards"][0]
    except FlatforceError as error:
        return {"folder": folder.name, "failed": error.what}
    found = {name: value for name, value in card["valid"].items() if math.isfinite(value)}
    if card["diverged"]:
        found["failed"] = "diverged; the best weights before that count"
    return found | {"folder": folder.name, "wall_time": card["wall_time"]}


def _whole(config: SweepConfig, chosen: dict[str, Any]) -> dict[str, Any]:
    """Round numbers out of a range where the setting is a whole one."""
    ranged = [name for name, values in config.vary.items() if isinstance(values, Range)]
    for count in range(len(ranged) + 1):
        for rounded in combinations(ranged, count):
            tried = chosen | {name: round(chosen[name]) for name in rounded}
            with suppress(ConfigError):
                settings_with(config.train, tried)
                return tried
    settings_with(config.train, chosen)  # which tells what is wrong
    return chosen


def _suggest(trial: Any, name: str, values: list[Choice] | Range) -> Any:
    if isinstance(values, Range):
        return trial.suggest_float(name, values.low, values.high, log=values.log)
    return trial.suggest_categorical(name, values)


def _ended(study: Any) -> list[Any]:
    """Trials that came to an end, well or not; one that was cut short has no row."""
    return [trial for trial in study.trials if "row" in trial.user_attrs and trial.state.name != "RUNNING"]


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


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
                wanted = trial.system_attrs.get("fixed_params") or trial.params
                study.tell(trial.number, state=_state("FAIL"))
                study.enqueue_trial(wanted, skip_if_exists=False)
    return study
