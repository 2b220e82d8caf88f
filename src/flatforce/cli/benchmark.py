"""`flatforce benchmark relax | compare`."""

from __future__ import annotations

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
from flatforce.cli.tables import show_benchmarks

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
    from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
    from flatforce.studies.benchmark import RelaxationBenchmarkStage

    settings = settings_from(RelaxationBenchmarkConfig, config, align=align)
    session = new_session(model, device)
    record = RelaxationBenchmarkStage(frames, settings, split).run(session, output)
    finish_result("relaxations against DFT", record, output)


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Result folders of `benchmark relax`.")],
    output: Output,
) -> None:
    """Compare the benchmarks of several force fields."""
    from flatforce.studies.benchmark import BenchmarkComparisonStage

    record = BenchmarkComparisonStage(folders).run(new_session(), output)
    show_benchmarks(record, output)
    finish(converged=True, warnings=record["warnings"])
