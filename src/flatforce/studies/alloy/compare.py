"""The comparison of models of an alloy's formation energies, as a stage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flatforce.core.hashing import hash_file, hash_value
from flatforce.core.results import claim_folder, read_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_labelled
from flatforce.models import load
from flatforce.properties.alloys.compared_models import ComparisonSettings, compare_on_table
from flatforce.properties.alloys.force_field_energies import (
    ForceFieldEnergies,
    force_field_energies,
    read_force_field_energies,
    write_force_field_energies,
)
from flatforce.structures.alloys import alloy_lattice
from flatforce.studies.alloy.files import check_table, parent_hash, read_table, write_outcome
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice
    from flatforce.studies.alloy.config import AlloyStudy


def alloy_compare(
    study: AlloyStudy,
    table_folder: Path,
    folder: Path,
    *,
    frames: str | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Compare models of formation energies on one table.

    Parameters
    ----------
    study
        The alloy, the splits and the models.
    table_folder
        Result folder of `alloy_energies`, with the true formation energies.
    folder
        Result folder: `splits.json`, `scores.csv`, `predictions.csv`, trainings.
    frames
        Labelled frames behind the table, for force fields that are fine-tuned.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    lattice, table = alloy_lattice(study.alloy), read_table(table_folder)
    check_table(lattice, table)
    settings = study.model_dump(mode="json", include={"alloy", "energies", "expansion", "splits", "compare"})
    inputs = {"table": hash_file(table_folder / "table.csv")} | _hash_inputs(study, frames)
    if not claim_folder(folder, settings, inputs):
        return read_record(folder)
    start = time.perf_counter()
    with report("force fields") as progress:
        force_fields: dict[str, ForceFieldEnergies] = {}
        for label, spec in study.compare.force_fields.items():
            key = hash_value([input_hashes(spec), inputs["table"], study.energies.model_dump(mode="json")])
            cache = folder / "energies" / key
            force_fields[label] = _cached_energies(lattice, table, study, spec, cache=cache, device=device)
            progress(len(force_fields), len(study.compare.force_fields), label)
    with report("compare") as progress:
        comparison = compare_on_table(
            lattice,
            table,
            ComparisonSettings(study.compare, study.splits, study.expansion, study.energies),
            force_fields=force_fields,
            frames=None if frames is None else read_labelled(dataset_path(frames)),
            folder=folder,
            progress=progress,
        )
    write_outcome(folder, comparison, settings, inputs, start=start, seed=study.splits.seed)
    return read_record(folder)


def _hash_inputs(study: AlloyStudy, frames: str | None) -> dict[str, str]:
    """Hash the parent, the force fields and the frames."""
    inputs = parent_hash(study)
    specs = study.compare.force_fields | {
        label: config.start_from for label, config in study.compare.fine_tuned.items()
    }
    for label, spec in specs.items():
        inputs |= {f"{label}: {name}": value for name, value in input_hashes(spec).items()}
    if frames is not None:
        inputs["frames"] = hash_file(dataset_path(frames))
    return inputs


def _cached_energies(
    lattice: AlloyLattice, table: AlloyTable, study: AlloyStudy, spec: str, *, cache: Path, device: str
) -> ForceFieldEnergies:
    """Read the energies of a force field from the cache; compute them if they are not there."""
    energies = read_force_field_energies(cache)
    if energies is None:
        potential = load(spec, device=device)
        write_force_field_energies(cache, force_field_energies(lattice, table, potential, study.energies))
        energies = read_force_field_energies(cache)
    assert energies is not None  # noqa: S101  # they were written
    return energies
