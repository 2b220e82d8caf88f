"""`flatforce defect sites | build | phonons`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flatforce.cli.options import (
    Device,
    Model,
    Output,
    Settings,
    Structure,
    finish,
    input_hashes,
    plain,
    settings_from,
    show,
)

if TYPE_CHECKING:
    from flatforce.models import Potential
    from flatforce.properties.phonons.defect import DefectPhononConfig

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


@app.command()
def phonons(
    model: Model,
    structure: Structure,
    defect: Annotated[str, typer.Argument(help="As in `defect build`.")],
    output: Output,
    size: Annotated[
        list[int] | None, typer.Option("--size", "-n", help="n of an n × n supercell; repeat.")
    ] = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Relax a defect and compare its phonons with the pristine sheet, for one supercell size or several."""
    from flatforce.models import load
    from flatforce.properties.phonons.defect import DefectPhononConfig

    potential = load(model, device=device)
    converged, said = True, []
    given_sizes = [(n, n) for n in size] if size else [None]
    for given in given_sizes:
        settings = settings_from(DefectPhononConfig, config, supercell=given)
        folder = output / f"{settings.supercell[0]}x{settings.supercell[1]}"
        result = _one_size(potential, model, structure, defect, settings, folder)
        show(f"{defect} {folder.name}", result["metrics"], result["units"], folder)
        _show_modes(result["details"]["modes"])
        converged &= result["converged"]
        said += [f"{folder.name}: {text}" for text in result["warnings"]]
    finish(converged=converged, warnings=said)


def _one_size(
    potential: Potential,
    model: str,
    structure: Path,
    defect: str,
    settings: DefectPhononConfig,
    folder: Path,
) -> dict[str, Any]:
    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, claim_folder, read_record, write_record
    from flatforce.data.frames import read_structure, write_frames
    from flatforce.models.potential import padded
    from flatforce.properties.phonons.defect import defect_phonons

    stage = plain(settings) | {"defect": defect}
    inputs = input_hashes(model, structure)
    atoms = read_structure(structure)
    potential.check([atoms])
    if claim_folder(folder, stage, inputs):
        with reporting(f"defect phonons {folder.name}") as progress:
            found = defect_phonons(
                potential,
                padded(atoms, potential.cutoff),
                defect,
                settings,
                scratch=folder / "forces",
                progress=progress,
            )
        said = [] if found.stable else [f"imaginary modes down to {found.metrics['min_frequency']:.3f} THz"]
        said += [] if found.relaxation_converged else ["the relaxation did not converge"]
        details = {
            "modes": [mode.plain() for mode in found.modes],
            "point_group": found.point_group,
            "centre": found.cell.centre.tolist(),
        }
        write_frames(folder / "relaxed.extxyz", [found.relaxed])
        record = Record("defect phonons", stage, found.metrics, found.units, inputs, not said, said, details)
        write_record(folder, record, found.arrays())
    return read_record(folder)


def _show_modes(modes: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("THz", "degeneracy", "atoms taking part", "weight by shell", "outside bands")
    for mode in modes:
        shells = " ".join(f"{weight:.2f}" for weight in mode["shells"])
        outside = "yes" if mode["outside_bands"] else ""
        table.add_row(
            f"{mode['frequency']:.3f}",
            str(mode["degeneracy"]),
            f"{mode['participating']:.1f}",
            shells,
            outside,
        )
    Console().print(table)
