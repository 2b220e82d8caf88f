"""Options that several commands share, and how a command ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flatforce.core.config import Config, ConfigT

Output = Annotated[Path, typer.Option("--output", "-o", help="Result folder.")]
Model = Annotated[str, typer.Argument(help="Force field, such as my.model or committee:a.model,b.model.")]
Structure = Annotated[Path, typer.Argument(help="Structure, any format that ASE reads.")]
Settings = Annotated[Path | None, typer.Option("--config", "-c", help="YAML with settings.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Supercell = Annotated[tuple[int, int] | None, typer.Option("--supercell", "-s", help="n m.")]


def settings_from(kind: type[ConfigT], path: Path | None, **given: object) -> ConfigT:
    """Read settings; what the command line gives wins over the file.

    Parameters
    ----------
    kind
        Class of the settings.
    path
        YAML file, or None.
    **given
        Options of the command line; None means not given.

    Returns
    -------
    The settings.
    """
    from flatforce.core.config import read_yaml

    values = {} if path is None else read_yaml(path)
    values |= {name: value for name, value in given.items() if value is not None}
    return kind.parse(values, source=str(path or "command line"))


def plain(config: Config) -> dict[str, Any]:
    """Return settings as plain values.

    Parameters
    ----------
    config
        Settings.

    Returns
    -------
    What goes into `result.json`.
    """
    return config.model_dump(mode="json")


def input_hashes(spec: str | None, *files: Path) -> dict[str, str]:
    """Hash what a stage reads.

    Parameters
    ----------
    spec
        Force field, or None.
    *files
        Files.

    Returns
    -------
    Name → hash.
    """
    from flatforce.core.hashing import hash_file
    from flatforce.models.spec import model_path

    found = {path.name: hash_file(path) for path in files if path.is_file()}
    if spec is not None:
        path = model_path(spec)
        found[spec] = hash_file(path) if path is not None and path.is_file() else spec
    return found


def show(title: str, metrics: dict[str, float], units: dict[str, str], folder: Path) -> None:
    """Print a short table of the main numbers.

    Parameters
    ----------
    title
        What was done.
    metrics
        Numbers and their units.
    units
        Numbers and their units.
    folder
        Where the rest is.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("quantity", "value", "unit", title=title)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.6g}", units.get(name, ""))
    console = Console()
    console.print(table)
    console.print(f"written to {folder}", highlight=False, soft_wrap=True)


def finish(*, converged: bool, warnings: list[str]) -> None:
    """End a command: status 1 when the physics failed.

    Parameters
    ----------
    converged
        Whether it held.
    warnings
        What is to be said.

    Raises
    ------
    typer.Exit
        With status 1, if it did not hold.
    """
    for text in warnings:
        typer.echo(f"warning: {text}", err=True)
    if not converged:
        raise typer.Exit(1)
