"""`flatforce data import | audit | curate | split | stats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import (
    Frames,
    Output,
    OutputFrames,
    Settings,
    finish,
    new_session,
    refuse_existing,
    settings_from,
)
from flatforce.cli.tables import show, show_table

if TYPE_CHECKING:
    from flatforce.data.import_result import Import

UP_TO_DATE = "{output} is up to date: it was made with the same settings from the same inputs"
"""Message of a command that finds its own result."""

app = typer.Typer(
    help="Import, audit, curate, split and describe labelled frames.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Paths = Annotated[
    list[Path], typer.Argument(help="Files, or folders that are searched with all their subfolders.")
]


@app.command("import")
def import_(
    paths: Paths,
    output: OutputFrames,
    config: Settings = None,
    mixed: Annotated[
        bool | None, typer.Option("--mixed", help="Accept frames of different DFT settings in one file.")
    ] = None,
    bulk: Annotated[
        bool | None, typer.Option("--bulk", help="Accept structures that are not sheets.")
    ] = None,
    remove_pulay: Annotated[
        bool | None,
        typer.Option("--remove-pulay", help="Subtract the Pulay stress that is measured on the frames."),
    ] = None,
) -> None:
    """Read VASP, GPAW, Quantum ESPRESSO, ASE, CASM and extended-XYZ files, audit every label, and write frames."""
    from flatforce.core.progress import show_progress
    from flatforce.data.config import ImportConfig
    from flatforce.studies.frame_sets import import_to

    settings = settings_from(ImportConfig, config, mixed=mixed, bulk=bulk, remove_pulay=remove_pulay)
    with show_progress("import") as progress:
        record, result = import_to(output, paths, settings, progress=progress)
    if result is None:
        typer.echo(UP_TO_DATE.format(output=output))
    else:
        _show_files(result)
    show("import", record["metrics"], record["units"], output)


@app.command()
def audit(paths: Paths) -> None:
    """Report what an import would accept and refuse; nothing is written."""
    from flatforce.core.progress import show_progress
    from flatforce.data.config import ImportConfig
    from flatforce.data.importing import import_frames

    with show_progress("audit") as progress:
        result = import_frames(paths, ImportConfig(mixed=True, bulk=False), progress=progress)
    _show_files(result)
    finish(converged=not result.refused, warnings=result.conflicts)


@app.command()
def curate(
    frames: Frames,
    output: OutputFrames,
    config: Settings = None,
    min_energy_step: Annotated[
        float | None,
        typer.Option(
            help="Smallest energy difference, in eV/atom, between steps of a relaxation that are kept (e_cut in "
            "the literature)."
        ),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(help="Number of frames that farthest-point sampling selects at the end.")
    ] = None,
) -> None:
    """Remove outliers, relaxation steps that hardly differ, near-duplicates, and frames that add little diversity."""
    from flatforce.core.progress import show_progress
    from flatforce.data.config import CurationConfig
    from flatforce.studies.frame_sets import curate_to

    settings = settings_from(CurationConfig, config, min_energy_step=min_energy_step, keep=keep)
    with show_progress("curate") as progress:
        record, result = curate_to(output, frames, settings, progress=progress)
    if result is None:
        typer.echo(UP_TO_DATE.format(output=output))
    show("curation", record["metrics"], record["units"], output)
    for rule, reasons in record["details"]["removed"].items():
        for reason, count in reasons.items():
            typer.echo(f"{rule}: {count} × {reason}")
    finish(converged=True, warnings=record["warnings"])


@app.command()
def split(
    frames: Frames,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="JSON file with the content hashes of each subset.", metavar="FILE"
        ),
    ],
    config: Settings = None,
    folds: Annotated[int | None, typer.Option(help="Number of subsets of a k-fold split.")] = None,
    leave_out: Annotated[
        str | None, typer.Option(help="Element whose materials all go to the test set.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of the assignment.")] = None,
) -> None:
    """Split frames by material, or else by trajectory or frame, into training, validation and test set, without near-duplicates across subsets."""
    import json

    from flatforce.core.files import write_text
    from flatforce.data.bundled import dataset_path
    from flatforce.data.config import SplitConfig
    from flatforce.data.frame_files import read_sheets
    from flatforce.data.material_splits import split_by_material

    settings = settings_from(SplitConfig, config, folds=folds, leave_out=leave_out, seed=seed)
    content = split_by_material(read_sheets(dataset_path(frames)), settings)
    text = json.dumps(content, indent=1) + "\n"
    if output.is_file() and output.read_bytes() == text.encode():
        typer.echo(UP_TO_DATE.format(output=output))
    else:
        refuse_existing(output)
        write_text(output, text)
    counts = {name: float(len(hashes)) for name, hashes in content["subsets"].items()}
    show(f"split {content['hash']} by {content['by']}", counts, dict.fromkeys(counts, "frames"), output)
    if content["by"] != "material":
        warning = (
            f"there are too few materials for the subsets: each {content['by']} is in one of them instead"
        )
        finish(converged=True, warnings=[warning])


@app.command()
def stats(
    frames: Frames,
    output: Output,
    mapped: Annotated[
        bool, typer.Option("--map/--no-map", help="Whether atomic environments are mapped by SOAP and PCA.")
    ] = True,
) -> None:
    """Count elements and space groups, plot the distribution of labels, and write an HTML page."""
    from flatforce.report.update import update_report
    from flatforce.studies.evaluation import StatisticsStage

    record = StatisticsStage(frames, mapped).run(new_session(), output)
    show("dataset", record["metrics"], record["units"], output)
    typer.echo(f"page: {update_report(output, output / 'report').resolve()}")


def _show_files(result: Import) -> None:
    rows = []
    for source in result.sources:
        check = source.stress_check
        stress, pulay = "", ""
        if check is not None and check.n_frames > 0:
            stress = f"{check.n_verified} of {check.n_frames} verified"
            pulay = f"{check.pulay:.5f} ± {check.pulay_deviation:.5f}"
        counts = (str(source.n_frames), str(source.n_refused))
        rows.append((source.source, source.kind, *counts, stress, pulay, "; ".join(source.notes)))
    header = ("file", "format", "frames", "refused", "stress", "Pulay stress (eV/Å³)", "notes")
    show_table(header, rows)
    for reason, count in result.reasons.most_common():
        typer.echo(f"refused {count}: {reason}")
    for note in result.notes:
        typer.echo(f"note: {note}")
