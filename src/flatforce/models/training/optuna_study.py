"""The Optuna study of a sweep: opened or resumed, asked for values, told the results."""

from __future__ import annotations

import warnings
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import MissingDependencyError
from flatforce.models.training.sweep_config import Choice, Range, SweepConfig

if TYPE_CHECKING:
    from pathlib import Path

DATABASE: Final = "sweep.db"
"""File of Optuna's database in the result folder."""


def open_study(config: SweepConfig, folder: Path) -> Any:
    """Open the study; trials that were interrupted are repeated.

    Parameters
    ----------
    config
        Settings of the sweep.
    folder
        Result folder, with the database.

    Returns
    -------
    Optuna's `Study`, stored in the folder.

    Raises
    ------
    MissingDependencyError
        If Optuna is not installed.
    """
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
        # a resumed sweep must not repeat the random choices of its first part
        study.sampler = sampler(seed=config.seed + len(study.trials))
        if config.sampler == "grid":
            for values in product(*(v for v in config.vary.values() if isinstance(v, list))):
                study.enqueue_trial(dict(zip(config.vary, values, strict=True)), skip_if_exists=True)
        for trial in study.trials:
            if trial.state.name == "RUNNING":
                values = trial.system_attrs.get("fixed_params") or trial.params
                study.tell(trial.number, state=_state("FAIL"))
                study.enqueue_trial(values, skip_if_exists=False)
    return study


def suggest(trial: Any, name: str, choices: list[Choice] | Range) -> Any:
    """Let a trial choose the value of one setting.

    Parameters
    ----------
    trial
        Optuna's trial.
    name
        Name of the setting.
    choices
        Its values, or their range.

    Returns
    -------
    The value that the trial takes for this setting, one of the choices or a number of the range.
    """
    if isinstance(choices, Range):
        return trial.suggest_float(name, choices.low, choices.high, log=choices.log)
    return trial.suggest_categorical(name, choices)


def finish_trial(study: Any, trial: Any, row: dict[str, Any], objective: str) -> None:
    """Record the result of a trial.

    Parameters
    ----------
    study
        Optuna's study.
    trial
        Optuna's trial.
    row
        Settings and errors of the training run.
    objective
        Name of the error that is minimised; the trial failed if `row` does not have it.
    """
    trial.set_user_attr("row", row)
    error = row.get(objective)
    if error is None:
        study.tell(trial, state=_state("FAIL"))
    else:
        study.tell(trial, error)


def finished_trials(study: Any) -> list[Any]:
    """List the trials that ended, with a model or with an error; interrupted ones have no result.

    Parameters
    ----------
    study
        Optuna's study.

    Returns
    -------
    Optuna's trials, in the order they were started.
    """
    return [trial for trial in study.trials if "row" in trial.user_attrs and trial.state.name != "RUNNING"]


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
