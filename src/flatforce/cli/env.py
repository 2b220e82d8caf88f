"""`flatforce env create | list | remove`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="env",
    help="Environments of their own for force fields that cannot be installed beside others.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="sevennet, nequip, mattersim, or roost.")]


@app.command()
def create(name: Name) -> None:
    """Build an environment from pinned versions and test it; one that is complete is left as it is."""
    from flatforce.core.progress import reporting
    from flatforce.models.isolated import environments

    with reporting(f"env {name}") as progress:
        found = environments.create(name, progress=progress)
    said = ", ".join(f"{package} {version}" for package, version in found.versions.items())
    typer.echo(f"{found.folder}: {said}")
    for line in found.failed:
        typer.echo(f"{line} (`flatforce doctor`)", err=True)


@app.command("list")
def list_all() -> None:
    """Say which environments there are."""
    from flatforce.models.isolated import environments

    for one in environments.environments():
        said = ", ".join(f"{package} {version}" for package, version in one.versions.items())
        typer.echo(f"{one.name}: {said if one.complete else 'incomplete'} in {one.folder}")


@app.command()
def remove(name: Name) -> None:
    """Delete an environment."""
    from flatforce.models.isolated import environments

    environments.remove(name)
