"""`flatforce label`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Settings, finish, settings_from, show

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.reference.config import LabelConfig
    from flatforce.reference.label import Labelled


SCAN_ARRAYS = ("values", "force_errors", "energy_errors", "seconds")


def _print_template(name: str | None) -> None:
    if name is None:
        return
    from importlib.resources import files

    from flatforce.core.errors import ConfigError

    found = files("flatforce.core.execution").joinpath("templates", f"{name}.yaml")
    if not found.is_file():
        raise ConfigError(f"There is no template `{name}`.", fix="one of laptop, slurm, pbs")
    typer.echo(found.read_text(encoding="utf-8"), nl=False)
    raise typer.Exit


def label(
    structures: Annotated[list[Path], typer.Argument(help="Files of structures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Labelled frames, extended XYZ.")],
    config: Settings = None,
    workers: Annotated[int | None, typer.Option(help="Frames at the same time.")] = None,
    retry_failed: Annotated[bool, typer.Option(help="Try frames again that failed before.")] = False,
    submit_only: Annotated[
        bool, typer.Option(help="Hand them to the queue as a job array and leave; again to collect.")
    ] = False,
    converge: Annotated[
        bool, typer.Option(help="Scan cutoff, k grid and vacuum on the one structure; -o is a folder then.")
    ] = False,
    template: Annotated[  # noqa: ARG001  # eager: prints and leaves
        str | None,
        typer.Option(
            help="Print settings to start from: laptop, slurm or pbs.",
            callback=_print_template,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Label structures with DFT; a killed run goes on, a second run does no work."""
    from flatforce.core.progress import reporting
    from flatforce.data.frames import read_frames
    from flatforce.reference.config import LabelConfig
    from flatforce.reference.label import label as run
    from flatforce.reference.submit import submit_labels

    settings = settings_from(LabelConfig, config, workers=workers)
    if not converge:
        _check_output(output, structures)
    frames = [frame for path in structures for frame in read_frames(path)]
    if converge:
        _converge(frames, settings, output, structures)
        return
    folder = output.with_suffix(".labels")
    if submit_only:
        handed = submit_labels(frames, settings, cache=folder, retry_failed=retry_failed)
        if handed.job is not None:
            typer.echo(f"job {handed.job}: {handed.submitted} frames; run the same command again to collect")
        for name, reason in handed.hindered:
            typer.echo(f"tried again: {name}: {reason}")
        waiting = {"n_submitted": float(handed.submitted), "n_pending": float(handed.pending)}
        _write(output, handed.labelled, settings, structures, waiting)
        return
    with reporting("label") as progress:
        done = run(frames, settings, cache=folder, retry_failed=retry_failed, progress=progress)
    _write(output, done, settings, structures, {"n_computed": float(done.computed)})


def _check_output(output: Path, structures: list[Path]) -> None:
    """Refuse to write over anything but what this command wrote there before."""
    from flatforce.core.errors import ResultError

    if output.resolve() in {path.resolve() for path in structures}:
        raise ResultError(f"{output} is also what is to be labelled.", fix="give another file as -o")
    if output.exists() and not (output.with_suffix(".labels") / "result.json").is_file():
        raise ResultError(
            f"{output} is there already.",
            why="it was not written by `flatforce label`: its .labels folder is not beside it",
            fix="give another file as -o, or delete that one",
        )


def _write(
    output: Path, done: Labelled, settings: LabelConfig, structures: list[Path], more: dict[str, float]
) -> None:
    from flatforce.core.results import Record, write_record
    from flatforce.data.audit.symmetry import asymmetry_notes
    from flatforce.data.frames import write_frames
    from flatforce.studies.inputs import input_hashes

    metrics = {"n_labelled": float(len(done.frames)), "n_failed": float(len(done.failures))} | more
    reasons = [f"{name}: {reason}" for name, reason in done.failures]
    warnings = reasons + asymmetry_notes(done.frames) if done.frames else reasons
    units = dict.fromkeys(metrics, "frames")
    record = Record(
        kind="label",
        config=settings.model_dump(mode="json"),
        metrics=metrics,
        units=units,
        inputs=input_hashes(None, *structures),
        converged=not reasons,
        warnings=warnings,
    )
    folder = output.with_suffix(".labels")
    write_record(folder, record)
    if done.frames:
        write_frames(output, done.frames)
    show("labels", metrics, units, output if done.frames else folder)
    finish(converged=not reasons, warnings=warnings)


def _converge(frames: list[Atoms], settings: LabelConfig, folder: Path, structures: list[Path]) -> None:
    from flatforce.core.errors import DataError
    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, write_record
    from flatforce.reference.converge import converge
    from flatforce.report.figures.label import convergence
    from flatforce.report.static import write_static
    from flatforce.studies.inputs import input_hashes

    if len(frames) != 1:
        raise DataError(f"{len(frames)} structures are given.", fix="a convergence test takes one")
    with reporting("converge") as progress:
        scans = converge(frames[0], settings, cache=folder / "labels", progress=progress)
    units = {"cutoff": "Ry" if settings.settings.engine == "espresso" else "eV"}
    units |= {"k_length": "Å", "vacuum": "Å"}
    drawn = [(scan.name, scan.values, scan.force_errors, scan.chosen) for scan in scans]
    figure = convergence(drawn, tolerance=settings.converge.tolerance, units=units)
    write_static(figure, folder)
    loose = [
        f"{scan.name}: not converged to {settings.converge.tolerance:g} meV/Å before {scan.values[-1]:g} {units[scan.name]}"
        for scan in scans
        if scan.chosen is None
    ]
    metrics = {scan.name: scan.chosen for scan in scans if scan.chosen is not None}
    arrays = {f"{scan.name}_{key}": getattr(scan, key) for scan in scans for key in SCAN_ARRAYS}
    plain, inputs = settings.model_dump(mode="json"), input_hashes(None, *structures)
    write_record(
        folder,
        Record("convergence", plain, metrics, units, inputs=inputs, converged=not loose, warnings=loose),
        arrays,
    )
    for scan in scans:
        for value, error, time in zip(scan.values, scan.force_errors, scan.seconds, strict=True):
            typer.echo(f"{scan.name} {value:g} {units[scan.name]}: {error:.2f} meV/Å, {time:.0f} s")
    show("recommended", metrics, units, folder)
    finish(converged=not loose, warnings=loose)
