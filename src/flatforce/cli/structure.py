"""`flatforce relax | phonons | elastic | md | expansion | neb`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import (
    Device,
    Model,
    Output,
    Settings,
    Structure,
    Supercell,
    finish,
    finish_result,
    new_session,
    settings_from,
)
from flatforce.cli.tables import show


def relax(
    model: Model,
    structure: Structure,
    output: Output,
    config: Settings = None,
    keep_symmetry: Annotated[
        bool | None, typer.Option(help="Whether the space group of the structure is kept.")
    ] = None,
    relax_cell: Annotated[bool | None, typer.Option(help="Whether the cell relaxes in the plane.")] = None,
    max_force: Annotated[
        float | None, typer.Option(help="Largest force on any atom at convergence, in eV/Å.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Relax a sheet: the positions of the atoms, and the cell in the plane."""
    from flatforce.properties.relax_config import RelaxConfig
    from flatforce.studies.relax import RelaxStage

    settings = settings_from(
        RelaxConfig, config, keep_symmetry=keep_symmetry, relax_cell=relax_cell, max_force=max_force
    )
    session = new_session(model, device)
    record = RelaxStage(structure, settings).run(session, output)
    finish_result("relaxed sheet", record, output)


def phonons(
    model: Model,
    structure: Structure,
    output: Output,
    supercell: Supercell = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Compute the phonons of a pristine, relaxed sheet: bands, DOS, projected DOS, ZA exponent, thermal properties."""
    from flatforce.properties.phonons.config import PhononConfig
    from flatforce.studies.phonons import PhononStage

    settings = settings_from(PhononConfig, config, supercell=supercell)
    session = new_session(model, device)
    record = PhononStage(structure, settings).run(session, output)
    main = {name: value for name, value in record["metrics"].items() if "_residual_" not in name}
    show("phonons", main, record["units"], output)
    finish(converged=record["converged"], warnings=record["warnings"])


def elastic(
    model: Model,
    structure: Structure,
    output: Output,
    config: Settings = None,
    strain: Annotated[float | None, typer.Option(help="Largest strain that is applied.")] = None,
    nonlinear: Annotated[
        bool | None, typer.Option(help="Whether third-order constants are computed as well.")
    ] = None,
    bending: Annotated[
        str | None, typer.Option(help="Bending rigidity from: phonons, tubes, both or none.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Compute elastic constants of a relaxed sheet in N/m, its moduli by direction, and its bending rigidity in eV."""
    from flatforce.properties.elasticity.config import ElasticConfig
    from flatforce.studies.elastic import ElasticStage

    settings = settings_from(ElasticConfig, config, strain=strain, nonlinear=nonlinear, bending=bending)
    session = new_session(model, device)
    record = ElasticStage(structure, settings).run(session, output)
    finish_result("elastic constants", record, output)


def md(
    model: Model,
    structure: Structure,
    output: Output,
    supercell: Supercell = None,
    config: Settings = None,
    ensemble: Annotated[str | None, typer.Option(help="Ensemble: nve, nvt or npt (in the plane).")] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", "-T", help="Temperature in K; several for several trajectories."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of time steps after the equilibration.")] = None,
    time_step: Annotated[float | None, typer.Option(help="Time step in fs.")] = None,
    device: Device = "auto",
) -> None:
    """Run molecular dynamics of a sheet, and analyse it: spectra, ripples, pair distributions, diffusion, hops."""
    from flatforce.properties.dynamics.config import MdConfig
    from flatforce.studies.md import MdStage

    settings = settings_from(
        MdConfig,
        config,
        supercell=supercell,
        ensemble=ensemble,
        temperatures=temperature or None,
        steps=steps,
        time_step=time_step,
    )
    session = new_session(model, device)
    record = MdStage(structure, settings).run(session, output)
    finish_result("molecular dynamics", record, output)


def expansion(
    model: Model,
    structure: Structure,
    output: Output,
    supercell: Supercell = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Compute lattice constant and thermal expansion of a sheet against temperature, and the Grüneisen parameters of its modes."""
    from flatforce.properties.expansion.config import ExpansionConfig
    from flatforce.studies.expansion import ExpansionStage

    settings = settings_from(ExpansionConfig, config, supercell=supercell)
    session = new_session(model, device)
    record = ExpansionStage(structure, settings).run(session, output)
    finish_result("thermal expansion", record, output)


def neb(
    model: Model,
    start: Annotated[Path, typer.Argument(help="File of the first structure.")],
    end: Annotated[
        Path,
        typer.Argument(help="File of the last structure: the same atoms in the same cell, in any order."),
    ],
    output: Output,
    config: Settings = None,
    images: Annotated[int | None, typer.Option(help="Number of images between the ends.")] = None,
    max_force: Annotated[
        float | None, typer.Option(help="Largest force across the path at convergence, in eV/Å.")
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of `flatforce label`: start, saddle point and end are labelled.", metavar="YAML"
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Find the path of minimum energy between two structures, its barrier and rates, and whether the force field knows it."""
    from flatforce.core.config import read_yaml
    from flatforce.properties.barriers.config import NebConfig
    from flatforce.studies.neb import NebStage

    settings = settings_from(
        NebConfig,
        config,
        images=images,
        max_force=max_force,
        verify=None if verify is None else read_yaml(verify),
    )
    session = new_session(model, device)
    record = NebStage(start, end, settings).run(session, output)
    finish_result("path of minimum energy", record, output)
