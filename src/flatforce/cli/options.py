"""Options that several commands share, and how a command begins and ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from flatforce.cli.tables import show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flatforce.core.config import ConfigT
    from flatforce.studies.session import Session

Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder in which the result is written.", metavar="DIR")
]
OutputFrames = Annotated[
    Path, typer.Option("--output", "-o", help="Extended-XYZ file that is written.", metavar="FILE")
]
Model = Annotated[
    str,
    typer.Argument(
        help="Force field: the file of a model, a bundled one such as mace:wse2-pbe, or "
        "committee:a.model,b.model,c.model."
    ),
]
Structure = Annotated[
    Path,
    typer.Argument(
        help="File of the structure, in any format that ASE reads; for a defect, the primitive cell."
    ),
]
Frames = Annotated[str, typer.Argument(help="File of labelled frames, or the name of a bundled dataset.")]
Defect = Annotated[
    str,
    typer.Argument(
        help="Notation of the defect, such as v_Se:top or Mo@W; `flatforce defect build --help` explains it."
    ),
]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="YAML file with settings; `flatforce settings COMMAND` prints a template.",
        metavar="YAML",
    ),
]
Device = Annotated[str, typer.Option(help="Device on which the force field runs: cpu, cuda or auto.")]
Supercell = Annotated[
    tuple[int, int] | None,
    typer.Option(
        "--supercell", "-s", help="Numbers n and m of the n × m supercell, in primitive cells.", metavar="N M"
    ),
]


class SeveralValues(TyperCommand):
    """A command whose repeatable options take several numbers in a row as well: `--sizes 6 9 12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the name of an option before each number after the first.

        Parameters
        ----------
        ctx
            Context of the command.
        args
            Arguments of the command line.

        Returns
        -------
        Arguments that are left after parsing.
        """
        repeatable = {
            name
            for parameter in self.params
            if getattr(parameter, "multiple", False)
            for name in getattr(parameter, "opts", [])
        }
        expanded: list[str] = []
        option = ""
        for argument in args:
            follows_option = bool(option) and expanded[-1] == option
            if option and not follows_option and _is_number(argument):
                expanded.append(option)
            elif not follows_option:
                option = argument if argument in repeatable else ""
            expanded.append(argument)
        remaining: list[str] = super().parse_args(ctx, expanded)
        return remaining


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def settings_from(kind: type[ConfigT], path: Path | None, **options: object) -> ConfigT:
    """Read settings; an option of the command line replaces the value of the file.

    Parameters
    ----------
    kind
        Class of the settings.
    path
        YAML file, or None.
    **options
        Options of the command line; None means that the option was not used.

    Returns
    -------
    The validated settings: those of the file, changed by the options that were given.
    """
    from flatforce.core.config import read_yaml

    values = {} if path is None else read_yaml(path)
    values |= {name: value for name, value in options.items() if value is not None}
    return kind.parse(values, source=str(path or "command line"))


def new_session(model: str | None = None, device: str = "auto") -> Session:
    """Return what the stages of a command share, with a progress display.

    Parameters
    ----------
    model
        Name of a force field; None for stages that need none.
    device
        `cpu`, `cuda`, or `auto`.

    Returns
    -------
    The session that loads the force field once, and shows progress on the terminal.
    """
    from flatforce.core.progress import show_progress
    from flatforce.studies.session import Session

    return Session(model, device=device, report=show_progress)


def refuse_existing(path: Path) -> None:
    """Refuse to write over a file.

    Parameters
    ----------
    path
        File that the command writes.

    Raises
    ------
    ResultError
        If it exists.
    """
    from flatforce.core.errors import ResultError

    if path.exists():
        raise ResultError(f"{path} exists.", fix="give another name as -o, or delete that file")


def finish(*, converged: bool, warnings: Iterable[str]) -> None:
    """Print warnings and end a command, with status 1 if the physics failed.

    Parameters
    ----------
    converged
        Whether the result converged.
    warnings
        Texts for standard error.

    Raises
    ------
    typer.Exit
        With status 1, if the result did not converge.
    """
    for text in warnings:
        typer.echo(f"warning: {text}", err=True)
    if not converged:
        raise typer.Exit(1)


def finish_result(title: str, record: dict[str, Any], folder: Path) -> None:
    """Print the metrics of a result and end the command, with status 1 if the physics failed.

    Parameters
    ----------
    title
        Text above the table of metrics.
    record
        Content of `result.json`.
    folder
        Result folder.
    """
    show(title, record["metrics"], record["units"], folder)
    finish(converged=record["converged"], warnings=record["warnings"])


def finish_all(records: dict[str, dict[str, Any]]) -> None:
    """End a command that made several results.

    Parameters
    ----------
    records
        Name of each folder → content of its `result.json`.
    """
    finish(
        converged=all(record["converged"] for record in records.values()),
        warnings=[f"{name}: {text}" for name, record in records.items() for text in record["warnings"]],
    )
