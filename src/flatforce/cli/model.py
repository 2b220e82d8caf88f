"""`flatforce train | finetune | sweep | evaluate | doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import (
    Device,
    Model,
    Output,
    Settings,
    finish,
    settings_from,
    show,
    show_rows,
)


def train(
    output: Output,
    config: Settings = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    n_models: Annotated[int | None, typer.Option(help="Members of a committee.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first member.")] = None,
) -> None:
    """Train a force field or a committee; a killed run goes on where it stopped."""
    _train(output, config, epochs=epochs, n_models=n_models, seed=seed)


def finetune(
    model: Model,
    output: Output,
    config: Settings = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="First step.")] = None,
    n_frames: Annotated[int | None, typer.Option(help="Training frames used.")] = None,
) -> None:
    """Train a force field further on frames of one's own: `train` with `start_from`."""
    given = {"epochs": epochs, "learning_rate": learning_rate, "n_frames": n_frames}
    _train(output, config, start_from=model, **given)


def _train(output: Path, config: Path | None, **given: object) -> None:
    from flatforce.core.progress import reporting
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.run import train as run

    settings = settings_from(TrainConfig, config, **given)
    with reporting("train") as progress:
        result = run(settings, output, progress=progress)
    show("errors on held-out frames", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


def sweep(
    config: Annotated[Path, typer.Argument(help="YAML: a training run and the settings to vary.")],
    output: Output,
) -> None:
    """Train once for each choice of settings; a killed sweep goes on where it stopped."""
    from flatforce.core.progress import reporting
    from flatforce.models.training.sweep import SweepConfig
    from flatforce.models.training.sweep import sweep as run

    with reporting("sweep") as progress:
        result = run(SweepConfig.from_yaml(config), output, progress=progress)
    show_rows(result["details"]["rows"])
    show("best", result["metrics"], result["units"], output)


def evaluate(
    model: Model,
    frames: Annotated[str, typer.Argument(help="Labelled frames: a file or a bundled dataset.")],
    output: Output,
    split: Annotated[Path | None, typer.Option(help="split.json: judge only its test frames.")] = None,
    energy_only: Annotated[bool, typer.Option(help="Frames need no forces.")] = False,
    device: Device = "auto",
) -> None:
    """Compare a force field with DFT labels."""
    from flatforce.core.progress import reporting
    from flatforce.studies import stages

    result = stages.evaluate(
        model, frames, output, split=split, energy_only=energy_only, device=device, report=reporting
    )
    show("errors against DFT", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


def doctor(
    model: Annotated[str | None, typer.Argument(help="Force field to test.")] = None,
    elements: Annotated[str | None, typer.Option(help="Two species for the test sheet: W,Se.")] = None,
) -> None:
    """Say what is installed; test that a force field is right for sheets."""
    from rich.console import Console
    from rich.table import Table

    from flatforce.core.results import versions

    console = Console()
    console.print(", ".join(f"{name} {version}" for name, version in versions().items()))
    if model is None:
        return
    from flatforce.models import load
    from flatforce.testing.checks import check_potential
    from flatforce.testing.zoo import make_test_sheet

    potential = load(model)
    chosen = None if elements is None else tuple(elements.split(","))
    checks = check_potential(potential, make_test_sheet(potential.elements, chosen))
    table = Table("check", "found", "allowed", "")
    for check in checks:
        table.add_row(
            check.name, f"{check.value:.3g}", f"{check.limit:.3g}", "ok" if check.passed else "FAILED"
        )
    console.print(table)
    failed = [check.name for check in checks if not check.passed]
    finish(converged=not failed, warnings=[f"{name}: failed" for name in failed])
