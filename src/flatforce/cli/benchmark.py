"""`flatforce benchmark relax | compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Device, Frames, Model, Output, Settings, finish, run_stage, settings_from
from flatforce.cli.tables import show, show_benchmarks

app = typer.Typer(
    help="Test force fields on the relaxations of many materials.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command()
def relax(
    model: Model,
    frames: Frames,
    output: Output,
    config: Settings = None,
    split: Annotated[
        Path | None,
        typer.Option(help="split.json of `data split`: only the materials of its test set are relaxed."),
    ] = None,
    align: Annotated[
        str | None, typer.Option(help="Labelled frames to which the reference energies are fitted.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Relax the materials of a set and compare energies and areas with DFT."""
    from flatforce.core.progress import show_progress
    from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
    from flatforce.studies.benchmark import RelaxationBenchmarkStage
    from flatforce.studies.session import Session

    settings = settings_from(RelaxationBenchmarkConfig, config, align=align)
    session = Session(model, device=device, report=show_progress)
    record = run_stage(RelaxationBenchmarkStage(frames, settings, split), session, output)
    show("relaxations against DFT", record["metrics"], record["units"], output)
    finish(converged=record["converged"], warnings=record["warnings"])


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Result folders of `benchmark relax`.")],
    output: Output,
) -> None:
    """Compare the benchmarks of several force fields."""
    from flatforce.core.progress import show_progress
    from flatforce.studies.benchmark import BenchmarkComparisonStage
    from flatforce.studies.session import Session

    record = run_stage(BenchmarkComparisonStage(folders), Session(report=show_progress), output)
    show_benchmarks(record, output)
    finish(converged=True, warnings=record["warnings"])
