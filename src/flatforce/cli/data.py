"""`flatforce data import | audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Settings, finish, settings_from, show

if TYPE_CHECKING:
    from flatforce.data.importing import Import

app = typer.Typer(help="Frames from any code, audited and curated.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help="Files, or folders that are searched to the bottom.")]
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
    from flatforce.core.errors import ResultError
    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, write_record
    from flatforce.data.frames import write_frames
    from flatforce.data.importing import ImportConfig, import_frames

    if output.exists():
        raise ResultError(f"{output} exists.", fix="choose another name, or delete it")
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
def audit(paths: Paths, mixed: Mixed = True, bulk: Bulk = True) -> None:
    """Say what an import would find, and write nothing."""
    from flatforce.core.progress import reporting
    from flatforce.data.importing import ImportConfig, import_frames

    with reporting("audit") as progress:
        found = import_frames(paths, ImportConfig(mixed=bool(mixed), bulk=bool(bulk)), progress=progress)
    _show(found)
    show("audit", found.metrics, dict.fromkeys(found.metrics, "1"), Path("nowhere"))
    finish(converged=not found.refused, warnings=[])


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
