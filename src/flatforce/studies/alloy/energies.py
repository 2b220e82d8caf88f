"""Stages of an alloy study: formation energies, cluster expansion."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError, DataError
from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_frames, read_labelled, write_frames
from flatforce.models import load
from flatforce.properties.alloys.cluster_expansion import choose_and_fit, interactions, make_designs, to_icet
from flatforce.properties.alloys.energies import (
    energies_by_labels,
    energies_by_model,
    is_end_member,
)
from flatforce.properties.alloys.labelled import energies_from_frames
from flatforce.properties.alloys.scores import ON_HULL, lower_hull
from flatforce.properties.alloys.table import make_table
from flatforce.structures.alloys import ORDERING, alloy_lattice
from flatforce.structures.orderings import enumerate_orderings
from flatforce.studies.alloy.files import (
    AlloyStudy,
    check_table,
    parent_hash,
    read_table,
    write_rows,
    write_table,
)
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.reference.config import LabelConfig

SHOWN = 5
"""Orderings left out that are named in the warnings."""

UNJUDGED = (
    "these energies are a force field's: universal ones disagree even on the sign for some alloys; "
    "judge it against DFT by `flatforce alloy compare`"
)

EXPANSION_UNITS = {
    "cv_rmse": "meV/site",
    "rmse": "meV/site",
    "n_parameters": "1",
    "n_orderings": "1",
}


def alloy_energies(
    study: AlloyStudy,
    folder: Path,
    *,
    orderings: Path | None = None,
    model: str | None = None,
    labels: LabelConfig | None = None,
    frames: str | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Find formation energies by a force field, by DFT, or from frames labelled before.

    Parameters
    ----------
    study
        The alloy.
    folder
        Result folder: `table.csv`, `orderings.extxyz`, `relaxed.extxyz`, and with DFT `frames.extxyz` and `labels/`.
    orderings
        File of orderings; all distinct ones up to `max_cells` if None. End members are added.
    model
        Force field; beside `labels` it only guides the first steps.
    labels
        How frames are labelled.
    frames
        Labelled relaxations: a file or a bundled dataset.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ConfigError
        If no source of energies is given, or two.
    """
    if (frames is None) == (model is None and labels is None):
        raise ConfigError(
            "Energies come from one source.",
            fix="give --model, --labels (with --model as a guide), or --frames",
        )
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "energies"})
    files = [dataset_path(frames)] if frames else []
    if orderings is not None:
        files.append(orderings)
    elif frames is None:
        settings["max_cells"] = study.max_cells
    inputs = input_hashes(model, *files) | parent_hash(study)
    if labels is not None:
        settings["labels"] = labels.settings.model_dump(mode="json")
    settings["frames"] = frames
    if not claim_folder(folder, settings, inputs):
        return read_record(folder)
    start = time.perf_counter()
    with report("alloy energies") as progress:
        if frames is not None:
            solved = energies_from_frames(lattice, read_labelled(dataset_path(frames)), study.energies)
        else:
            chosen = _with_ends(study, orderings)
            guide = None if model is None else load(model, device=device)
            if labels is not None:
                solved, path = energies_by_labels(
                    lattice,
                    chosen,
                    labels,
                    study.energies,
                    cache=folder / "labels",
                    guide=guide,
                    progress=progress,
                )
                write_frames(folder / "frames.extxyz", path)
            else:
                assert guide is not None  # noqa: S101  # one source is given
                solved = energies_by_model(lattice, chosen, guide, study.energies, progress=progress)
    table = make_table(
        lattice, solved, max_distance=study.energies.max_distance, max_mismatch=study.energies.max_mismatch
    )
    write_table(folder, table)
    record = _energy_record(table, settings, inputs, None if labels is not None else model)
    arrays = {
        "shares": table.shares,
        "formation": table.formation,
        "above": lower_hull(table.shares, table.formation),
        "distance": np.array([row.distance for row in table.rows]),
    }
    write_record(folder, record.taking(time.perf_counter() - start), arrays)
    return read_record(folder)


