"""The `flatforce` command. No arithmetic here; heavy imports wait until a command runs."""

from __future__ import annotations

import os
import sys

import typer

from flatforce.cli import alloy, benchmark, data, defect, env, label, learn, model, settings, structure, study
from flatforce.core.errors import FlatforceError

app = typer.Typer(
    name="flatforce",
    help="From DFT frames of a 2D material to a force field, and to the physics of its defects.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(study.demo)
app.command("run")(study.run)
app.command("label")(label.label)
app.command("learn")(learn.learn)
app.command("train")(model.train)
app.command("finetune")(model.finetune)
app.command("sweep")(model.sweep)
app.command("evaluate")(model.evaluate)
app.command("doctor")(model.doctor)
app.command("relax")(structure.relax)
app.command("phonons")(structure.phonons)
app.command("report")(study.report)
app.command("settings")(settings.settings)
app.add_typer(data.app, name="data")
app.add_typer(defect.app, name="defect")
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(alloy.app, name="alloy")
app.add_typer(env.app, name="env")


def main() -> None:
    """Run the command; misuse ends with status 2 and one message, never with a traceback."""
    os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    try:
        app()
    except FlatforceError as error:
        print(f"flatforce: {error}", file=sys.stderr)  # noqa: T201  # the one place that speaks to people
        sys.exit(2)
    except KeyboardInterrupt:
        print("flatforce: interrupted; run the same command again to go on", file=sys.stderr)  # noqa: T201  # as above
        sys.exit(130)
