"""Options that several commands share, and how a command ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flatforce.core.config import ConfigT

Output = Annotated[Path, typer.Option("--output", "-o", help="Result folder.")]
Model = Annotated[
    str, typer.Argument(help="Force field: mace:wse2-pbe, my.model, committee:a.model,b.model, …")
]
Structure = Annotated[Path, typer.Argument(help="Structure, any format that ASE reads.")]
Settings = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML with settings; `flatforce settings` lists them.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Supercell = Annotated[tuple[int, int] | None, typer.Option("--supercell", "-s", help="n m.")]


class SeveralValues(TyperCommand):
    """A command whose repeatable options take numbers in a row as well: `--sizes 6 9 12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each number but the first.

        Parameters
        ----------
        ctx
            Typer's.
        args
            Words of the command line.

        Returns
        -------
        What Typer makes of them.
        """
        repeatable = {
            name
            for one in self.params
            if getattr(one, "multiple", False)
            for name in getattr(one, "opts", [])
        }
        words: list[str] = []
        option = ""
        for word in args:
            if option and words[-1] != option and _is_number(word):
                words.append(option)
            elif not (option and words[-1] == option):
                option = word if word in repeatable else ""
            words.append(word)
        parsed: list[str] = super().parse_args(ctx, words)
        return parsed


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


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


def refuse_existing(path: Path) -> None:
    """Keep a file that stands where a command would write.

    Parameters
    ----------
    path
        Of the output.

    Raises
    ------
    ResultError
        If there is one.
    """
    from flatforce.core.errors import ResultError

    if path.exists():
        raise ResultError(f"{path} exists.", fix="choose another name, or delete it")


def show(title: str, metrics: Mapping[str, float | None], units: dict[str, str], folder: Path) -> None:
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
        table.add_row(name, "–" if value is None else f"{value:.6g}", units.get(name, ""))
    console = Console()
    console.print(table)
    console.print(f"written to {folder}", highlight=False, soft_wrap=True)


def show_rows(rows: list[dict[str, Any]]) -> None:
    """Print rows; a key that a row does not have stays empty.

    Parameters
    ----------
    rows
        The rows.
    """
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns)
    for row in rows:
        cells = (row.get(key, "") for key in columns)
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console().print(table)


def show_models(result: dict[str, Any], folder: Path) -> None:
    """Print force fields side by side.

    Parameters
    ----------
    result
        `result.json` of a comparison.
    folder
        Where the rest is.
    """
    from rich.console import Console
    from rich.table import Table

    from flatforce.report.sections.model import COMPARED

    table = Table("", *COMPARED.values())
    for name, row in result["details"]["models"].items():
        table.add_row(name, *("–" if row.get(key) is None else f"{row[key]:.4g}" for key in COMPARED))
    console = Console()
    console.print(table)
    console.print(f"written to {folder}", highlight=False, soft_wrap=True)


def show_contest(result: dict[str, Any], folder: Path) -> None:
    """Print models of an alloy side by side.

    Parameters
    ----------
    result
        `result.json` of a comparison.
    folder
        Where the rest is.
    """
    from rich.console import Console
    from rich.table import Table

    from flatforce.report.sections.alloy import contest_rows

    header, *rows = contest_rows(result)
    chosen = [header.index(name) for name in ("model", "MAE", "95 %", "p", "larger cells", "window of x")]
    table = Table(*(header[k] for k in chosen), title="mean absolute error, meV/site")
    for row in rows:
        table.add_row(*(row[k] for k in chosen))
    console = Console()
    console.print(table)
    console.print(f"written to {folder}", highlight=False, soft_wrap=True)


def show_modes(result: dict[str, Any]) -> None:
    """Print the localised modes of a defect.

    Parameters
    ----------
    result
        `result.json` of defect phonons.
    """
    from rich.console import Console
    from rich.table import Table

    from flatforce.report.sections.phonons import said_of

    table = Table("THz", "degeneracy", "irrep", "atoms taking part", "weight by shell", "")
    for mode in result["details"]["modes"]:
        table.add_row(
            f"{mode['frequency']:.3f}",
            str(mode["degeneracy"]),
            mode.get("irrep", ""),  # results of 0.1.0.dev had none
            f"{mode['participation_number']:.1f}",
            " ".join(f"{weight:.2f}" for weight in mode["shells"]),
            said_of(mode),
        )
    Console().print(table)


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
