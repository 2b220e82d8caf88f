"""`flatforce defect sites | build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Structure

app = typer.Typer(help="Point defects in supercells.", no_args_is_help=True)


@app.command()
def sites(structure: Structure) -> None:
    """List the symmetry-distinct sites of a sheet."""
    from rich.console import Console
    from rich.table import Table

    from flatforce.data.frames import read_structure
    from flatforce.structures.defects import distinct_sites

    table = Table("site", "species", "side", "equivalent sites")
    for site in distinct_sites(read_structure(structure)):
        table.add_row(str(site.index), site.symbol, site.side, str(site.multiplicity))
    Console().print(table)


@app.command()
def build(
    structure: Structure,
    defect: Annotated[str, typer.Argument(help="v_Se, S_Se:top, W_Se#12, ad_Se@W:top, joined by +.")],
    supercell: Annotated[tuple[int, int], typer.Option("--supercell", "-s", help="n m.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Extended XYZ.")],
) -> None:
    """Put a defect, or a combination of them, into a supercell."""
    from flatforce.core.errors import ResultError
    from flatforce.data.frames import read_structure, write_frames
    from flatforce.structures.defects import build_defect

    if output.exists():
        raise ResultError(f"{output} exists.", fix="choose another name, or delete it")
    made = build_defect(read_structure(structure), supercell, defect)
    made.atoms.info["defect_centre"] = made.centre
    write_frames(output, [made.atoms])
    typer.echo(f"{made.atoms.get_chemical_formula()} written to {output}")
