"""`flatforce relax | phonons`."""

from __future__ import annotations

from functools import partial
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
    input_hashes,
    plain,
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
    from ase.io import write

    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, claim_folder, read_record, write_atomically, write_record
    from flatforce.data.frames import read_structure
    from flatforce.models import load
    from flatforce.properties.relax import RelaxConfig
    from flatforce.properties.relax import relax as run

    given = {"keep_symmetry": keep_symmetry, "relax_cell": relax_cell, "max_force": max_force}
    settings = settings_from(RelaxConfig, config, **given)
    atoms = read_structure(structure)
    inputs = input_hashes(model, structure)
    potential = load(model, device=device)
    if claim_folder(output, plain(settings), inputs):
        with reporting("relax") as progress:
            found = run(potential, atoms, settings, progress=progress)
        for name, frames in (("relaxed", found.atoms), ("trajectory", found.trajectory)):
            write_atomically(output / f"{name}.extxyz", partial(write, images=frames, format="extxyz"))
        said = [] if found.converged else [f"not converged after {found.n_steps} steps"]
        record = Record("relax", plain(settings), found.metrics, found.units, inputs, found.converged, said)
        write_record(output, record)
    result = read_record(output)
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
    from flatforce.core.results import Record, claim_folder, read_record, write_record
    from flatforce.data.frames import read_structure
    from flatforce.models import load
    from flatforce.models.potential import padded
    from flatforce.properties.phonons.pristine import (
        PhononConfig,
        pristine_phonons,
        write_phonopy_files,
    )

    settings = settings_from(PhononConfig, config, supercell=supercell)
    inputs = input_hashes(model, structure)
    potential = load(model, device=device)
    atoms = read_structure(structure)
    potential.check([atoms])
    if claim_folder(output, plain(settings), inputs):
        scratch = output / "forces"
        with reporting("phonons") as progress:
            found = pristine_phonons(
                potential, padded(atoms, potential.cutoff), settings, scratch=scratch, progress=progress
            )
        write_phonopy_files(found, output)
        said = [] if found.stable else [f"imaginary modes down to {found.min_frequency:.3f} THz"]
        record = Record("phonons", plain(settings), found.metrics, found.units, inputs, found.stable, said)
        write_record(output, record, found.arrays())
    result = read_record(output)
    main = {k: v for k, v in result["metrics"].items() if not k.startswith(("raw_", "left_"))}
    show("phonons", main, result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])
