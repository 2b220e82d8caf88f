"""`flatforce run | demo | report | cite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flatforce.cli.options import Device, finish, finish_all
from flatforce.cli.tables import show_table


def run(
    study: Annotated[
        str,
        typer.Argument(help="YAML file of the study, or a bundled study: demo, demo-quick.", metavar="YAML"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of all results; by default the name of the study.", metavar="DIR"
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Run a whole study: train, evaluate, relax, phonons and defects; a run that was killed resumes."""
    from flatforce.core.progress import show_progress
    from flatforce.studies.config import StudyConfig
    from flatforce.studies.run import run_study, study_path

    path = study_path(study)
    folder = output or Path(path.stem)
    records = run_study(StudyConfig.from_yaml(path), folder, device=device, report=show_progress)
    _show_study(records, folder)
    finish_all(records)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of all results.", metavar="DIR")
    ] = Path("demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Train a less accurate model and use smaller supercells.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Compute the phonons of a Se vacancy in WSe2 from bundled DFT frames, and write an HTML page of the results."""
    run("demo-quick" if quick else "demo", output, device)


def report(
    folder: Annotated[Path, typer.Argument(help="Result folder, or a folder of result folders.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the page; by default FOLDER/report.", metavar="DIR"),
    ] = None,
) -> None:
    """Write an HTML page of result folders, and their figures as PNG and PDF files."""
    from flatforce.core.progress import show_progress
    from flatforce.report.page import write_report

    warnings: list[str] = []
    with show_progress("report") as progress:
        page = write_report(folder, output or folder / "report", progress=progress, warn=warnings.append)
    typer.echo(f"page: {page.resolve()}")
    finish(converged=True, warnings=warnings)


def cite(
    folder: Annotated[Path, typer.Argument(help="Result folder, or a folder of result folders.")],
) -> None:
    """Print the papers to cite as BibTeX: flatforce, the methods, the force field and the DFT code behind the results."""
    from flatforce.report.references.bibliography import to_bibtex
    from flatforce.report.references.citations import references_in

    typer.echo(to_bibtex(references_in(folder)), nl=False)


def _show_study(records: dict[str, dict[str, Any]], folder: Path) -> None:
    from flatforce.report.key_metrics import key_metrics

    rows = []
    for stage, record in records.items():
        metrics, label = record["metrics"], stage
        for name in key_metrics(record):
            value = "–" if metrics[name] is None else f"{metrics[name]:.5g}"
            rows.append((label, name, value, record["units"].get(name, "")))
            label = ""
    show_table(("stage", "quantity", "value", "unit"), rows, title="results", names=2)
    typer.echo(f"page: {(folder / 'report' / 'index.html').resolve()}")
