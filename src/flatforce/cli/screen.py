"""`flatforce screen`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Device, Model, Output, Settings, finish, new_session, settings_from
from flatforce.cli.tables import show, show_table


def screen(
    model: Model,
    output: Output,
    structures: Annotated[
        Path | None,
        typer.Argument(
            help="File of sheets, or a folder of files, in any formats that ASE reads; none where the settings name `candidates`."
        ),
    ] = None,
    config: Settings = None,
    references: Annotated[
        Path | None,
        typer.Option(
            help="File of competing phases: the energies of those with labels are taken, the others are relaxed.",
            metavar="FILE",
        ),
    ] = None,
    max_energy_above_hull: Annotated[
        float | None,
        typer.Option(help="Energy above the convex hull up to which sheets are counted, in eV/atom."),
    ] = None,
    max_force: Annotated[
        float | None, typer.Option(help="Largest force on any atom at convergence, in eV/Å.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Relax many unlabelled sheets side by side, and rank them by their energies above the convex hull; a killed run resumes."""
    from flatforce.properties.screening.config import ScreenConfig
    from flatforce.studies.screen import ScreenStage

    settings = settings_from(ScreenConfig, config, max_energy_above_hull=max_energy_above_hull)
    if max_force is not None:
        relax = settings.relax.model_copy(update={"max_force": max_force})
        settings = ScreenConfig.parse(settings.model_dump() | {"relax": relax.model_dump()})
    record = ScreenStage(structures, settings, references).run(new_session(model, device), output)
    _show_best(record["details"]["best"])
    show("screening", record["metrics"], record["units"], output)
    finish(converged=record["converged"], warnings=record["warnings"])


def _show_best(best: list[dict[str, object]]) -> None:
    """Print the first rows of the ranking."""
    units = {
        "rank": "",
        "name": "",
        "energy_above_hull": "eV/atom",
        "formation_energy": "eV/atom",
        "status": "",
    }
    names = {name: unit for name, unit in units.items() if any(row[name] != "" for row in best)}
    rows = [
        tuple(f"{row[name]:.4f}" if isinstance(row[name], float) else str(row[name]) for name in names)
        for row in best
    ]
    heads = [name.replace("_", " ") + (f" ({unit})" if unit else "") for name, unit in names.items()]
    show_table(tuple(heads), rows, title="best sheets", names=2)
