"""`flatforce relax | phonons`."""

from __future__ import annotations

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
    settings_from,
    show,
)


def relax(
    model: Model,
    structure: Structure,
    output: Output,
    config: Settings = None,
    keep_symmetry: Annotated[bool | None, typer.Option(help="Keep the space group.")] = None,
    relax_cell: Annotated[bool | None, typer.Option(help="Let the cell change in its plane.")] = None,
    max_force: Annotated[float | None, typer.Option(help="eV/Å left on any atom.")] = None,
    device: Device = "auto",
) -> None:
    """Relax a sheet: positions, and the cell in its plane."""
    from flatforce.core.progress import reporting
    from flatforce.properties.relax_config import RelaxConfig
    from flatforce.studies import stages

    given = {"keep_symmetry": keep_symmetry, "relax_cell": relax_cell, "max_force": max_force}
    settings = settings_from(RelaxConfig, config, **given)
    result = stages.relax(model, structure, settings, output, device=device, report=reporting)
    show("relaxed sheet", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


def phonons(
    model: Model,
    structure: Structure,
    output: Output,
    supercell: Supercell = None,
    config: Settings = None,
    device: Device = "auto",
) -> None:
    """Phonons of a pristine, relaxed sheet: bands, DOS, PDOS, flexural exponent, thermal properties."""
    from flatforce.core.progress import reporting
    from flatforce.properties.phonons.config import PhononConfig
    from flatforce.studies import stages

    settings = settings_from(PhononConfig, config, supercell=supercell)
    result = stages.phonons(model, structure, settings, output, device=device, report=reporting)
    main = {k: v for k, v in result["metrics"].items() if not k.startswith(("raw_", "left_"))}
    show("phonons", main, result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])
