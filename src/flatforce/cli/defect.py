"""`flatforce defect sites | build | phonons | energy | strain | hops | optimum | lineshape | unfold`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flatforce.cli.options import (
    Defect,
    Device,
    Model,
    Output,
    OutputFrames,
    Settings,
    SeveralValues,
    Structure,
    Supercell,
    finish,
    finish_all,
    new_session,
    refuse_existing,
    settings_from,
)
from flatforce.cli.tables import show, show_modes, show_table

LARGE_SUPERCELL = 1_000_000
"""Number of atoms from which the time that a supercell takes is estimated."""

SECONDS_PER_ATOM = 5e-5
"""s to build and write a supercell: measured with 120,000 atoms on one core."""

app = typer.Typer(
    help="Build point defects and compute their phonons.", no_args_is_help=True, rich_markup_mode="markdown"
)


@app.command()
def sites(
    structure: Structure,
    supercell: Supercell = None,
) -> None:
    """List the sites of a supercell, with the numbers that the notation of a defect takes (v_Se#12).

    Sites of one class are equal by symmetry. The last column names the vacancies without a number that take the
    site. Without -s the sites of the primitive cell are listed.
    """
    from flatforce.data.frame_files import read_sheet
    from flatforce.structures.defect_sites import numbered_sites

    repeats = supercell or (1, 1)
    rows = [
        [
            f"#{site.index}",
            site.symbol,
            site.side,
            f"{site.fractional[0]:.4f} {site.fractional[1]:.4f}",
            f"{site.position[0]:.3f} {site.position[1]:.3f}",
            f"{site.centre_distance:.3f}",
            str(site.site_class),
            ", ".join(site.default_for),
        ]
        for site in numbered_sites(read_sheet(structure), repeats)
    ]
    header = ["site", "species", "side", "fractional", "x y (Å)", "to centre (Å)", "class", "taken by"]
    show_table(header, rows, title=f"sites of the {repeats[0]} × {repeats[1]} supercell", names=2)


@app.command()
def build(
    structure: Structure,
    defect: Annotated[str, typer.Argument(help="Notation of the defect, as described above.")],
    supercell: Annotated[
        tuple[int, int],
        typer.Option(
            "--supercell",
            "-s",
            help="Numbers n and m of the n × m supercell, in primitive cells.",
            metavar="N M",
        ),
    ],
    output: OutputFrames,
) -> None:
    """Put a defect, or a complex of defects, into a supercell.

    Notation: v_Se is a Se vacancy (also vac_Se, V_Se, VSe, Vac(Se)); Mo@W is Mo on a W site, and W@Se an antisite
    (also Mo_W, W_Se); V@Se is vanadium on a Se site; ad_Se@W is a Se adatom on W. Each may end in :top, :middle or
    :bottom (side of the sheet) and then in #12 (site number, see `flatforce defect sites`).

    A complex joins parts by +: in v_Se:top+v_Se:bottom~1, ~1 puts the second part at the nearest of the distinct
    positions beside the first, ~2 at the next. Without ~ or #, the distinct arrangements are listed and nothing is
    built. More: docs/defects.md.
    """
    from flatforce.data.frame_files import read_sheet, write_frames
    from flatforce.structures.defect_notation import canonical_name
    from flatforce.structures.defects import build_defect

    refuse_existing(output)
    primitive = read_sheet(structure)
    n_atoms = len(primitive) * supercell[0] * supercell[1]
    if n_atoms > LARGE_SUPERCELL:
        typer.echo(f"{n_atoms:,} atoms: about {n_atoms * SECONDS_PER_ATOM / 60:.0f} min", err=True)
    cell = build_defect(primitive, supercell, canonical_name(defect, species=set(primitive.symbols)))
    cell.atoms.info["defect_centre"] = cell.centre
    write_frames(output, [cell.atoms])
    typer.echo(f"{cell.name}: {cell.description}")
    typer.echo(f"{cell.atoms.get_chemical_formula()} written to {output}")


@app.command(cls=SeveralValues)
def phonons(
    model: Model,
    structure: Structure,
    defect: Defect,
    output: Output,
    supercell: Supercell = None,
    sizes: Annotated[
        list[int] | None,
        typer.Option(
            "--sizes", help="Several n of n × n supercells that are compared: --sizes 6 9 12.", metavar="N …"
        ),
    ] = None,
    embed: Annotated[
        int | None,
        typer.Option(
            help="The n of an n × n supercell in which the largest relaxed cell is embedded.", metavar="N"
        ),
    ] = None,
    dilute: Annotated[
        bool, typer.Option("--dilute", help="Compute the limit of an infinite sheet from the embedding.")
    ] = False,
    committee: Annotated[
        bool,
        typer.Option(
            "--committee",
            help="Compute error bars: every member of the committee MODEL, in the smallest supercell.",
        ),
    ] = False,
    calibrate: Annotated[
        str | None,
        typer.Option(help="Labelled frames, or a bundled dataset, on which the error bars are calibrated."),
    ] = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Relax a defect and compare its phonons with those of the pristine sheet, in one supercell or in several."""
    from flatforce.core.errors import ConfigError
    from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig
    from flatforce.studies.checks import raise_together
    from flatforce.studies.committee import committee_problems, defect_committee
    from flatforce.studies.defect import DefectPhononStage
    from flatforce.studies.defect_series import DefectSeries

    if calibrate is not None and not committee:
        raise ConfigError("Only error bars can be calibrated.", fix="add --committee")
    if supercell is not None and sizes:
        raise ConfigError(
            "--supercell and --sizes are both given.",
            fix="give -s N M for one supercell, --sizes N N … for several",
        )
    supercells = [(n, n) for n in sorted(set(sizes))] if sizes else [supercell]
    configs = [settings_from(DefectPhononConfig, config, supercell=repeats) for repeats in supercells]
    session = new_session(model, device)
    name = session.defect_name(structure, defect)
    embedding = None
    if embed is not None or dilute:
        embedding = EmbedConfig.parse(
            {} if embed is None else {"supercell": [embed, embed]}, source="--embed"
        )
    series = DefectSeries(structure, name, configs, embedding, DiluteConfig() if dilute else None)
    if committee:
        stage = DefectPhononStage(structure, name, configs[0])
        errors = [
            *series.problems(session, output),
            *committee_problems(session, stage, output, frames=calibrate),
        ]
        raise_together(errors, subject=f"The phonons of {name}")
    records = series.run(session, output)
    if committee:
        records |= defect_committee(session, structure, name, configs[0], output, frames=calibrate)
    for folder, record in records.items():
        show(f"{name} {folder}", record["metrics"], record["units"], output / folder)
        if record["kind"] == "defect phonons":
            show_modes(record)
    finish_all(records)


@app.command(cls=SeveralValues)
def strain(
    model: Model,
    structure: Structure,
    defect: Defect,
    output: Output,
    strains: Annotated[
        list[float],
        typer.Option(
            "--strain", help="Strains, 0.01 is one per cent: --strain -0.01 0 0.01.", metavar="STRAIN …"
        ),
    ],
    kind: Annotated[str, typer.Option(help="Strained lengths: biaxial, x or y.")] = "biaxial",
    supercell: Supercell = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Compute the phonons of a defect at several strains of the sheet."""
    from flatforce.core.errors import ConfigError
    from flatforce.properties.phonons.config import DefectPhononConfig
    from flatforce.studies.strain import COMPONENTS, StrainSeriesRun

    if kind not in COMPONENTS:
        raise ConfigError(
            f"There is no strain {kind!r}.", fix=f"choose --kind {' or --kind '.join(COMPONENTS)}"
        )
    settings = settings_from(DefectPhononConfig, config, supercell=supercell)
    session = new_session(model, device)
    name = session.defect_name(structure, defect)
    series = StrainSeriesRun(structure, name, settings, strains, kind)  # type: ignore[arg-type]  # checked above
    records = series.run(session, output)
    comparison = records["strain"]
    show(f"{name} under strain", comparison["metrics"], comparison["units"], output / "strain")
    finish_all(records)


@app.command(cls=SeveralValues)
def energy(
    model: Model,
    structure: Structure,
    defects: Annotated[
        list[str], typer.Argument(help="Notations of the defects, such as v_Se:top v_W v_Se:top+v_Se:top.")
    ],
    output: Output,
    sizes: Annotated[
        list[int] | None,
        typer.Option(help="Sizes n of the n × n supercells; two or more are extrapolated."),
    ] = None,
    config: Settings = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of `flatforce label`: the smallest supercells are labelled, and the pristine one.",
            metavar="YAML",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Compute formation energies over the range of chemical potentials, and binding energies of complexes."""
    from flatforce.core.config import read_yaml
    from flatforce.properties.defect_energies.config import DefectEnergyConfig
    from flatforce.studies.defect_energy import DefectEnergyStage, with_card_references

    labels = None if verify is None else read_yaml(verify)
    settings = settings_from(DefectEnergyConfig, config, sizes=sizes or None, verify=labels)
    settings = with_card_references(settings, model)
    session = new_session(model, device)
    names = tuple(session.defect_name(structure, defect) for defect in defects)
    record = DefectEnergyStage(structure, names, settings).run(session, output)
    limits = [limit["name"] or "formation energy" for limit in record["details"]["limits"]]
    rows = [
        [
            defect["name"],
            *(f"{value:.3f}" for value in defect["formation_energies"]),
            "–" if defect["binding_energy"] is None else f"{defect['binding_energy']:.3f}",
            *(() if settings.verify is None else (_label_error(record, defect["name"]),)),
        ]
        for defect in record["details"]["defects"]
    ]
    heads = ["defect", *limits, "binding", *(() if settings.verify is None else ("error against labels",))]
    show_table(heads, rows, title="formation energies (eV)")
    finish(converged=record["converged"], warnings=record["warnings"])


def _label_error(record: dict[str, Any], defect: str) -> str:
    error = record["metrics"].get(f"{defect}: label_error")
    return "–" if error is None else f"{error:+.3f}"


@app.command()
def hops(
    model: Model,
    structure: Structure,
    defect: Defect,
    output: Output,
    supercell: Supercell = None,
    config: Settings = None,
    distance: Annotated[
        float | None, typer.Option(help="Longest hop in Å; 1.2 times the shortest if not given.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Find the barriers of all distinct first hops of a defect: neighbours into a vacancy, an adatom to the next site."""
    from flatforce.properties.barriers.config import HopsConfig
    from flatforce.studies.neb import HopSeries

    settings = settings_from(HopsConfig, config, supercell=supercell, distance=distance)
    session = new_session(model, device)
    name = session.defect_name(structure, defect)
    records = HopSeries(structure, name, settings).run(session, output)
    table = records["hops"]
    show_table(
        ["hop", "step", "equal", "barrier (eV)", "converged"],
        [
            [
                hop["name"],
                hop["description"],
                str(hop["multiplicity"]),
                "–" if hop["barrier"] is None else f"{hop['barrier']:.3f}",
                "yes" if hop["converged"] else "no",
            ]
            for hop in table["details"]["hops"]
        ],
        title=f"first hops of {name}",
        names=2,
    )
    finish(converged=table["converged"], warnings=table["warnings"])


@app.command()
def optimum(
    model: Model,
    structure: Structure,
    defect: Defect,
    output: Output,
    objective: Annotated[
        str | None, typer.Option(help="Objective of the search: minimise, maximise, explore or random.")
    ] = None,
    evaluations: Annotated[
        int | None, typer.Option(help="Number of strains at which the energy is evaluated.")
    ] = None,
    supercell: Supercell = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Search the in-plane strain with the least or largest formation energy of a defect, by Bayesian optimisation."""
    from flatforce.active.optimum_config import OptimumConfig
    from flatforce.studies.optimum import StrainOptimumStage

    settings = settings_from(OptimumConfig, config, supercell=supercell)
    options = {"objective": objective, "evaluations": evaluations}
    search = {name: value for name, value in options.items() if value is not None}
    plain = settings.model_dump(mode="json")
    settings = OptimumConfig.parse(plain | {"search": plain["search"] | search}, source="command line")
    session = new_session(model, device)
    name = session.defect_name(structure, defect)
    record = StrainOptimumStage(structure, name, settings).run(session, output)
    show(f"{name} under strain", record["metrics"], record["units"], output)
    finish(converged=record["converged"], warnings=record["warnings"])


@app.command()
def lineshape(
    embedded: Annotated[Path, typer.Argument(help="Result folder of `defect phonons --embed`.")],
    forces: Annotated[
        Path,
        typer.Argument(
            help="File of the relaxed cell with the forces of the excited minus those of the ground state, in eV/Å."
        ),
    ],
    output: Output,
    config: Settings = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature in K.")] = None,
) -> None:
    """Compute Huang–Rhys factors and the emission line shape of an electronic transition at the defect."""
    from flatforce.properties.phonons.config import LineShapeConfig
    from flatforce.studies.embedded import LineShapeStage

    settings = settings_from(LineShapeConfig, config, temperature=temperature)
    stage = LineShapeStage(embedded, forces, settings)
    record = stage.run(new_session(), output)
    show("line shape", record["metrics"], record["units"], output)
    finish(converged=record["converged"], warnings=record["warnings"])


@app.command()
def unfold(
    embedded: Annotated[Path, typer.Argument(help="Result folder of `defect phonons --embed`.")],
    output: Output,
    config: Settings = None,
) -> None:
    """Compute the spectral function of a defect along the band path of the primitive cell."""
    from flatforce.properties.phonons.config import UnfoldConfig
    from flatforce.studies.embedded import UnfoldStage

    stage = UnfoldStage(embedded, settings_from(UnfoldConfig, config))
    record = stage.run(new_session(), output)
    show("unfolded bands", record["metrics"], record["units"], output)
    finish(converged=record["converged"], warnings=record["warnings"])
