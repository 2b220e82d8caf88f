"""`flatforce export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Output, Settings, finish_result, new_session, settings_from
from flatforce.properties.export.config import Target


def export(
    source: Annotated[
        str,
        typer.Argument(
            help="MACE model: its file, or a bundled one such as mace:wse2-pbe. For phonopy, the folder of a result with phonons.",
            metavar="MODEL|FOLDER",
        ),
    ],
    to: Annotated[Target, typer.Option(help="Program that reads the export.")],
    output: Output,
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="File of the sheet on which the exported model is compared with flatforce, and which LAMMPS's input file runs.",
            metavar="STRUCTURE",
        ),
    ] = None,
    config: Settings = None,
) -> None:
    """Write a force field, or force constants, for another program, and compare both on your sheet.

    `lammps`: a file for `pair_style mliap unified`, with input file and structure. `symmetrix`: JSON for its pair style of LAMMPS.
    `ase`: a Python module that needs only ASE and mace-torch. `phonopy`: force constants for phonopy, Euphonic and others.
    """
    from flatforce.properties.export.config import ExportConfig
    from flatforce.studies.export import export_stage, mace_spec

    settings = settings_from(ExportConfig, config)
    stage = export_stage(source, to, settings, sheet=sheet)
    session = new_session(mace_spec(source) if stage.needs_model else None, "cpu")
    finish_result(f"export to {to}", stage.run(session, output), output)
