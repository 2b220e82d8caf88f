"""`flatforce run | demo | report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flatforce.cli.options import Device, finish

STAGE_METRICS = {
    "train": ["energy_mae", "force_mae"],
    "evaluate": ["energy_mae", "force_mae", "stress_mae"],
    "relax": ["a", "max_force"],
    "phonons": ["min_frequency", "max_frequency", "za_exponent"],
    "defect phonons": ["n_atoms", "min_frequency", "removed_states", "n_localised_modes"],
}
"""Numbers of each kind of result that the closing table shows; all of any other kind."""


def run(
    study: Annotated[str, typer.Argument(help="YAML file, or a bundled study: demo, demo-quick.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the results; the study's name if not given."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Run a whole study; a killed run goes on where it stopped."""
    from flatforce.core.progress import reporting
    from flatforce.studies.config import StudyConfig
    from flatforce.studies.run import run_study, study_path

    path = study_path(study)
    folder = output or Path(path.stem)
    done = run_study(StudyConfig.from_yaml(path), folder, device=device, report=reporting)
    _show_study(done, folder)
    finish(
        converged=all(result["converged"] for result in done.values()),
        warnings=[f"{name}: {text}" for name, result in done.items() for text in result["warnings"]],
    )


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")] = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="A coarser model and smaller cells.")] = False,
    device: Device = "auto",
) -> None:
    """WSe2 from DFT frames to the phonons of a selenium vacancy, with a page to look at."""
    run("demo-quick" if quick else "demo", output, device)


def report(
    folder: Annotated[Path, typer.Argument(help="A result folder, or a folder of them.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the page; FOLDER/report if not given.")
    ] = None,
) -> None:
    """Write one HTML page of result folders, and their figures as PNG and PDF."""
    from flatforce.core.progress import reporting
    from flatforce.report.page import write_report

    with reporting("report") as progress:
        page = write_report(folder, output or folder / "report", progress=progress)
    typer.echo(f"page: {page.resolve()}")


def _show_study(done: dict[str, dict[str, Any]], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", "quantity", "value", "unit", title="results")
    for stage, result in done.items():
        names = STAGE_METRICS.get(result["kind"], list(result["metrics"]))
        for k, name in enumerate(name for name in names if name in result["metrics"]):
            value, unit = result["metrics"][name], result["units"].get(name, "")
            table.add_row("" if k else stage, name, "–" if value is None else f"{value:.5g}", unit)
    Console().print(table)
    typer.echo(f"page: {(folder / 'report' / 'index.html').resolve()}")