def _with_ends(study: AlloyStudy, orderings: Path | None) -> list[Atoms]:
    """Read orderings, end members added where they are missing."""
    lattice = alloy_lattice(study.alloy)
    if orderings is None:
        return enumerate_orderings(lattice, max_cells=study.max_cells)
    if not orderings.is_file():
        raise DataError(f"There is no file {orderings}.", fix="check the path of the orderings")
    found = read_frames(orderings)
    for number, one in enumerate(found):
        one.info.setdefault(ORDERING, f"{lattice.name}-given-{number:03d}")
        one.info.setdefault("name", one.info[ORDERING])
    ends = [one for one in enumerate_orderings(lattice, max_cells=1) if is_end_member(lattice, one)]
    held = {one.get_chemical_formula() for one in found if len(one) == len(lattice.parent)}
    return [one for one in ends if one.get_chemical_formula() not in held] + found


def _energy_record(
    table: AlloyTable, settings: dict[str, Any], inputs: dict[str, str], model: str | None
) -> Record:
    mixed = table.mixed
    above = lower_hull(table.shares, table.formation)
    metrics = {
        "n_orderings": float(len(mixed)),
        "n_dropped": float(len(table.dropped)),
        "lowest": min((table.rows[k].formation for k in mixed), default=float("nan")),
        "highest": max((table.rows[k].formation for k in mixed), default=float("nan")),
        "n_stable": float(sum(above[k] < ON_HULL for k in mixed)),
        "largest_distance": max(row.distance for row in table.rows),
    }
    units = {
        "n_orderings": "1",
        "n_dropped": "1",
        "lowest": "meV/site",
        "highest": "meV/site",
        "n_stable": "1",
        "largest_distance": "Å",
    }
    said = [f"{name} {reason}" for name, reason in table.dropped[:SHOWN]]
    if len(table.dropped) > SHOWN:
        said.append(f"and {len(table.dropped) - SHOWN} more were left out")
    if model is not None:
        said.append(UNJUDGED)
    details = {
        "system": table.system,
        "species": list(table.species),
        "state": table.state,
        "dropped": [list(one) for one in table.dropped],
        "stable": [table.rows[k].name for k in mixed if above[k] < ON_HULL],
        "model": model,
    }
    return Record("alloy energies", settings, metrics, units, inputs, bool(mixed), said, details)


def alloy_fit(study: AlloyStudy, table_folder: Path, folder: Path) -> dict[str, Any]:
    """Fit a cluster expansion to a whole table, cutoffs and regulariser chosen by cross-validation.

    Parameters
    ----------
    study
        The alloy.
    table_folder
        Of `alloy_energies`.
    folder
        Result folder: `expansion.ce` (icet, eV per site), `interactions.csv`.

    Returns
    -------
    The content of `result.json`.
    """
    lattice, table = alloy_lattice(study.alloy), read_table(table_folder)
    check_table(lattice, table)
    settings = study.model_dump(mode="json", include={"alloy", "expansion"})
    inputs = {"table": hash_file(table_folder / "table.csv")} | parent_hash(study)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        designs = make_designs(lattice, table.orderings, study.expansion)
        rows = np.arange(len(table.rows))
        fitted = choose_and_fit(designs, rows, table.formation, study.expansion)
        predicted = fitted.predict(fitted.design.vectors)
        to_icet(fitted).write(str(folder / "expansion.ce"))
        found = interactions(fitted)
        write_rows(folder / "interactions.csv", list(found[0]), found)
        metrics = {
            "cv_rmse": fitted.cv_rmse,
            "rmse": float(np.sqrt(np.mean((predicted - table.formation) ** 2))),
            "n_parameters": float(np.count_nonzero(np.abs(fitted.parameters) > 0)),
            "n_orderings": float(len(table.mixed)),
        }
        details = {
            "system": table.system,
            "cutoffs": list(fitted.design.cutoffs),
            "method": fitted.method,
            "table": str(table_folder),
        }
        arrays = {
            "predicted": predicted,
            "truth": table.formation,
            "shares": table.shares,
            "parameters": fitted.parameters,
            "vectors": fitted.design.vectors,
            "order": np.array([one["order"] for one in found]),
            "radius": np.array([one["radius"] for one in found]),
            "eci": np.array([one["eci"] * one["multiplicity"] for one in found]),
        }
        record = Record("cluster expansion", settings, metrics, EXPANSION_UNITS, inputs, details=details)
        write_record(folder, record.taking(time.perf_counter() - start), arrays)
    return read_record(folder)
