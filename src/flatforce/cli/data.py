"""`flatforce data import | audit | curate | split | stats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Output, Settings, finish, refuse_existing, settings_from, show

if TYPE_CHECKING:
    from flatforce.data.importing import Import

app = typer.Typer(help="Frames from any code, audited and curated.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help="Files, or folders that are searched to the bottom.")]
Frames = Annotated[str, typer.Argument(help="Labelled frames: a file or a bundled dataset.")]
Mixed = Annotated[bool | None, typer.Option("--mixed", help="Take frames of different DFT settings.")]
Bulk = Annotated[bool | None, typer.Option("--bulk", help="Take structures that are no sheets.")]


@app.command("import")
def import_(
    paths: Paths,
    output: Annotated[Path, typer.Option("--output", "-o", help="Frames, extended XYZ.")],
    config: Settings = None,
    mixed: Mixed = None,
    bulk: Bulk = None,
    remove_pulay: Annotated[
        bool | None, typer.Option("--remove-pulay", help="Subtract the Pulay stress measured on the frames.")
    ] = None,
) -> None:
    """Read VASP, GPAW, Quantum ESPRESSO, ASE, CASM and extended-XYZ files; audit every label; write frames."""
    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, write_record
    from flatforce.data.frames import write_frames
    from flatforce.data.importing import ImportConfig, import_frames

    refuse_existing(output)
    settings = settings_from(ImportConfig, config, mixed=mixed, bulk=bulk, remove_pulay=remove_pulay)
    with reporting("import") as progress:
        found = import_frames(paths, settings, progress=progress)
    write_frames(output, found.frames)
    units = dict.fromkeys(found.metrics, "1")
    refused = [{"source": one.source, "step": one.step, "reason": one.reason} for one in found.refused]
    record = Record(
        "import", settings.model_dump(mode="json"), found.metrics, units, details={"refused": refused}
    )
    write_record(output.with_suffix(".import"), record)
    _show(found)
    show("import", found.metrics, units, output)


@app.command()
def audit(paths: Paths) -> None:
    """Say what an import would find, and write nothing."""
    from flatforce.core.progress import reporting
    from flatforce.data.importing import ImportConfig, import_frames

    with reporting("audit") as progress:
        found = import_frames(paths, ImportConfig(mixed=True, bulk=False), progress=progress)
    _show(found)
    finish(converged=not found.refused, warnings=found.conflicts)


@app.command()
def curate(
    frames: Frames,
    output: Annotated[Path, typer.Option("--output", "-o", help="Frames, extended XYZ.")],
    config: Settings = None,
    e_cut: Annotated[float | None, typer.Option(help="eV/atom between steps that are kept.")] = None,
    keep: Annotated[int | None, typer.Option(help="Frames left by farthest-point sampling.")] = None,
) -> None:
    """Leave out outliers, steps that hardly differ, near copies, and what farthest-point sampling can spare."""
    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, write_record
    from flatforce.data.bundled import dataset_path
    from flatforce.data.curation.run import CurationConfig
    from flatforce.data.curation.run import curate as run
    from flatforce.data.frames import read_labelled, write_frames

    refuse_existing(output)
    settings = settings_from(CurationConfig, config, e_cut=e_cut, keep=keep)
    with reporting("curate") as progress:
        found = run(read_labelled(dataset_path(frames)), settings, progress=progress)
    write_frames(output, found.frames)
    units = dict.fromkeys(found.metrics, "frames")
    removed = {rule: dict(reasons) for rule, reasons in found.removed.items()}
    plain = settings.model_dump(mode="json")
    write_record(
        output.with_suffix(".curation"),
        Record("curation", plain, found.metrics, units, details={"removed": removed}),
    )
    show("curation", found.metrics, units, output)
    for rule, reasons in removed.items():
        for reason, count in reasons.items():
            typer.echo(f"{rule}: {count} × {reason}")


@app.command()
def split(
    frames: Frames,
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON of content hashes.")],
    config: Settings = None,
    folds: Annotated[int | None, typer.Option(help="k of a k-fold split.")] = None,
    leave_out: Annotated[str | None, typer.Option(help="Element whose materials are held out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the order among equals.")] = None,
) -> None:
    """Part frames by material: no material and no near copy on two sides."""
    import json

    from flatforce.core.files import write_text
    from flatforce.data.bundled import dataset_path
    from flatforce.data.frames import read_labelled
    from flatforce.data.material_splits import SplitConfig, split_by_material

    refuse_existing(output)
    settings = settings_from(SplitConfig, config, folds=folds, leave_out=leave_out, seed=seed)
    found = split_by_material(read_labelled(dataset_path(frames)), settings)
    write_text(output, json.dumps(found, indent=1) + "\n")
    sizes = {name: float(len(hashes)) for name, hashes in found["parts"].items()}
    show(f"split {found['hash']}", sizes, dict.fromkeys(sizes, "frames"), output)


@app.command()
def stats(
    frames: Frames,
    output: Output,
    mapped: Annotated[bool, typer.Option("--map/--no-map", help="Map of environments by SOAP.")] = True,
) -> None:
    """Count elements and space groups, show how labels are distributed, and write a page."""
    from flatforce.core.progress import reporting
    from flatforce.report.page import write_report
    from flatforce.studies import stages

    result = stages.statistics(frames, output, mapped=mapped, report=reporting)
    show("dataset", result["metrics"], result["units"], output)
    typer.echo(f"page: {write_report(output, output / 'report').resolve()}")


def _show(found: Import) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("file", "kind", "frames", "refused", "stress", "Pulay (eV/Å³)", "note")
    for one in found.files:
        verdict = one.verdict
        if verdict is None or verdict.n_frames == 0:
            stress, pulay = "", ""
        else:
            stress = "verified" if verdict.verified else "not verifiable"
            pulay = f"{verdict.pulay:.5f} ± {verdict.spread:.5f}"
        table.add_row(
            one.source, one.kind, str(one.n_frames), str(one.n_refused), stress, pulay, "; ".join(one.notes)
        )
    console = Console()
    console.print(table)
    for reason, count in found.reasons.most_common():
        console.print(f"refused {count}: {reason}", highlight=False)
