"""`flatforce train | finetune | sweep | evaluate`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import (
    Device,
    Frames,
    Model,
    Output,
    Settings,
    finish,
    finish_result,
    new_session,
    settings_from,
)
from flatforce.cli.tables import show, show_coverage, show_rows


def train(
    output: Output,
    config: Settings = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs.")] = None,
    n_models: Annotated[int | None, typer.Option(help="Number of members of a committee.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of the first member.")] = None,
) -> None:
    """Train a force field or a committee; a run that was killed resumes."""
    _train(output, config, epochs=epochs, n_models=n_models, seed=seed)


def finetune(
    model: Model,
    output: Output,
    config: Settings = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Initial learning rate.")] = None,
    n_frames: Annotated[int | None, typer.Option(help="Number of training frames that are used.")] = None,
) -> None:
    """Fine-tune a force field on your own frames: `train` with the setting `start_from`."""
    _train(output, config, start_from=model, epochs=epochs, learning_rate=learning_rate, n_frames=n_frames)


def _train(output: Path, config: Path | None, **options: object) -> None:
    from flatforce.core.progress import show_progress
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.run import train as run
    from flatforce.studies.checks import raise_together
    from flatforce.studies.training_checks import training_problems

    settings = settings_from(TrainConfig, config, **options)
    if not (output / "result.json").is_file():
        raise_together(training_problems(settings), subject="The training")
    with show_progress("train") as progress:
        record = run(settings, output, progress=progress)
    show("errors on the test set", record["metrics"], record["units"], output)
    finish(converged=True, warnings=record["warnings"])
    typer.echo(f"next: flatforce evaluate {shlex.quote(record['details']['spec'])} FRAMES -o evaluate")
    finish(converged=record["converged"], warnings=())


def sweep(
    config: Annotated[
        Path, typer.Argument(help="YAML file with a training run and the settings to vary.", metavar="YAML")
    ],
    output: Output,
) -> None:
    """Train once for each combination of settings; a sweep that was killed resumes."""
    from flatforce.core.progress import show_progress
    from flatforce.models.training.sweep import sweep as run
    from flatforce.models.training.sweep_config import SweepConfig
    from flatforce.studies.checks import raise_together
    from flatforce.studies.training_checks import sweep_problems

    settings = SweepConfig.from_yaml(config)
    if not (output / "result.json").is_file():
        raise_together(sweep_problems(settings), subject="The sweep")
    with show_progress("sweep") as progress:
        record = run(settings, output, progress=progress)
    show_rows(record["details"]["rows"])
    finish_result("best run", record, output)


def evaluate(
    model: Model,
    frames: Frames,
    output: Output,
    split: Annotated[
        Path | None,
        typer.Option(help="split.json of a training: only the frames of its test set are evaluated."),
    ] = None,
    fold: Annotated[
        int | None, typer.Option(help="Fold of the split, from 0, whose frames are evaluated.")
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            help="Labelled frames, or a bundled dataset, that calibrate the uncertainty of a committee: its coverage is reported."
        ),
    ] = None,
    energy_only: Annotated[
        bool, typer.Option("--energy-only", help="Evaluate energies only; the frames need no forces.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Compare the energies, forces and stresses of a force field with DFT labels."""
    from flatforce.studies.evaluation import EvaluateStage

    session = new_session(model, device)
    record = EvaluateStage(frames, split, energy_only, fold, calibrate).run(session, output)
    show_coverage(record)
    finish_result("errors against DFT", record, output)
