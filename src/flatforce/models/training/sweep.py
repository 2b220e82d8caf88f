"""Sweeps over training settings with Optuna, resumable to the trial and, within a trial, to the epoch."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flatforce.core.claims import claim, is_finished
from flatforce.core.errors import ConfigError, FlatforceError, ModelError
from flatforce.core.hashing import hash_value
from flatforce.core.identity import Identity
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.core.recording import record_outcome
from flatforce.core.results import read_record
from flatforce.models.errors import ERROR_UNITS
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.data import load_data
from flatforce.models.training.optuna_study import (
    DATABASE,
    finish_trial,
    finished_trials,
    open_study,
    suggest,
)
from flatforce.models.training.run import train
from flatforce.models.training.sweep_config import Range, SweepConfig

if TYPE_CHECKING:
    from pathlib import Path

UNITS: Final = {
    "valid_loss": "",
    "valid_energy_mae": "meV/atom",
    "valid_force_mae": "meV/Å",
    "valid_stress_mae": "N/m",
}
"""Unit of each error on the validation set that a sweep can minimise."""

FOLD_ERRORS: Final = ("energy_mae", "force_mae", "stress_mae")
"""Test errors that a sweep over folds averages (cross-validation)."""


@dataclass(frozen=True, repr=False)
class SweepOutcome(Outcome):
    """Training runs of a sweep, best first."""

    kind: ClassVar[str] = "sweep"

    objective: str
    """Name of the error that is minimised."""
    rows: list[dict[str, Any]]
    """Settings and validation errors of each run, lowest error first; `failed` gives the reason of a failed run."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # depends on the objective
        """Unit of each metric."""
        known = {"best": UNITS[self.objective], "n_trials": "", "n_failed": ""}
        known |= {f"test_{error}": ERROR_UNITS[error] for error in FOLD_ERRORS}
        return {name: known[name] for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Lowest error, number of runs, and number of failed runs; where folds are varied, the mean of their test errors."""
        n_failed = sum(row.get(self.objective) is None for row in self.rows)
        best = float(self.rows[0][self.objective])
        metrics = {"best": best, "n_trials": float(len(self.rows)), "n_failed": float(n_failed)}
        for name in (f"test_{error}" for error in FOLD_ERRORS):
            errors = [float(row[name]) for row in self.rows if row.get(name) is not None]
            if errors:
                metrics[name] = sum(errors) / len(errors)
        return metrics

    @property
    def details(self) -> dict[str, Any]:
        """All runs, and the best one."""
        return {"rows": self.rows, "best": self.rows[0]}


def sweep(config: SweepConfig, folder: Path, *, progress: Progress = silent) -> dict[str, Any]:
    """Train once for each choice of settings; an interrupted sweep is resumed.

    Parameters
    ----------
    config
        Settings of the sweep.
    folder
        Result folder: Optuna's database `sweep.db`, and the folder of each training run under `trials`.
    progress
        Called after each training run.

    Returns
    -------
    Content of `result.json`; `details` holds the table of runs.
    """
    identity = Identity.of(SweepOutcome.kind, config, _check(config))
    if is_finished(folder, identity):
        return read_record(folder)
    started = (folder / DATABASE).is_file()
    with claim(folder, identity, writes=[DATABASE], may_restart=not started) as claimed:
        if claimed.finished:
            return read_record(folder)
        return record_outcome(
            folder, identity, lambda: _run_trials(config, folder, progress), seed=config.seed
        )


def _run_trials(config: SweepConfig, folder: Path, progress: Progress) -> SweepOutcome:
    """Train until all trials are finished, and rank them by the objective."""
    study = open_study(config, folder)
    while (n_finished := len(finished_trials(study))) < config.n_trials:
        trial = study.ask()
        values = _round_integers(config, {name: suggest(trial, name, v) for name, v in config.vary.items()})
        row = values | _train_trial(config, values, folder / "trials" / hash_value(values)[:10])
        finish_trial(study, trial, row, config.objective)
        choice = ", ".join(f"{name} {value}" for name, value in values.items())
        report = f"{choice}: {row.get('failed') or row.get(config.objective)}"
        progress(n_finished + 1, config.n_trials, report)
    rows = [trial.user_attrs["row"] for trial in finished_trials(study)[: config.n_trials]]
    if all(row.get(config.objective) is None for row in rows):
        raise ModelError("No training run of this sweep finished.", why=str(rows[0].get("failed")))
    ranked = sorted(rows, key=lambda row: float(row.get(config.objective) or "inf"))
    return SweepOutcome(config.objective, ranked)


def _check(config: SweepConfig) -> dict[str, str]:
    """Check the settings before anything is trained, and hash the input files."""
    values = {name: v[0] if isinstance(v, list) else v.low for name, v in config.vary.items()}
    train_config = settings_with(config.train, _round_integers(config, values))
    if train_config.n_models > 1:
        raise ConfigError("A committee cannot be swept.", fix="set n_models: 1")
    if train_config.energy_only and config.objective != "valid_energy_mae":
        raise ConfigError(
            "An energy-only training cannot be ranked by this objective.",
            why=f"objective is {config.objective}",
            fix="set objective: valid_energy_mae",
        )
    return load_data(train_config).hashes


def settings_with(base: dict[str, Any], changes: dict[str, Any]) -> TrainConfig:
    """Change settings of a training run.

    Parameters
    ----------
    base
        Settings of the run.
    changes
        Name, with dots for nested settings → value.

    Returns
    -------
    Validated settings of the training run, with the changes in place.
    """
    settings = dict(base)
    for name, value in changes.items():
        *sections, key = name.split(".")
        section = settings
        for section_name in sections:
            section[section_name] = dict(section.get(section_name) or {})
            section = section[section_name]
        section[key] = value
    return TrainConfig.parse(settings, source="sweep")


def _train_trial(config: SweepConfig, values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train once and return the validation errors, or the reason of the failure."""
    try:
        card = train(settings_with(config.train, values), folder)["details"]["cards"][0]
    except FlatforceError as error:
        return {"folder": folder.name, "failed": error.what}
    row = {name: value for name, value in card["valid"].items() if math.isfinite(value)}
    if "fold" in config.vary:  # cross-validation; of other settings the test set must not choose
        row |= {
            f"test_{name}": card["test"]["all"][name] for name in FOLD_ERRORS if name in card["test"]["all"]
        }
    if card["diverged"]:
        row["failed"] = "diverged; the errors are those of the best epoch before"
    return row | {"folder": folder.name, "wall_time": card["wall_time"]}


def _round_integers(config: SweepConfig, values: dict[str, Any]) -> dict[str, Any]:
    """Round numbers from a range if the setting is an integer."""
    ranges = [name for name, choices in config.vary.items() if isinstance(choices, Range)]
    for count in range(len(ranges) + 1):
        for rounded in combinations(ranges, count):
            candidate = values | {name: round(values[name]) for name in rounded}
            with suppress(ConfigError):
                settings_with(config.train, candidate)
                return candidate
    settings_with(config.train, values)  # raises the error that explains the mistake
    return values
