"""`flatforce defect sites | build | phonons | strain | unfold | optimum | lineshape`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import (
    Device,
    Model,
    Output,
    Settings,
    SeveralValues,
    Structure,
    finish,
    refuse_existing,
    settings_from,
    show,
    show_modes,
)

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
    from flatforce.data.frames import read_structure, write_frames
    from flatforce.structures.defects import build_defect

    refuse_existing(output)
    made = build_defect(read_structure(structure), supercell, defect)
    made.atoms.info["defect_centre"] = made.centre
    write_frames(output, [made.atoms])
    typer.echo(f"{made.atoms.get_chemical_formula()} written to {output}")


@app.command(cls=SeveralValues)
def phonons(
    model: Model,
    structure: Structure,
    defect: Annotated[str, typer.Argument(help="As in `defect build`.")],
    output: Output,
    size: Annotated[
        list[int] | None,
        typer.Option("--sizes", "--size", "-n", help="n of n × n supercells, in a row or repeated."),
    ] = None,
    embed: Annotated[
        int | None, typer.Option(help="n of an n × n supercell to embed the largest relaxed cell in.")
    ] = None,
    dilute: Annotated[
        bool, typer.Option("--dilute", help="The limit of an infinite sheet, from the embedding.")
    ] = False,
    committee: Annotated[
        bool, typer.Option("--committee", help="Error bars: the smallest size by each member of MODEL alone.")
    ] = False,
    calibrate: Annotated[
        str | None, typer.Option(help="Labelled frames that scale the error bars, or a bundled dataset.")
    ] = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Relax a defect and compare its phonons with the pristine sheet, for one supercell size or several."""
    from flatforce.core.errors import ConfigError
    from flatforce.core.progress import reporting
    from flatforce.models.spec import committee_members
    from flatforce.properties.phonons.config import DefectPhononConfig
    from flatforce.properties.phonons.config import DiluteConfig
    from flatforce.properties.phonons.config import EmbedConfig
    from flatforce.studies import committee_stages, defect_stages

    if calibrate is not None and not committee:
        raise ConfigError("Only error bars can be calibrated.", fix="add --committee")
    if committee and len(committee_members(model)) < 2:
        raise ConfigError(f"{model} is no committee.", fix="write committee:a.model,b.model,c.model")
    sizes = [(n, n) for n in sorted(size)] if size else [None]
    configs = [settings_from(DefectPhononConfig, config, supercell=given) for given in sizes]
    found = defect_stages.defect_sizes(
        model,
        structure,
        defect,
        configs,
        output,
        embedding=None
        if embed is None and not dilute
        else EmbedConfig.parse({} if embed is None else {"size": embed}, source="--embed"),
        dilution=DiluteConfig() if dilute else None,
        device=device,
        report=reporting,
    )
    if committee:
        found |= committee_stages.defect_committee(
            model,
            structure,
            defect,
            configs[0],
            output,
            frames=calibrate,
            device=device,
            report=reporting,
        )
    for name, result in found.items():
        show(f"{defect} {name}", result["metrics"], result["units"], output / name)
        if result["kind"] == "defect phonons":
            show_modes(result)
    finish(
        converged=all(result["converged"] for result in found.values()),
        warnings=[f"{name}: {text}" for name, result in found.items() for text in result["warnings"]],
    )


@app.command(cls=SeveralValues)
def strain(
    model: Model,
    structure: Structure,
    defect: Annotated[str, typer.Argument(help="As in `defect build`.")],
    output: Output,
    strains: Annotated[
        list[float], typer.Option("--strain", help="0.01 is one per cent; in a row or repeated.")
    ],
    kind: Annotated[str, typer.Option(help="biaxial, x or y.")] = "biaxial",
    size: Annotated[int | None, typer.Option("--size", "-n", help="n of the n × n supercell.")] = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Phonons of a defect in a strained sheet, strain by strain."""
    from flatforce.core.errors import ConfigError
    from flatforce.core.progress import reporting
    from flatforce.properties.phonons.config import DefectPhononConfig
    from flatforce.studies.strain_stages import COMPONENTS, strain_series

    if kind not in COMPONENTS:
        raise ConfigError(f"There is no strain {kind!r}.", fix=f"choose one of {', '.join(COMPONENTS)}")
    settings = settings_from(DefectPhononConfig, config, supercell=None if size is None else (size, size))
    found = strain_series(
        model,
        structure,
        defect,
        strains,
        settings,
        output,
        kind=kind,  # type: ignore[arg-type]  # one of the names
        device=device,
        report=reporting,
    )
    show(f"{defect} under strain", found["strain"]["metrics"], found["strain"]["units"], output / "strain")
    finish(
        converged=all(result["converged"] for result in found.values()),
        warnings=[f"{name}: {text}" for name, result in found.items() for text in result["warnings"]],
    )


@app.command()
def optimum(
    model: Model,
    structure: Structure,
    defect: Annotated[str, typer.Argument(help="As in `defect build`.")],
    output: Output,
    aim: Annotated[str | None, typer.Option(help="minimum, maximum, everywhere or random.")] = None,
    evaluations: Annotated[int | None, typer.Option(help="Strains that are tried.")] = None,
    size: Annotated[int | None, typer.Option("--size", "-n", help="n of the n × n supercell.")] = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Bayesian optimisation of the in-plane strain at which a defect costs least or most."""
    from flatforce.core.progress import reporting
    from flatforce.active.optimum_config import OptimumConfig
    from flatforce.studies.optimum_stages import defect_optimum

    settings = settings_from(OptimumConfig, config, supercell=None if size is None else (size, size))
    given = {key: value for key, value in (("aim", aim), ("evaluations", evaluations)) if value is not None}
    plain = settings.model_dump(mode="json")
    settings = OptimumConfig.parse(plain | {"search": plain["search"] | given})
    result = defect_optimum(model, structure, defect, settings, output, device=device, report=reporting)
    show(f"{defect} under strain", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def lineshape(
    embedded: Annotated[Path, typer.Argument(help="Result folder of `defect phonons --embed`.")],
    forces: Annotated[
        Path, typer.Argument(help="The relaxed cell, with forces of the excited less the ground state.")
    ],
    output: Output,
    config: Settings = None,
    temperature: Annotated[float | None, typer.Option(help="K.")] = None,
) -> None:
    """Huang–Rhys factors and the emission line shape of a transition at the defect."""
    from flatforce.properties.phonons.config import LineShapeConfig
    from flatforce.studies.embedded_stages import line_shape

    settings = settings_from(LineShapeConfig, config, temperature=temperature)
    result = line_shape(embedded, forces, settings, output)
    show("line shape", result["metrics"], result["units"], output)


@app.command()
def unfold(
    embedded: Annotated[Path, typer.Argument(help="Result folder of `defect phonons --embed`.")],
    output: Output,
    config: Settings = None,
) -> None:
    """Spectral function of the defect along the path of the primitive cell."""
    from flatforce.core.progress import reporting
    from flatforce.properties.phonons.config import UnfoldConfig
    from flatforce.studies.embedded_stages import unfold as run

    result = run(embedded, settings_from(UnfoldConfig, config), output, report=reporting)
    show("unfolded bands", result["metrics"], result["units"], output)
