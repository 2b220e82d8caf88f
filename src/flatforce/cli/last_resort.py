"""What a command does with errors of the machine and with signals: one message, never a traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from flatforce.cli.command_lines import add_examples
from flatforce.core.errors import FlatforceError
from flatforce.core.trust import trusting_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

TRACEBACK: Final = "FLATFORCE_TRACEBACK"
"""Variable of the environment that shows tracebacks."""

REMEDIES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (MemoryError, "take a smaller supercell or batch, or a machine with more memory"),
    (FileNotFoundError, "check the path"),
    (
        PermissionError,
        "check the permissions of the file and of its folder, or choose another folder with -o",
    ),
    (FileExistsError, "choose another folder with -o: a file of this name is in the way"),
    (NotADirectoryError, "choose another folder with -o: a file is in the way"),
    (EOFError, "the file is empty or cut short: delete it, or copy it again"),
    (OSError, "check the disk, the path and its permissions"),
)
"""Kind of error → what helps; the first that fits."""


WITHOUT_MODELS: Final = frozenset({"data", "settings"})
"""Commands and groups that load no model."""

READS_MODELS: Final = frozenset({"model", "config", "fit_folder"})
"""Parameters of commands that load models, or settings that name models."""


class MachineError(FlatforceError):
    """The machine, a file or a library failed in a way that no command expects."""


class Commands(TyperGroup):
    """A group of commands that answers errors of the machine by a message; those that load models take `--trust`."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command.

        Parameters
        ----------
        ctx
            Context of the command line.
        cmd_name
            Name of the command.

        Returns
        -------
        The command or group of that name, with examples, and with `--trust` where it loads a model; None if there is none.
        """
        command = super().get_command(ctx, cmd_name)
        add_examples(command, cmd_name)
        if cmd_name in WITHOUT_MODELS:
            return command
        for leaf in (command, *getattr(command, "commands", {}).values()):
            names = {parameter.name for parameter in getattr(leaf, "params", [])}
            if names & READS_MODELS and "trust" not in names:
                leaf.params += _trust_option()
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Parameters
        ----------
        ctx
            Context of the command line.

        Returns
        -------
        What the command returns, which nothing uses.

        Raises
        ------
        MachineError
            For an error of the operating system, of memory, or inside a library; `FLATFORCE_TRACEBACK=1` prints its traceback before.
        """
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (OSError, EOFError, MemoryError, RuntimeError) as error:
            if os.environ.get(TRACEBACK):
                traceback.print_exc()
            fix = next((text for kind, text in REMEDIES if isinstance(error, kind)), "")
            raise MachineError(
                f"{ctx.command_path} failed: {_describe(error)}.",
                fix=f"{fix or 'report it'}; {TRACEBACK}=1 shows where it happened",
            ) from error


def _remember_trust(ctx: typer.Context, value: bool) -> None:
    if value:
        ctx.with_resource(trusting_all())


def _options_of_models(
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Load model files that can run code (pickles) though you have not made them; their hashes are remembered.",
            callback=_remember_trust,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """Declare the option that every command with a model has."""


def _trust_option() -> list[Any]:
    """Let Typer make the option, by way of a command of its own."""
    only = typer.Typer(add_completion=False)
    only.command()(_options_of_models)
    return [parameter for parameter in typer.main.get_command(only).params if parameter.name == "trust"]


def _describe(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:300]}" if lines else type(error).__name__


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a command with a message; what is finished stays, and open files are closed.

    Yields
    ------
    None; afterwards the signals have their earlier effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_IGN)  # a second one does not interrupt the end
    print("flatforce: interrupted; run the same command again to resume", file=sys.stderr)  # noqa: T201  # for the user
    raise SystemExit(128 + number)
