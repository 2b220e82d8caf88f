"""Benchmarks of force fields: files in, a result folder out."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_arrays, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_labelled
from flatforce.models import load
from flatforce.properties.benchmark.relaxation import UNITS, collect_materials, score_relaxations
from flatforce.studies.inputs import Reporter, input_hashes, unreported
from flatforce.studies.splits import held_out_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.benchmark.relaxation import RelaxationScore
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
        write_text(folder / "materials.csv", _table(found))
        details = {
            "model": spec,
            "element": found.by("element"),
            "space_group": found.by("space_group"),
            "references": found.references,
        }
        alive = any(row.found is not None for row in found.rows)
        record = Record(
            "relaxation benchmark", settings, found.metrics, UNITS, inputs, alive, _warnings(found), details
        )
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def _table(found: RelaxationScore) -> str:
    buffer = io.StringIO()
    columns = [
        "material",
        "space_group",
        "dft_energy",
        "energy",
        "dft_area",
        "area",
        "converged",
        "n_steps",
        "reason",
    ]
    table = csv.DictWriter(buffer, columns, extrasaction="ignore")
    table.writeheader()
    for row in found.rows:
        energy, area = row.found or ("", "")
        more = {"dft_energy": row.dft[0], "dft_area": row.dft[1], "energy": energy, "area": area}
        table.writerow(asdict(row) | more)
    return buffer.getvalue()


def _warnings(found: RelaxationScore) -> list[str]:
    said = list(found.notes)
    for what, chosen in (
        ("failed", [f"{row.material} ({row.reason})" for row in found.rows if row.found is None]),
        ("did not converge", [row.material for row in found.rows if row.found and not row.converged]),
    ):
        if chosen:
            more = f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
            said.append(f"{len(chosen)} {what}: {', '.join(chosen[:SHOWN])}{more}")
    return said


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
    results = {
        name: read_record(path, kind="relaxation benchmark", made_by="benchmark relax")
        for name, path in zip(names, folders, strict=True)
    }
    judged = {
        json.dumps([_labels(path / "materials.csv"), _protocol(result)])
        for path, result in zip(folders, results.values(), strict=True)
    }
    if len(judged) > 1:
        raise ResultError(
            "These benchmarks are not alike.",
            why="other materials were relaxed, their labels differ, or other settings than references alone",
            fix="give all the same frames, split and settings",
        )
    inputs = {name: hash_file(path / "result.json") for name, path in zip(names, folders, strict=True)}
    settings = {"folders": [str(path) for path in folders]}
    if claim_folder(folder, settings, inputs):
        arrays = {name: read_arrays(path) for name, path in zip(names, folders, strict=True)}
        alike = np.all([np.isfinite(one["found"][:, 1]) for one in arrays.values()], axis=0)
        common = {name: _means(one["dft"][alike], one["found"][alike]) for name, one in arrays.items()}
        details = {
            "models": {
                name: {"model": result["details"]["model"], **result["metrics"], **common[name]}
                for name, result in results.items()
            }
        }
        metrics = {f"{name}: {key}": value for name, row in common.items() for key, value in row.items()}
        units = {name: UNITS[name.rpartition(" ")[2]] for name in metrics}
        metrics["n_common"], units["n_common"] = float(alike.sum()), "1"
        said = (
            []
            if alike.all()
            else [f"errors are over the {alike.sum()} of {len(alike)} materials that no model failed on"]
        )
        write_record(
            folder,
            Record("benchmark comparison", settings, metrics, units, inputs, warnings=said, details=details),
        )
    return read_record(folder)


def _protocol(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result["config"].items() if key != "align"}


def _means(dft: FloatArray, found: FloatArray) -> dict[str, float]:
    errors = np.abs(found - dft)
    known = np.isfinite(errors[:, 0])
    return {
        "energy_mae": 1e3 * float(errors[known, 0].mean()) if known.any() else float("nan"),
        "area_mae": float(errors[:, 1].mean()) if len(errors) else float("nan"),
    }


def _labels(path: Path) -> list[tuple[str, str, str]]:
    """Materials of `materials.csv` in their order, with what DFT says of them."""
    with path.open(encoding="utf-8") as stream:
        return [(row["material"], row["dft_energy"], row["dft_area"]) for row in csv.DictReader(stream)]
