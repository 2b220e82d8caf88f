"""The `flatforce` command. No arithmetic here; heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flatforce import __version__
from flatforce.cli import (
    alloy,
    benchmark,
    data,
    defect,
    doctor,
    env,
    export,
    label,
    learn,
    model,
    screen,
    settings,
    structure,
    study,
)
from flatforce.cli.encoding import tolerate_narrow_terminals
from flatforce.cli.last_resort import Commands, stop_on_signals
from flatforce.cli.options import SeveralValues
from flatforce.core.errors import FlatforceError

app = typer.Typer(
    name="flatforce",
    help="From DFT frames of a 2D material to a force field, and to the physics of its defects and alloys.",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"flatforce {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # its callback prints and exits
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """From DFT frames of a 2D material to a force field, and to the physics of its defects and alloys."""


app.command("demo")(study.demo)
app.command("run")(study.run)
app.command("label")(label.label)
app.command("learn")(learn.learn)
app.command("train")(model.train)
app.command("finetune")(model.finetune)
app.command("sweep")(model.sweep)
app.command("evaluate")(model.evaluate)
app.command("doctor")(doctor.doctor)
app.command("relax")(structure.relax)
app.command("screen")(screen.screen)
app.command("phonons")(structure.phonons)
app.command("elastic")(structure.elastic)
app.command("md", cls=SeveralValues)(structure.md)
app.command("expansion")(structure.expansion)
app.command("export")(export.export)
app.command("neb")(structure.neb)
app.command("report")(study.report)
app.command("cite")(study.cite)
app.command("settings")(settings.settings)
app.add_typer(data.app, name="data")
app.add_typer(defect.app, name="defect")
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(alloy.app, name="alloy")
app.add_typer(env.app, name="env")


def main() -> None:
    """Run the command; misuse ends with status 2 and one message, never with a traceback."""
    tolerate_narrow_terminals()
    try:
        with stop_on_signals():
            app()
    except FlatforceError as error:
        print(f"flatforce: {error}", file=sys.stderr)  # noqa: T201  # the one place that prints an error
        sys.exit(2)
