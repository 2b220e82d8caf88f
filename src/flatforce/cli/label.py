"""`flatforce label`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Settings, finish, settings_from
from flatforce.cli.tables import show

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.outcome import Outcome
    from flatforce.reference.config import LabelConfig


def _print_template(name: str | None) -> None:
    if name is None:
        return
    from importlib.resources import files

    from flatforce.core.errors import ConfigError

    template = files("flatforce.core.execution").joinpath("templates", f"{name}.yaml")
    if not template.is_file():
        raise ConfigError(
            f"There is no template `{name}`.",
            fix="type --template laptop, --template slurm or --template pbs",
        )
    typer.echo(template.read_text(encoding="utf-8"), nl=False)
    raise typer.Exit


def label(
    structures: Annotated[
        list[Path], typer.Argument(help="Files of structures, in any format that ASE reads.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Extended-XYZ file of labelled frames.", metavar="FILE")
    ],
    config: Settings = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of frames that are computed at the same time.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry frames that failed before.")
    ] = False,
    submit_only: Annotated[
        bool,
        typer.Option(
            "--submit-only",
            help="Submit the frames as a job array and return; run the same command again to collect them.",
        ),
    ] = False,
    converge: Annotated[
        bool,
        typer.Option(
            "--converge",
            help="Test the convergence of cutoff, k grid and vacuum on one structure; -o is then a folder.",
        ),
    ] = False,
    template: Annotated[  # noqa: ARG001  # its callback prints and exits
        str | None,
        typer.Option(
            help="Print settings for a kind of machine, laptop, slurm or pbs, and exit.",
            callback=_print_template,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Label structures with DFT; a run that was killed resumes, a finished one computes nothing again."""
    from flatforce.core.progress import show_progress
    from flatforce.data.audit.sheets import check_before_labels
    from flatforce.data.frame_files import read_frames
    from flatforce.reference.config import LabelConfig
    from flatforce.reference.label import label as run
    from flatforce.reference.submit import submit_labels

    settings = settings_from(LabelConfig, config, workers=workers)
    if not converge:
        _check_output(output, structures)
    frames = [frame for path in structures for frame in read_frames(path)]
    check_before_labels(frames)
    if converge:
        _converge(frames, settings, output, structures)
        return
    folder = output.with_suffix(".labels")
    if submit_only:
        submission = submit_labels(frames, settings, cache=folder, retry_failed=retry_failed)
        if submission.job is not None:
            typer.echo(
                f"job {submission.job}: {submission.n_submitted} frames; run the same command again to collect"
            )
        for name, reason in submission.retried:
            typer.echo(f"retried: {name}: {reason}")
        _write_labels(output, submission, submission.result.frames, settings, structures)
        return
    with show_progress("label") as progress:
        result = run(frames, settings, cache=folder, retry_failed=retry_failed, progress=progress)
    _write_labels(output, result, result.frames, settings, structures)


def _check_output(output: Path, structures: list[Path]) -> None:
    """Refuse to write over a file that this command did not write."""
    from flatforce.core.errors import ResultError

    if output.resolve() in {path.resolve() for path in structures}:
        raise ResultError(f"{output} is also the file of the structures.", fix="give another file as -o")
    if output.exists() and not (output.with_suffix(".labels") / "result.json").is_file():
        raise ResultError(
            f"{output} exists.",
            why="it was not written by `flatforce label`, which would have left a .labels folder next to it",
            fix="give another file as -o, or delete that one",
        )


def _write_labels(
    output: Path, outcome: Outcome, frames: list[Atoms], settings: LabelConfig, structures: list[Path]
) -> None:
    from flatforce.data.frame_files import write_frames

    folder = output.with_suffix(".labels")
    warnings = _write_record(folder, outcome, settings, structures)
    if frames:
        write_frames(output, frames)
    show("labels", outcome.metrics, outcome.units, output if frames else folder)
    finish(converged=not outcome.problems, warnings=warnings)


def _write_record(folder: Path, outcome: Outcome, settings: LabelConfig, structures: list[Path]) -> list[str]:
    """Write a result folder, and return its warnings."""
    from flatforce.core.hashing import hash_files
    from flatforce.core.recording import record_of
    from flatforce.core.results import write_record

    config = settings.model_dump(mode="json")
    record = record_of(outcome, config=config, inputs=hash_files(*structures))
    write_record(folder, record, outcome.arrays())
    return record.warnings


def _converge(frames: list[Atoms], settings: LabelConfig, folder: Path, structures: list[Path]) -> None:
    from flatforce.core.errors import DataError
    from flatforce.core.progress import show_progress
    from flatforce.reference.converge import converge
    from flatforce.report.figures.label import convergence
    from flatforce.report.static import write_static

    if len(frames) != 1:
        raise DataError(f"{len(frames)} structures are given.", fix="give one structure with --converge")
    with show_progress("converge") as progress:
        result = converge(frames[0], settings, cache=folder / "labels", progress=progress)
    curves = [(scan.name, scan.values, scan.force_errors, scan.recommended) for scan in result.scans]
    write_static(convergence(curves, tolerance=result.tolerance, units=result.units), folder)
    warnings = _write_record(folder, result, settings, structures)
    for scan in result.scans:
        unit = result.units[scan.name]
        for value, error, seconds in zip(scan.values, scan.force_errors, scan.wall_times, strict=True):
            typer.echo(f"{scan.name} {value:g} {unit}: {error:.2f} meV/Å, {seconds:.0f} s")
    show("recommended settings", result.metrics, result.units, folder)
    finish(converged=not result.problems, warnings=warnings)
