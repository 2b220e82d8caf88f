"""`flatforce env create | list | remove`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="env",
    help="Manage isolated environments, for force fields whose packages exclude others.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Name = Annotated[
    str, typer.Argument(help="Name of the environment: sevennet, nequip, mattersim, roost or lammps.")
]


@app.command()
def create(name: Name) -> None:
    """Build an environment from pinned versions and test it; a complete one is left as it is."""
    from flatforce.core.progress import show_progress
    from flatforce.models.isolated import build

    with show_progress(f"env {name}") as progress:
        environment = build.create(name, progress=progress)
    typer.echo(f"{environment.folder}: {_versions(environment.versions)}")
    for line in environment.failed:
        typer.echo(f"{line} (`flatforce doctor`)", err=True)


@app.command("list")
def list_all() -> None:
    """List the isolated environments, their packages and their folders."""
    from flatforce.models.isolated import environments

    installed = environments.list_environments()
    for environment in installed:
        state = "damaged" if environment.damaged else "incomplete"
        if environment.complete:
            state = _versions(environment.versions)
        typer.echo(f"{environment.name}: {state} in {environment.folder}")
    if not installed:
        typer.echo(
            f"There are no isolated environments in {environments.environments_folder()}. "
            f"Create one with: flatforce env create {'|'.join(environments.PACKAGES)}"
        )


@app.command()
def remove(name: Name) -> None:
    """Delete an environment."""
    from flatforce.models.isolated import environments

    environments.remove(name)


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())
