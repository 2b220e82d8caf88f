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
from flatforce.cli.tables import show_comparison

app = typer.Typer(
    help="Test force fields on the relaxations of many materials, and compare force fields.",
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
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Result folders of several force fields: all of `evaluate`, all of `benchmark relax`, or all of `phonons`."
        ),
    ],
    output: Output,
) -> None:
    """Compare several force fields: one table, and a page with their figures drawn over one another."""
    from flatforce.report.update import update_report
    from flatforce.studies.compare import comparison_of

    record = comparison_of(folders).run(new_session(), output)
    show_comparison(record, output)
    typer.echo(f"page: {update_report(output, output / 'report').resolve()}")
    finish(converged=True, warnings=record["warnings"])
