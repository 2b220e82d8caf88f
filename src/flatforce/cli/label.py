"""`flatforce label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Settings, finish, settings_from, show


def label(
    structures: Annotated[list[Path], typer.Argument(help="Files of structures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Labelled frames, extended XYZ.")],
    config: Settings = None,
    workers: Annotated[int | None, typer.Option(help="Frames at the same time.")] = None,
    retry_failed: Annotated[bool, typer.Option(help="Try frames again that failed before.")] = False,
) -> None:
    """Label structures with DFT; a killed run goes on, a second run does no work."""
    from flatforce.core.progress import reporting
    from flatforce.core.results import Record, write_record
    from flatforce.data.frames import read_frames, write_frames
    from flatforce.reference.config import LabelConfig
    from flatforce.reference.label import label as run
    from flatforce.studies.inputs import input_hashes

    settings = settings_from(LabelConfig, config, workers=workers)
    frames = [frame for path in structures for frame in read_frames(path)]
    folder = output.with_suffix(".labels")
    with reporting("label") as progress:
        done = run(frames, settings, cache=folder, retry_failed=retry_failed, progress=progress)
    if done.frames:
        write_frames(output, done.frames)
    metrics = {
        "n_labelled": float(len(done.frames)),
        "n_failed": float(len(done.failures)),
        "n_computed": float(done.computed),
    }
    reasons = [f"{name}: {reason}" for name, reason in done.failures]
    units = dict.fromkeys(metrics, "frames")
    record = Record(
        kind="label",
        config=settings.model_dump(mode="json"),
        metrics=metrics,
        units=units,
        inputs=input_hashes(None, *structures),
        converged=not reasons,
        warnings=reasons,
    )
    write_record(folder, record)
    show("labels", metrics, units, output)
    finish(converged=not reasons, warnings=reasons)
