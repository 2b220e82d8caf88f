"""`flatforce benchmark relax | compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Device, Model, Output, Settings, finish, settings_from, show

app = typer.Typer(help="Force fields on many materials.", no_args_is_help=True)


@app.command()
def relax(
    model: Model,
    frames: Annotated[str, typer.Argument(help="Labelled relaxations: a file or a bundled dataset.")],
    output: Output,
    config: Settings = None,
    split: Annotated[Path | None, typer.Option(help="split.json: judge only its held-out materials.")] = None,
    align: Annotated[
        str | None, typer.Option(help="Labelled frames that the reference energies are fitted to.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Relax the materials of a set; compare energy and area with DFT."""
    from flatforce.core.progress import reporting
    from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
    from flatforce.studies.benchmark_stages import benchmark_relax

    settings = settings_from(RelaxationBenchmarkConfig, config, align=align)
    result = benchmark_relax(model, frames, settings, output, split=split, device=device, report=reporting)
    show("relaxed against DFT", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Result folders of `benchmark relax`.")],
    output: Output,
) -> None:
    """Set benchmarks of several force fields side by side."""
    from flatforce.cli.options import show_models
    from flatforce.studies.benchmark_stages import compare_benchmarks

    result = compare_benchmarks(folders, output)
    show_models(result, output)
    finish(converged=True, warnings=result["warnings"])
