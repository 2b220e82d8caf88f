"""Benchmarks of force fields: files in, a result folder out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_labelled
from flatforce.models import load
from flatforce.properties.benchmark.comparison import StoredBenchmark
from flatforce.properties.benchmark.comparison import compare_benchmarks as compare
from flatforce.properties.benchmark.materials import collect_materials
from flatforce.properties.benchmark.relaxation import score_relaxations
from flatforce.properties.benchmark.score import UNITS
from flatforce.studies.inputs import Reporter, input_hashes, unreported
from flatforce.studies.splits import held_out_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig

SHOWN = 5
"""Materials that failed or did not converge, by name, in the warnings."""


def benchmark_relax(
    spec: str,
    frames: str,
    config: RelaxationBenchmarkConfig,
    folder: Path,
    *,
    split: Path | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Relax the materials of a dataset and compare with DFT; `materials.csv` stands in the folder.

    Parameters
    ----------
    spec
        Force field.
    frames
        File of labelled relaxations, or name of a bundled dataset.
    config
        Settings.
    folder
        Result folder.
    split
        `split.json` of a training run: only materials that it held out are judged.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    path = dataset_path(frames)
    labelled = read_labelled(path, need_forces=False)
    if split is not None:
        labelled = held_out_by(split, labelled, path, whole=True)
    materials = collect_materials(labelled)
    align = [] if config.align is None else read_labelled(dataset_path(config.align), need_forces=False)
    settings = config.model_dump(mode="json") | {"frames": path.name, "held_out": split is not None}
    others = [dataset_path(config.align)] if config.align is not None else []
    inputs = input_hashes(spec, path, *others, *([split] if split else []))
    potential = load(spec, device=device)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        with report("benchmark relax") as progress:
            found = score_relaxations(potential, materials, config, align=align, progress=progress)
        found.files(folder)
        alive, details = not found.problems, found.details
        record = Record(
            "relaxation benchmark",
            settings,
            found.metrics,
            UNITS,
            inputs,
            alive,
            found.problems + found.notes,
            details,
        )
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def compare_benchmarks(folders: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Set relaxation benchmarks side by side.

    Parameters
    ----------
    folders
        Result folders of `benchmark relax` on the same materials.
    folder
        Result folder.

    Returns
    -------
    The content of `result.json`; the metrics of each model stand in its details.

    Raises
    ------
    ResultError
        If a folder holds something else, or other materials were relaxed.
    """
    names = [path.name for path in folders]
    if len(set(names)) < len(names):
        names = [str(path) for path in folders]
    compared = compare({name: StoredBenchmark.read(path) for name, path in zip(names, folders, strict=True)})
    inputs = {name: hash_file(path / "result.json") for name, path in zip(names, folders, strict=True)}
    settings = {"folders": [str(path) for path in folders]}
    if claim_folder(folder, settings, inputs):
        write_record(
            folder,
            Record(
                compared.kind,
                settings,
                compared.metrics,
                dict(compared.units),
                inputs,
                warnings=compared.notes,
                details=compared.details,
            ),
        )
    return read_record(folder)
