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
    from flatforce.core.written import record_folder
    from flatforce.data.audit.sheets import check_before_labels
    from flatforce.data.frame_files import read_frames
    from flatforce.reference.config import LabelConfig
    from flatforce.reference.label import label as run
    from flatforce.reference.submit import submit_labels
    from flatforce.studies.checks import raise_together
    from flatforce.studies.learn.checks import label_problems

    settings = settings_from(LabelConfig, config, workers=workers)
    if not converge:
        _check_output(output, structures)
    frames = [frame for path in structures for frame in read_frames(path)]
    check_before_labels(frames)
    if not record_folder(output, "labels").exists():  # an earlier run may have finished labels
        raise_together(label_problems(settings), subject="The labelling")
    if converge:
        _converge(frames, settings, output, structures)
        return
    folder = record_folder(output, "labels")
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
    """Refuse to write over a file that this command did not write, or that was changed since."""
    from flatforce.core.errors import ResultError
    from flatforce.core.results import read_record
    from flatforce.core.written import WrittenFiles, record_folder

    if output.resolve() in {path.resolve() for path in structures}:
        raise ResultError(f"{output} is also the file of the structures.", fix="give another file as -o")
    folder = record_folder(output, "labels")
    WrittenFiles(folder).check([output])
    if (folder / "result.json").is_file():
        read_record(folder, kind="label")  # of another origin, it is not replaced


def _write_labels(
    output: Path, outcome: Outcome, frames: list[Atoms], settings: LabelConfig, structures: list[Path]
) -> None:
    from functools import partial

    from flatforce.core.written import WrittenFiles, record_folder
    from flatforce.data.frame_files import save_frames

    folder = record_folder(output, "labels")
    if frames:
        WrittenFiles(folder).write(output, partial(save_frames, frames=frames), durable=True)
    warnings = _write_record(folder, outcome, settings, structures)
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
    from flatforce.core.claims import claim
    from flatforce.core.errors import DataError
    from flatforce.core.hashing import hash_files
    from flatforce.core.identity import Identity
    from flatforce.core.progress import show_progress
    from flatforce.core.written import WrittenFiles
    from flatforce.reference.converge import Convergence, converge
    from flatforce.report.figures.label import convergence
    from flatforce.report.static import write_static

    if len(frames) != 1:
        raise DataError(f"{len(frames)} structures are given.", fix="give one structure with --converge")
    identity = Identity.of(Convergence.kind, settings, hash_files(*structures))
    files = ("convergence.png", "convergence.pdf")
    with claim(folder, identity, writes=files, extends=lambda record: record["kind"] == Convergence.kind):
        with show_progress("converge") as progress:  # finished labels are read from the cache
            result = converge(frames[0], settings, cache=folder / "labels", progress=progress)
        curves = [(scan.name, scan.values, scan.force_errors, scan.recommended) for scan in result.scans]
        figure = convergence(curves, tolerance=result.tolerance, units=result.units)
        write_static(figure, folder, WrittenFiles(folder))
        warnings = _write_record(folder, result, settings, structures)
    for scan in result.scans:
        unit = result.units[scan.name]
        for value, error, seconds in zip(scan.values, scan.force_errors, scan.wall_times, strict=True):
            typer.echo(f"{scan.name} {value:g} {unit}: {error:.2f} meV/Å, {seconds:.0f} s")
    show("recommended settings", result.metrics, result.units, folder)
    finish(converged=not result.problems, warnings=warnings)
