"""One stage each: files in, a result folder out; a finished folder is read back, not computed again."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ase.io import write

from flatforce.core.files import write_atomically
from flatforce.core.results import Record, claim_folder, read_record, stage_key, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_labelled, read_structure
from flatforce.models import load
from flatforce.models.slab import pad_vacuum
from flatforce.studies.inputs import Reporter, input_hashes, unreported
from flatforce.studies.splits import held_out_by

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.properties.phonons.config import PhononConfig
    from flatforce.properties.relax_config import RelaxConfig


def evaluate(
    spec: str,
    frames: str,
    folder: Path,
    *,
    split: Path | None = None,
    energy_only: bool = False,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Compare a force field with labels.

    Parameters
    ----------
    spec
        Force field.
    frames
        File of labelled frames, or name of a bundled dataset.
    folder
        Result folder.
    split
        `split.json` of a training run: only its held-out frames are judged.
    energy_only
        Whether frames need no forces.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.evaluate import evaluate as run

    path = dataset_path(frames)
    labelled = read_labelled(path, need_forces=not energy_only)
    if split is not None:
        labelled = held_out_by(split, labelled, path)
    settings = {"frames": path.name, "held_out": split is not None}
    inputs = input_hashes(spec, path, *([split] if split else []))
    potential = load(spec, device=device)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        with report("evaluate") as progress:
            found = run(potential, labelled, progress=progress)
        details = {
            "model": spec,
            "config_type": found.config_type_errors,
            "element_force_mae": found.element_force_mae,
            "n_frames": len(labelled),
        }
        record = Record("evaluate", settings, found.metrics, found.units, inputs, details=details)
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def statistics(
    frames: str, folder: Path, *, with_map: bool = True, report: Reporter = unreported
) -> dict[str, Any]:
    """Count what a dataset holds.

    Parameters
    ----------
    frames
        File of labelled frames, or name of a bundled dataset.
    folder
        Result folder.
    with_map
        Whether the map of environments is made; needs dscribe.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.data.statistics import statistics as run

    path = dataset_path(frames)
    settings, inputs = {"frames": path.name, "with_map": with_map}, input_hashes(None, path)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        with report("statistics") as progress:
            found = run(read_labelled(path), with_map=with_map, progress=progress)
        details = {
            "elements": dict(found.elements),
            "space_groups": {str(number): count for number, count in found.space_groups.items()},
        }
        record = Record("statistics", settings, found.metrics, found.units, inputs, details=details)
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def relax(
    spec: str,
    structure: Path,
    config: RelaxConfig,
    folder: Path,
    *,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Relax a sheet; `relaxed.extxyz` and `trajectory.extxyz` stand in the folder.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of one structure.
    config
        Settings.
    folder
        Result folder.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.relax import relax as run

    atoms = read_structure(structure)
    settings, inputs = config.model_dump(mode="json"), input_hashes(spec, structure)
    potential = load(spec, device=device)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        with report("relax") as progress:
            found = run(potential, atoms, config, progress=progress)
        for name, frames in (("relaxed", found.atoms), ("trajectory", found.trajectory)):
            write_atomically(folder / f"{name}.extxyz", partial(write, images=frames, format="extxyz"))
        said = [] if found.converged else [f"not converged after {found.n_steps} steps"]
        record = Record("relax", settings, found.metrics, found.units, inputs, found.converged, said)
        write_record(folder, record.taking(time.perf_counter() - start))
    return read_record(folder)


def phonons(
    spec: str,
    structure: Path,
    config: PhononConfig,
    folder: Path,
    *,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Compute the phonons of a relaxed primitive cell; phonopy's own files stand in the folder.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of one structure.
    config
        Settings.
    folder
        Result folder.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.phonons.pristine import pristine_phonons
    from flatforce.properties.phonons.result import write_phonopy_files

    settings, inputs = config.model_dump(mode="json"), input_hashes(spec, structure)
    potential = load(spec, device=device)
    atoms = read_structure(structure)
    potential.check([atoms])
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        sheet = pad_vacuum(atoms, potential.cutoff)
        with report("phonons") as progress:
            found = pristine_phonons(
                potential,
                sheet,
                config,
                scratch=folder / "forces" / stage_key(settings, inputs),
                progress=progress,
            )
        write_phonopy_files(found, folder)
        said = found.problems + found.notes
        details = {"engine": found.engine_report.engine, "row_check_difference": found.engine_report.difference}
        record = Record(
            "phonons", settings, found.metrics, found.units, inputs, not found.problems, said, details
        )
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)
